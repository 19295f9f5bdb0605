"""Backbones that no toolbox has come along with an exported student."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from support import ROOT
from trained_students import checkpoint, trained

from mmkd_ext.errors import ConfigError
from mmkd_ext.export.source import take_backbones, write_package
from mmkd_ext.export.student import export_student
from mmkd_ext.models.cifar_resnet import CIFARResNet
from mmkd_ext.models.mobilenet_v1 import MobileNetV1


@pytest.mark.slow
def test_backbones_of_this_package_come_along(command: Callable, tmp_path: Path) -> None:
    names = [
        'resnet56_resnet20_cifar100', 'wrn40_2_wrn16_2_cifar100', 'vgg13_vgg8_cifar100', 'vgg13_mobilenetv2_cifar100',
        'resnet32x4_shufflenetv1_cifar100', 'resnet32x4_shufflenetv2_cifar100', 'resnet50_mobilenetv1_in1k',
    ]  # fmt: skip
    images, runs = torch.randn(2, 3, 64, 64), []
    for i, name in enumerate(names):
        cfg = Config.fromfile(ROOT / 'configs' / 'norm' / f'{name}.py')
        model = trained(cfg)
        weights = checkpoint(tmp_path / 'a.pth', model)
        exported = export_student(cfg, weights, tmp_path / 'out', f'student.{i}', check=False, reload=False)
        assert exported.notes[-1].startswith(f'no toolbox has the backbone: the config imports student_{i}_backbone,')
        runs.append((str(exported.config), str(exported.checkpoint), model(images, mode='tensor').detach()))
    torch.save((images, runs), tmp_path / 'expected.pt')
    program = f"""
import torch
from mmengine.config import Config
from mmpretrain.apis import get_model
images, runs = torch.load({str(tmp_path / 'expected.pt')!r})
for config, checkpoint, expected in runs:
    cfg = Config.fromfile(config)
    assert not any(name in cfg.pretty_text for name in ('mmkd_ext', 'NORM', 'LogitNorm'))
    assert cfg.model.neck.type == 'GlobalAveragePooling'
    found = get_model(cfg, pretrained=checkpoint).eval()(images, mode='tensor')
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
print('all', len(runs))
"""
    (tmp_path / 'load.py').write_text(program)
    done = command(tmp_path / 'load.py', hidden=['mmkd_ext'], PYTHONPATH=str(tmp_path / 'out'))
    assert 'all 7' in done.stdout, done.stderr


def test_a_config_names_its_backbones_without_this_packages_scope() -> None:
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='mmkd_ext.CIFARResNet', depth=20),
        auxiliary=[dict(type='mmkd_ext.MobileNetV1'), dict(backbone=dict(type='mmkd_ext.CIFARResNet', depth=8))],
        head=dict(type='LinearClsHead'),
    )
    assert take_backbones(model) == [CIFARResNet, MobileNetV1]
    assert model['backbone'] == dict(type='CIFARResNet', depth=20)
    assert model['auxiliary'] == [dict(type='MobileNetV1'), dict(backbone=dict(type='CIFARResNet', depth=8))]
    with pytest.raises(
        ConfigError, match=r'^mmkd_ext\.NORMNeck in the student cannot be exported, because no toolbox has it'
    ):
        take_backbones(dict(neck=dict(type='mmkd_ext.NORMNeck')))


def test_the_package_registers_copies_of_the_backbones_and_needs_nothing_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path / 'a_backbone', [CIFARResNet, MobileNetV1], 'a.py')
    files = {path.name: path.read_text() for path in (tmp_path / 'a_backbone').iterdir()}
    assert sorted(files) == ['__init__.py', 'base.py', 'cifar_resnet.py', 'mobilenet_v1.py']
    assert files['__init__.py'].startswith('"""The backbones of a.py')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(MODELS, '_module_dict', dict(MODELS.module_dict))
    importlib.import_module('a_backbone')
    found = MODELS.build(dict(type='CIFARResNet', depth=8))
    assert type(found) is not CIFARResNet
    assert type(found).__module__ == 'a_backbone.cifar_resnet'
