"""What is exported is the stock student: its keys, its outputs, and nothing of this package."""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from support import ROOT
from trained_students import build, checkpoint, largest_difference, outputs, read, trained, without_scope

from mmkd_ext.errors import ConfigError
from mmkd_ext.export import reload
from mmkd_ext.export import student as export
from mmkd_ext.export.fold import fold_student
from mmkd_ext.export.student import export_student, stock_config
from mmkd_ext.models.norm_neck import NORMNeck

STUDENTS = {
    'resnet_norm': 'resnet_student',
    'resnet_norm_kd': 'resnet_student',
    'resnet_norm_alone': 'resnet_student',
    'pspnet_norm': 'pspnet_student',
    'faster_rcnn_norm': 'faster_rcnn_student',
    'resnet_kd': 'resnet_student',
    'resnet_nd': 'resnet_student',
    'faster_rcnn_nd': 'faster_rcnn_student',
    'mask_rcnn_cwt': 'mask_rcnn_student',
    'pspnet_cwt': 'pspnet_student',
    'pspnet_tfd': 'pspnet_student',
    'resnet_tffd': 'resnet_student',
}


@pytest.mark.parametrize('name', STUDENTS)
class TestEveryMethod:
    def test_the_folded_student_is_the_stock_one(self, name: str) -> None:
        plain, stock_cfg = read(STUDENTS[name]), stock_config(read(name))
        assert without_scope(stock_cfg.model) == without_scope(plain.model)
        assert 'mmkd_ext' not in stock_cfg.pretty_text
        assert stock_cfg.get('custom_hooks', []) == plain.get('custom_hooks', [])
        shapes = {key: value.shape for key, value in build(plain).state_dict().items()}
        model, stock = trained(read(name)), build(stock_cfg)
        folded = fold_student(model)
        assert {key: value.shape for key, value in folded.weights.items()} == shapes
        stock.load_state_dict(folded.weights, strict=True)
        assert largest_difference(model, stock) <= (1e-5 if folded.notes else 0)

    def test_outputs_are_equal_in_float64(self, name: str) -> None:
        model, stock = trained(read(name)).double(), build(stock_config(read(name))).double()
        before = list(outputs(model))
        stock.load_state_dict(fold_student(model).weights, strict=True)
        assert largest_difference(model, stock) <= 1e-10
        assert all(torch.equal(a, b) for a, b in zip(before, outputs(model), strict=True))  # folding changes no weight


@pytest.mark.parametrize(
    'name',
    [
        pytest.param('detr/detr_r50_8xb2-150e_coco.py', marks=pytest.mark.slow),
        'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco.py',
        pytest.param('dino/dino-4scale_r50_8xb2-12e_coco.py', marks=pytest.mark.slow),
        pytest.param('ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py', marks=pytest.mark.slow),
    ],
)
def test_a_detector_that_changes_its_config_as_it_is_built(name: str, tmp_path: Path) -> None:
    cfg = get_config(f'mmdet::{name}')
    student = cfg.model
    student.backbone.update(depth=18, init_cfg=None)
    student.neck.in_channels = [channels // 4 for channels in student.neck.in_channels]
    student.encoder.num_layers, student.decoder.num_layers = 1, 2  # DDQ refuses one
    student.num_queries = 30
    cfg.model = ConfigDict(
        type='mmkd_ext.SelfDistill', architecture=student, distiller=dict(type='ConfigurableDistiller')
    )
    before = cfg.pretty_text
    model = trained(cfg)
    model.init_weights()  # or some are whatever was in memory
    weights = checkpoint(tmp_path / 'a.pth', model)
    exported = export_student(cfg, weights, tmp_path / 'out', 'a', check=False, reload=False)
    assert cfg.pretty_text == before
    stock = reload.load(str(exported.config), str(exported.checkpoint))
    data = demo_mm_inputs(1, [[3, 64, 64]])
    expected, found = reload.outputs(model, data, False), reload.outputs(stock, data, False)
    assert expected
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_student_that_teaches_itself(tmp_path: Path) -> None:
    cfg = read('resnet_student')
    student = trained(cfg)
    stage = dict(stage=dict(type='ModuleOutputs', source='backbone.layer4'))
    cfg.model = ConfigDict(
        type='mmkd_ext.SelfDistill',
        architecture=cfg.model,
        distiller=dict(type='ConfigurableDistiller', student_recorders=stage, teacher_recorders=stage),
    )
    exported = export_student(cfg, checkpoint(tmp_path / 'a.pth', student), tmp_path, 'self', check=False, reload=False)
    found = torch.load(exported.checkpoint, weights_only=True)['state_dict']
    assert found.keys() == student.state_dict().keys()
    assert all(torch.equal(value, student.state_dict()[key]) for key, value in found.items())
    assert without_scope(Config.fromfile(exported.config).model) == without_scope(read('resnet_student').model)


def test_a_checkpoint_of_averaged_weights_is_said_to_be_one(tmp_path: Path) -> None:
    cfg = read('resnet_kd')
    path = checkpoint(tmp_path / 'a.pth', trained(cfg), ema_state_dict=dict(steps=torch.tensor(1)))
    assert 'averaged (EMA) weights' in export_student(cfg, path, tmp_path, 'a', check=False, reload=False).notes[0]


def test_data_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = Config.fromfile(ROOT / 'configs' / 'norm' / 'resnet56_resnet20_cifar100.py')

    def fail(*args: Any, **kwargs: Any) -> None:
        raise URLError('no network')

    monkeypatch.setattr('mmpretrain.datasets.cifar.download_and_extract_archive', fail)
    cfg.val_dataloader.dataset.data_root = str(tmp_path / 'nowhere')
    with pytest.raises(ConfigError, match=r'^val_dataloader: its data cannot be loaded \(.*no network.*--no-check'):
        export_student(cfg, checkpoint(tmp_path / 'a.pth', trained(cfg)), tmp_path / 'out', 'a')
    assert not (tmp_path / 'out').exists()


class TestRefusals:
    def test_a_checkpoint_of_another_config(self, tmp_path: Path) -> None:
        path = checkpoint(tmp_path / 'a.pth', trained(read('resnet_student')))
        with pytest.raises(ConfigError, match=r'a.pth does not belong to this config: \d+ weights are missing \(neck'):
            export_student(read('resnet_norm'), path, tmp_path, 'a', check=False, reload=False)
        with pytest.raises(ConfigError, match='are missing .* do not belong to it'):
            export_student(read('pspnet_norm'), path, tmp_path, 'a', check=False, reload=False)
        cfg = read('resnet_kd')
        cfg.model.architecture.head.num_classes = 7
        with pytest.raises(ConfigError, match=r'2 weights have another shape \(head.fc.bias, head.fc.weight\)'):
            export_student(cfg, path, tmp_path, 'a', check=False, reload=False)

    def test_other_outputs_and_nothing_is_written(
        self, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cfg = read('resnet_norm')
        cfg.val_dataloader.dataset.update(data_root=str(images), data_prefix='')
        path = checkpoint(tmp_path / 'a.pth', trained(cfg))

        def spoiled(model: Any) -> Any:
            folded = fold_student(model)
            folded.weights['head.fc.bias'][1] += 0.01
            return folded

        def run(made: export.Exported, work: dict) -> list:
            model = reload.load(str(made.config), str(made.checkpoint))
            return [reload.outputs(model, data, work['dense']) for data in work['batches']]

        monkeypatch.setattr(export, 'fold_student', spoiled)
        monkeypatch.setattr(export, '_run_files', run)
        with pytest.raises(ConfigError, match='outputs of the exported student differ by .* nothing is written'):
            export_student(cfg, path, tmp_path / 'bad', 'a')
        assert not (tmp_path / 'bad').exists()

    def test_no_data_loader(self, tmp_path: Path) -> None:
        cfg = read('resnet_kd')
        path = checkpoint(tmp_path / 'a.pth', trained(cfg))
        for field in ('train', 'val', 'test'):
            cfg.pop(f'{field}_dataloader')
        with pytest.raises(ConfigError, match='no data loader to compare outputs on'):
            export_student(cfg, path, tmp_path, 'a')


def test_the_scope_is_left_as_it_was(tmp_path: Path) -> None:
    cfg = read('resnet_kd')
    with DefaultScope.overwrite_default_scope('mmdet'):
        export_student(cfg, checkpoint(tmp_path / 'a.pth', trained(cfg)), tmp_path, 'a', check=False, reload=False)
        assert DefaultScope.get_current_instance().scope_name == 'mmdet'


@pytest.mark.parametrize(
    'kind', [dict(type='NORMNeck', _scope_='mmkd_ext'), dict(type=NORMNeck)], ids=['scope', 'class']
)
def test_a_transform_is_known_however_it_is_named(kind: dict) -> None:
    cfg = read('resnet_norm')
    neck = cfg.model.architecture.neck
    neck.pop('type')
    neck.update(kind)
    assert stock_config(cfg).model.neck == dict(type='GlobalAveragePooling')
    assert 'mmkd_ext' not in str(stock_config(cfg).get('custom_imports'))
