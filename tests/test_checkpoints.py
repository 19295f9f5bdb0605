"""Checkpoint files that are read without running them, and the weights in them by the names of a model."""

import os
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from file_server import served
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, load_from_local
from torch import nn
from toys import toy

from mmkd_ext.checkpoints import check_weights, load_checkpoint_file, load_weights, weights_of, write_plain
from mmkd_ext.errors import ConfigError


class Witness:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


class TestFiles:
    def test_allowing_history_buffers_does_not_allow_other_attributes(self, tmp_path: Path) -> None:
        path = tmp_path / 'evil.pth'

        class Reach:
            def __reduce__(self) -> tuple:
                return getattr, (HistoryBuffer, '__init__')

        torch.save(dict(state_dict={}, reach=Reach()), path)
        with pytest.raises(ConfigError):
            load_checkpoint_file(str(path))

    @pytest.mark.parametrize('load', [CheckpointLoader.load_checkpoint, load_checkpoint_file])
    def test_a_file_that_would_run_code_is_refused_by_name_and_runs_nothing(self, tmp_path: Path, load: Any) -> None:
        path, witness = tmp_path / 'evil.pth', tmp_path / 'witness'
        torch.save(dict(state_dict={}, hook=Witness(witness)), path)
        with pytest.raises(ConfigError, match=r'evil\.pth holds pickled code \(posix\.mkdir\)'):
            load(str(path))
        assert not witness.exists()

    def test_an_absent_file_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r'the checkpoint no/such\.pth does not exist'):
            CheckpointLoader.load_checkpoint('no/such.pth')

    def test_the_home_folder_may_be_abbreviated(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('HOME', str(tmp_path))
        torch.save({'a': torch.ones(2)}, tmp_path / 'a.pth')
        assert list(load_checkpoint_file('~/a.pth')) == ['a']

    def test_map_location_is_heeded(self, tmp_path: Path) -> None:
        torch.save({'a': torch.ones(2)}, tmp_path / 'a.pth')
        assert load_checkpoint_file(str(tmp_path / 'a.pth'), map_location='meta')['a'].is_meta

    def test_other_schemes_stay_mmengines(self) -> None:
        for path in ('torchvision://resnet18', 'open-mmlab://resnet50', 's3://bucket/a.pth'):
            assert CheckpointLoader._get_checkpoint_loader(path).__module__.startswith('mmengine.')
        assert CheckpointLoader._get_checkpoint_loader('a.pth') is load_checkpoint_file
        assert CheckpointLoader._get_checkpoint_loader('a.pth') is not load_from_local
        assert CheckpointLoader._get_checkpoint_loader('https://host/a.pth') is load_checkpoint_file


class TestSchemes:
    def test_addresses_of_mmengines_schemes_are_looked_up_and_fetched(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urls = dict(net=f'{server}/{served(tmp_path, "net")}')
        for name in ('get_torchvision_models', 'get_external_models', 'get_mmcls_models'):
            monkeypatch.setattr(f'mmengine.runner.checkpoint.{name}', lambda: dict(urls))
        for scheme in ('torchvision', 'modelzoo', 'open-mmlab', 'openmmlab'):
            assert load_checkpoint_file(f'{scheme}://net')['a'][0] == 1
        assert load_checkpoint_file('mmcls://net') == dict(state_dict={})  # those of a backbone alone
        with pytest.raises(ConfigError, match=r'the checkpoint torchvision://nat: torchvision:// has no model of this'):
            load_checkpoint_file('torchvision://nat')

    @pytest.mark.parametrize('load', [CheckpointLoader.load_checkpoint, load_checkpoint_file])
    def test_they_run_no_code_either(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, load: Any
    ) -> None:
        witness = tmp_path / 'witness'
        torch.save(dict(state_dict={}, hook=Witness(witness)), tmp_path / 'files' / 'evil.pth')
        monkeypatch.setattr(
            'mmengine.runner.checkpoint.get_torchvision_models', lambda: dict(evil=f'{server}/evil.pth')
        )
        with pytest.raises(ConfigError, match=r'evil\.pth holds pickled code \(posix\.mkdir\)'):
            load('torchvision://evil')
        assert not witness.exists()

    def test_object_storage_is_read_by_its_own_backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, witness = tmp_path / 'a.pth', tmp_path / 'witness'
        torch.save({'a': torch.ones(2)}, path)
        backend = SimpleNamespace(get=lambda address: path.read_bytes())
        monkeypatch.setattr('mmengine.runner.checkpoint.get_file_backend', lambda *_, **__: backend)
        for address in ('s3://bucket/a.pth', 'petrel://bucket/a.pth', 'cluster:s3://bucket/a.pth'):
            assert list(load_checkpoint_file(address)) == ['a']
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ConfigError, match=r'the checkpoint s3://bucket/a\.pth cannot be loaded \('):
            load_checkpoint_file('s3://bucket/a.pth')
        torch.save(Witness(witness), path)
        with pytest.raises(ConfigError, match=r's3://bucket/a\.pth holds pickled code \(posix\.mkdir\)'):
            load_checkpoint_file('s3://bucket/a.pth')
        assert not witness.exists()

    def test_a_scheme_without_its_client_and_one_that_nobody_knows_are_named(self) -> None:
        with pytest.raises(ConfigError, match=r'the checkpoint s3://bucket/a\.pth cannot be loaded \(.*petrel'):
            load_checkpoint_file('s3://bucket/a.pth')
        with pytest.raises(ConfigError, match=r"torchvison:// is not a known scheme; the nearest is 'torchvision'"):
            load_checkpoint_file('torchvison://resnet18')


def names(keys: list[str], **options: Any) -> list[str]:
    return list(weights_of(dict(state_dict={key: torch.zeros(1) for key in keys}), 'a.pth', **options))


def test_what_stands_in_front_of_names_is_taken_off() -> None:
    theirs = ['architecture.neck.weight', 'teacher.neck.weight', 'distiller.connectors.a.weight']
    for keys in (theirs, [f'module.{key}' for key in theirs]):
        assert names(keys) == ['neck.weight']
        assert names(keys, without=('teacher.',)) == ['neck.weight', 'distiller.connectors.a.weight']
        assert names(keys, prefix='teacher.') == ['neck.weight']
        assert names(keys, prefix='neck') == ['weight']
    with pytest.raises(ConfigError, match=r"^a\.pth holds no weights whose names begin with 'head\.'"):
        names(theirs, prefix='head')


def test_versions_of_modules_are_kept() -> None:
    found = OrderedDict({'module.norm.weight': torch.zeros(1)})
    found._metadata = OrderedDict({'': dict(version=1), 'module': dict(version=1), 'module.norm': dict(version=2)})
    assert weights_of(found, 'a.pth')._metadata['norm'] == dict(version=2)
    assert weights_of(found, 'a.pth', prefix='norm')._metadata[''] == dict(version=2)


@pytest.mark.parametrize(
    ('content', 'has'),
    [
        ([1], ''),
        (dict(state_dict=[1]), "; it has 'state_dict'"),
        (dict(model=dict(a=torch.zeros(1)), epoch=3), "; it has 'model', 'epoch'"),
    ],
)
def test_what_is_no_checkpoint_is_refused(content: Any, has: str) -> None:
    with pytest.raises(ConfigError, match=rf'^a\.pth holds no weights \(a dict of tensors, .*\){has}\.$'):
        weights_of(content, 'a.pth')


def test_weights_in_other_shapes_are_one_sentence_and_a_bug_of_the_model_is_not() -> None:
    model = nn.Linear(2, 3)
    wrong = dict(weight=torch.zeros(4, 2), bias=torch.zeros(4))
    with pytest.raises(
        ConfigError,
        match=r'^a\.pth does not fit: weight is \(4, 2\) in the file and \(3, 2\) in the model \(another number of '
        r'classes\?\); 2 weights have another shape\.$',
    ):
        load_weights(model, wrong, 'a.pth does not fit')

    def fail(*_: Any) -> None:
        raise RuntimeError('a bug')

    model.register_load_state_dict_pre_hook(fail)
    with pytest.raises(RuntimeError, match='^a bug$'):
        load_weights(model, wrong, 'a.pth does not fit')


def test_what_files_of_old_torch_lack_is_not_missing() -> None:
    weights = {name: value for name, value in nn.BatchNorm2d(2).state_dict().items() if 'tracked' not in name}
    weights.pop('bias')
    assert load_weights(nn.BatchNorm2d(2), {**weights, 'other': torch.zeros(1)}, '') == (['bias'], ['other'])


def save(path: Path, weights: dict) -> str:
    torch.save(dict(state_dict=weights), path)
    return str(path)


def test_a_checkpoint_of_the_student_fits_and_another_ones_does_not(tmp_path: Path) -> None:
    own, path = toy(2).state_dict(), tmp_path / 'w.pth'
    extra = {'distiller.connectors.a.weight': own['gain'], 'auxiliary_head.weight': own['gain']}
    assert not check_weights(toy(1), save(path, {**own, **extra}))
    with pytest.raises(
        ConfigError, match=r'w\.pth does not belong to this config: head\.weight is \(5, 4\) in the file and \(3, 4\)'
    ):
        check_weights(toy(1), save(path, toy(1, classes=5).state_dict()))
    with pytest.raises(ConfigError, match=r'1 weights do not belong to it \(backbone\.layer3\.6\.weight\)\.$'):
        check_weights(toy(1), save(path, {**own, 'backbone.layer3.6.weight': own['gain']}))
    with pytest.raises(ConfigError, match=r'2 weights are missing \(head\.weight, head\.bias\)'):
        check_weights(toy(1), save(path, {name: v for name, v in own.items() if not name.startswith('head')}))


def test_a_checkpoint_of_mmrazor_is_written_by_the_toolboxs_names(tmp_path: Path) -> None:
    own, path = toy(2).state_dict(), tmp_path / 'w.pth'
    theirs = {f'architecture.{name}': value for name, value in own.items()}
    theirs |= {f'teacher.{name}': value for name, value in toy(3, width=8).state_dict().items()}
    model = toy(1)
    assert check_weights(model, save(path, theirs))
    write_plain(str(path), tmp_path / 'plain.pth')
    assert torch.load(tmp_path / 'plain.pth', weights_only=True)['state_dict'].keys() == own.keys()


def test_another_width_is_not_taken_for_another_number_of_classes() -> None:
    narrow, wide = (nn.Sequential(nn.Conv2d(3, c, 1), nn.Conv2d(c, c, 1)) for c in (4, 8))
    with pytest.raises(
        ConfigError, match=r'^a\.pth: 0\.weight is \(8, 3, 1, 1\) in the file and \(4, 3, 1, 1\) .*'
    ) as error:
        load_weights(narrow, wide.state_dict(), 'a.pth')
    assert 'number of classes' not in str(error.value)
