from pathlib import Path

import pytest
from mmengine.config import ConfigDict

from mmkd_ext import cli
from mmkd_ext.build import model_config
from mmkd_ext.old_names import config_today, path_today


@pytest.mark.parametrize(
    ('old', 'today'),
    [
        ('mmcls::resnet/resnet18_8xb32_in1k.py', 'mmpretrain::resnet/resnet18_8xb32_in1k.py'),
        ('mmdet::faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py', 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
        ('mmdet::gfl/gfl_r101_fpn_mstrain_2x_coco.py', 'mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py'),
        ('mmdet::gfl/gfl_r1001_fpn_2x_coco.py', 'mmdet::gfl/gfl_r1001_fpn_2x_coco.py'),
        ('nowhere::a/b.py', 'nowhere::a/b.py'),
    ],
)
def test_a_config_is_found_by_the_name_that_its_toolbox_once_gave_it(old: str, today: str) -> None:
    assert path_today(old) == today


def test_types_and_scopes_of_mmcls_are_mmpretrains_and_other_text_stays() -> None:
    cfg = ConfigDict(
        default_scope='mmcls',
        pipeline=[dict(type='PackClsInputs'), dict(_scope_='mmcls', type='RandomFlip')],
        pair=(dict(type='mmcls.ImageClassifier'), 'mmcls'),
        note='mmcls. was its name',
    )
    assert config_today(cfg) == dict(
        default_scope='mmpretrain',
        pipeline=[dict(type='PackInputs'), dict(_scope_='mmpretrain', type='RandomFlip')],
        pair=(dict(type='mmpretrain.ImageClassifier'), 'mmcls'),
        note='mmcls. was its name',
    )


def test_a_config_with_bases_and_students_of_mmcls_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'old.py'
    path.write_text(
        "_base_ = ['mmcls::_base_/datasets/cifar10_bs16.py', 'mmcls::_base_/default_runtime.py']\n"
        "model = dict(architecture=dict(cfg_path='mmcls::resnet/resnet18_8xb16_cifar10.py'))\n"
        "train_dataloader = dict(dataset=dict(pipeline=[dict(type='PackClsInputs')]))\n"
    )
    cfg = cli.read_config(str(path))
    assert cfg.default_scope == 'mmpretrain'
    assert cfg.train_dataloader.dataset.pipeline[-1].type == 'PackInputs'
    student = model_config(cfg.model.architecture, 'model.architecture')
    assert student['_scope_'] == 'mmpretrain'
    assert student.backbone.type == 'ResNet_CIFAR'
