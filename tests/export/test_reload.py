"""Exported files as their toolbox reads them, in a process without this package."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.models import GlobalAveragePooling
from trained_students import checkpoint, read, trained

from mmkd_ext.errors import ConfigError
from mmkd_ext.export import reload
from mmkd_ext.export.student import export_student


@pytest.mark.slow
def test_files_are_loaded_and_compared_where_this_package_is_not(tmp_path: Path, images: Path) -> None:
    cfg, out = read('resnet_norm_kd'), tmp_path / 'out'
    cfg.val_dataloader.dataset.update(data_root=str(images), data_prefix='')
    exported = export_student(cfg, checkpoint(tmp_path / 'a.pth', trained(cfg)), out, 'resnet_norm_kd')
    assert exported.notes[0] == 'neck folded into head.fc'
    assert exported.notes[1].startswith('equal outputs on 3 images of val_dataloader (to ')
    assert sorted(path.name for path in out.iterdir()) == ['resnet_norm_kd.pth', 'resnet_norm_kd.py']
    content = torch.load(exported.checkpoint, weights_only=True)
    assert sorted(content) == ['meta', 'state_dict']
    assert content['meta'] == dict(dataset_meta=dict(classes=('a', 'b')), epoch=3)
    assert 'mmkd_ext' not in exported.config.read_text()


@pytest.mark.slow
def test_files_that_load_only_here_are_not_written(tmp_path: Path) -> None:
    """The student's neck is registered by this test alone."""

    @MODELS.register_module(force=True)
    class NeckOfThisTest(GlobalAveragePooling):
        pass

    cfg = read('resnet_kd')
    cfg.model.architecture.neck = dict(type='NeckOfThisTest')
    path = checkpoint(tmp_path / 'a.pth', trained(cfg))
    with pytest.raises(ConfigError, match=r'does not load in its own toolbox \(.*NeckOfThisTest is not in.*nothing is'):
        export_student(cfg, path, tmp_path / 'out', 'a', check=False)
    assert not (tmp_path / 'out').exists()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Any, str, str]:
    """A model, and its config and checkpoint as they are exported."""
    cfg = read('resnet_kd')
    model = trained(cfg)
    exported = export_student(cfg, checkpoint(tmp_path / 'a.pth', model), tmp_path, 'out', check=False, reload=False)
    return model, str(exported.config), str(exported.checkpoint)


def test_a_config_and_a_checkpoint_give_the_model_with_its_pixels(files: tuple[Any, str, str]) -> None:
    model, config, weights = files
    found = reload.load(config, weights)
    assert not found.training
    assert torch.equal(found.data_preprocessor.mean, model.data_preprocessor.mean)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in found.state_dict().items())
    torch.save(dict(state_dict={'head.fc.bias': torch.zeros(10)}), weights)
    with pytest.raises(RuntimeError, match='Missing key'):
        reload.load(config, weights)


def test_as_a_program_it_replaces_the_batches_by_the_outputs(files: tuple[Any, str, str], tmp_path: Path) -> None:
    model, config, weights = files
    batches = [dict(inputs=[torch.randint(0, 256, (3, 32, 32))] * 2) for _ in range(2)]
    for dense in (False, True):
        exchange = str(tmp_path / 'exchange.pt')
        torch.save(dict(batches=batches, dense=dense, threads=torch.get_num_threads()), exchange)
        reload.main(config, weights, exchange)
        found = torch.load(exchange)
        images = model.data_preprocessor(copy.deepcopy(batches[0]))['inputs']
        expected = model.extract_feat(images)[0] if dense else model(images)
        assert len(found) == 2
        assert torch.equal(found[0][0], expected)
