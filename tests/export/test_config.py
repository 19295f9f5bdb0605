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


def test_hooks_loops_and_imports_of_the_distillation_go_and_those_of_the_student_stay() -> None:
    cfg = Config.fromfile(MINI / 'resnet_kd.py')
    ema, log = dict(type='EMAHook', momentum=0.1), dict(type='LoggerHook')
    file, razor = dict(type='LocalVisBackend'), dict(type='mmrazor.RecorderVisBackend')
    cfg.custom_hooks = [
        ema, dict(type='mmrazor.DistillationLossDetachHook'), dict(type='ExactResumeHook', _scope_='mmkd_ext'),
    ]  # fmt: skip
    cfg.default_hooks = dict(logger=log, visualization=dict(type='mmrazor.RecorderVisualizationHook'))
    cfg.visualizer = dict(type='UniversalVisualizer', vis_backends=[file, razor])
    cfg.vis_backends = [file, razor]
    cfg.val_cfg = dict(type='mmrazor.SelfDistillValLoop', fp16=True)
    cfg.custom_imports = dict(imports=['mmrazor.models', 'mmkd_ext', 'mmdet.models'], allow_failed_imports=False)
    plain = student_config(cfg)
    assert plain.custom_hooks == [ema]
    assert plain.default_hooks == dict(logger=log)
    assert plain.visualizer == dict(type='UniversalVisualizer', vis_backends=[file])
    assert plain.vis_backends == [file]
    assert plain.val_cfg == dict(fp16=True)
    assert plain.custom_imports == dict(imports=['mmdet.models'], allow_failed_imports=False)

    cfg.visualizer = dict(type='mmrazor.LocalVisualizer')
    cfg.custom_imports.imports = ['mmrazor.models', 'mmkd_ext']
    assert not {'visualizer', 'custom_imports'} & set(student_config(cfg))
    cfg.train_dataloader.dataset.pipeline = [dict(type='mmrazor.AutoAugment', policies='cifar10')]
    assert student_config(cfg).custom_imports.imports == ['mmrazor.models']
