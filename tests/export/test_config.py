"""The plain config of a student."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import MINI, ROOT

from mmkd_ext.errors import ConfigError
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


def test_mmsegs_api_names_it_where_it_is_given_the_distillation_config() -> None:
    from mmseg.apis import init_model

    with pytest.raises(ConfigError, match=r'the plain config of its student, .*\.student_config\(FILE\)\.$'):
        init_model(str(MINI / 'pspnet_cwt.py'), device='cpu')


@pytest.mark.parametrize('key', ['backbone', 'test_cfg', 'train_cfg'])
def test_a_part_of_the_student_that_is_set_next_to_it_is_refused(key: str) -> None:
    cfg = Config.fromfile(MINI / 'faster_rcnn_cwt.py')
    cfg.merge_from_dict({f'model.{key}.depth': 50})
    with pytest.raises(ConfigError, match=rf'^model\.{key}: .* is set in model\.architecture\.{key}\.$'):
        student_config(cfg)


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


@pytest.mark.parametrize('place', ['beside the model', 'in the model'])
def test_the_plain_student_sees_the_pixels_of_its_training(place: str) -> None:
    cfg = Config.fromfile(MINI / 'pspnet_cwt.py')
    cfg.model.architecture.data_preprocessor.update(mean=[1.0, 2.0, 3.0], size_divisor=16)
    (cfg if place == 'beside the model' else cfg.model).data_preprocessor = dict(mean=[4.0, 5.0, 6.0], std=[7.0] * 3)
    plain = student_config(cfg)
    model = dict(cfg.model, teacher_ckpt=None, teacher_strict=False)
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))  # as the Runner does
    with DefaultScope.overwrite_default_scope('mmseg'):
        trained, exported = MODELS.build(model).data_preprocessor, MODELS.build(plain.model).data_preprocessor
    assert trained.mean.flatten().tolist() == exported.mean.flatten().tolist() == [4, 5, 6]
    assert trained.std.flatten().tolist() == exported.std.flatten().tolist() == [7, 7, 7]
    assert trained.size_divisor == exported.size_divisor == 16


def test_a_module_of_a_users_losses_goes_and_one_of_the_students_parts_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    register = 'from mmkd_ext.registry import MODELS\n\n\n@MODELS.register_module()\nclass {}:\n    pass\n'
    (tmp_path / 'my_losses.py').write_text(register.format('MyLoss'))
    (tmp_path / 'my_parts.py').write_text(register.format('MyLoss') + register.format('MyNeck'))
    (tmp_path / 'my_data.py').write_text('import torch\n')
    cfg = Config.fromfile(MINI / 'resnet_kd.py')
    cfg.model.architecture.neck = dict(type='MyNeck')
    cfg.custom_imports = dict(imports=['mmkd_ext', 'my_losses', 'my_parts', 'my_data', 'nowhere.at_all'])
    assert student_config(cfg).custom_imports.imports == ['my_parts', 'my_data', 'nowhere.at_all']


@pytest.fixture(scope='module')
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)


def checkpoint_of(name: str, path: Path) -> tuple[Config, str]:
    """The plain config of a mini config's student, and a checkpoint as a distillation run writes it."""
    plain = student_config(MINI / f'{name}.py')
    with DefaultScope.overwrite_default_scope(plain.default_scope):
        weights = MODELS.build(student_config(MINI / f'{name}.py').model).state_dict()
    weights['distiller.connectors.fpn.0.weight'] = torch.ones(1)
    classes = [str(digit) for digit in range(10)]
    meta = dict(dataset_meta=dict(classes=classes, palette=[[digit, 0, 0] for digit in range(11)]))
    torch.save(dict(state_dict=weights, meta=meta), path)
    return plain, str(path)


def test_the_inferencers_of_mmdet_take_it(image: np.ndarray, tmp_path: Path) -> None:
    from mmdet.apis import DetInferencer, inference_detector, init_detector

    plain, checkpoint = checkpoint_of('faster_rcnn_cwt', tmp_path / 'epoch_1.pth')
    with DefaultScope.overwrite_default_scope('mmdet'):
        found = inference_detector(init_detector(plain, checkpoint, device='cpu'), image).pred_instances
        inferencer = DetInferencer(student_config(MINI / 'faster_rcnn_cwt.py'), checkpoint, 'cpu', show_progress=False)
        again = inferencer(image, pred_score_thr=0)['predictions'][0]
    assert len(found.scores) > 0
    np.testing.assert_allclose(sorted(again['scores']), sorted(found.scores.tolist()), rtol=1e-5)


def test_the_inferencer_of_mmpretrain_takes_it(image: np.ndarray, tmp_path: Path) -> None:
    from mmpretrain import ImageClassificationInferencer

    plain, checkpoint = checkpoint_of('resnet_kd', tmp_path / 'resnet.pth')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        found = ImageClassificationInferencer(plain, checkpoint, device='cpu')(image)
    assert found[0]['pred_scores'].shape == (10,)


def test_the_api_of_mmseg_takes_it(image: np.ndarray, tmp_path: Path) -> None:
    from mmseg.apis import inference_model, init_model

    plain, checkpoint = checkpoint_of('pspnet_cwt', tmp_path / 'pspnet.pth')
    plain.test_pipeline = plain.test_dataloader.dataset.pipeline  # where mmseg looks for it
    with DefaultScope.overwrite_default_scope('mmseg'):
        found = inference_model(init_model(plain, checkpoint, device='cpu'), image)
    assert found.pred_sem_seg.shape == (96, 96)
