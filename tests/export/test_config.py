"""The plain config of a student."""

from mmengine.config import Config
from support import MINI, ROOT

from mmkd_ext.export.config import student_config


def test_a_student_of_a_toolbox_needs_nothing_of_this_package() -> None:
    plain = student_config(Config.fromfile(MINI / 'faster_rcnn_cwt.py'))
    assert plain.model.type == 'FasterRCNN'
    assert 'custom_imports' not in plain


def test_a_student_with_a_backbone_of_this_package_keeps_its_import() -> None:
    plain = student_config(Config.fromfile(ROOT / 'configs' / 'nd' / 'resnet56_resnet20_cifar100.py'))
    assert plain.model.backbone.type == 'mmkd_ext.CIFARResNet'
    assert plain.custom_imports.imports == ['mmkd_ext']
    assert plain.custom_hooks == []
