"""CWD and PKD of GFL, RetinaNet and FCOS: settings, published numbers, and a step; and of the mini dense detectors."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from config_checks import alone, check_literals, described, published, step, with_random_teacher
from mmengine.config import Config
from support import MINI, ROOT

from mmkd_ext.build import model_config

FOLDER = ROOT / 'configs' / 'baselines'
THEIRS = Path(find_spec('mmrazor').submodule_search_locations[0]) / '.mim' / 'configs' / 'distill' / 'mmdet'
GFL, RETINANET, FCOS = 'gfl_r101_r50_1x_coco_cwd', 'retinanet_r101_r50_2x_coco_pkd', 'fcos_r101_r50_2x_coco_pkd'
CWD = dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=5.0)
PKD = dict(type='mmrazor.PKDLoss', loss_weight=10.0)
# The loss, where both look, and what of it is compared.
LEAVES = {
    GFL: (CWD, 'bbox_head.gfl_cls', dict(record_idx=[0, 1, 2, 3, 4])),
    RETINANET: (PKD, 'neck', dict(data_idx=[0, 1, 2, 3])),
    FCOS: (PKD, 'neck', dict(data_idx=[0, 1, 2, 3])),
}


@pytest.mark.parametrize('name', LEAVES)
def test_settings(name: str) -> None:
    cfg, (loss, source, levels) = Config.fromfile(FOLDER / f'{name}.py'), LEAVES[name]
    check_literals(cfg)
    distiller = cfg.model.distiller
    assert list(distiller.distill_losses.values()) == [loss]
    for recorders in (distiller.student_recorders, distiller.teacher_recorders):
        assert list(recorders.values()) == [dict(type='ModuleOutputs', source=source)]
    ((recorder, _),) = distiller.student_recorders.items()
    (mapping,) = distiller.loss_forward_mappings.values()
    assert mapping == dict(
        preds_S=dict(from_student=True, recorder=recorder, **levels),
        preds_T=dict(from_student=False, recorder=recorder, **levels),
    )


@pytest.mark.parametrize('name', LEAVES)
def test_the_student_is_the_one_alone_and_both_see_the_same_pixels(name: str) -> None:
    cfg, student = Config.fromfile(FOLDER / f'{name}.py'), alone(FOLDER / f'{name}.py')
    assert cfg.model.architecture == student.model
    for key in ('train_dataloader', 'val_dataloader', 'param_scheduler', 'optim_wrapper', 'train_cfg'):
        assert cfg[key] == student[key]
    teacher = model_config(cfg.model.teacher, 'model.teacher')
    assert teacher.data_preprocessor == student.model.data_preprocessor
    assert student.model.data_preprocessor.bgr_to_rgb == (name != FCOS)


def test_published_numbers() -> None:
    known = {GFL: dict(Student=40.2, Teacher=44.7, Result=41.9)}
    assert {name: published(described('baselines')[name]) for name in LEAVES} == {RETINANET: {}, FCOS: {}, **known}


def test_the_config_of_mmrazor_that_names_the_head_compares_the_neck() -> None:
    theirs = Config.fromfile(THEIRS / 'cwd' / 'cwd_cls_head_gfl_r101_fpn_gfl_r50_fpn_1x_coco.py').model
    ours = Config.fromfile(FOLDER / f'{GFL}.py').model
    assert (theirs.teacher.cfg_path, theirs.teacher_ckpt) == (ours.teacher, ours.teacher_ckpt)
    assert theirs.distiller.student_recorders == dict(fpn=dict(type='ModuleOutputs', source='neck'))
    assert {loss.loss_weight for loss in theirs.distiller.distill_losses.values()} == {10}


def test_pkd_is_that_of_mmrazors_retinanet() -> None:
    theirs = Config.fromfile(THEIRS / 'pkd' / 'pkd_fpn_retina_x101_retina_r50_2x_coco.py').model.distiller
    assert [dict(loss, type='mmrazor.PKDLoss') for loss in theirs.distill_losses.values()] == [PKD] * 4
    assert [entry.preds_S.data_idx for entry in theirs.loss_forward_mappings.values()] == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize('name', LEAVES)
def test_a_step_compares_every_level(name: str) -> None:
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    model = with_random_teacher(cfg)
    (loss,) = model.distiller.distill_losses.values()
    sides: list[int] = []
    loss.register_forward_pre_hook(lambda _, args, kwargs: sides.append(kwargs['preds_S'].shape[-1]), with_kwargs=True)
    (distilled,) = [value for key, value in step(cfg, model).items() if key.startswith('distill.')]
    assert distilled > 0
    assert sides == [12, 6, 3, 2, 1][: len(next(iter(LEAVES[name][2].values())))]


@pytest.mark.parametrize(
    ('name', 'calls'), [('retinanet_kd', 1), ('retinanet_pkd', 3), ('rtmdet_kd', 1), ('rtmdet_cwd', 3)]
)  # KD takes all levels at once
def test_a_step_of_a_mini(name: str, calls: int) -> None:
    cfg = Config.fromfile(MINI / f'{name}.py')
    check_literals(cfg)
    model = with_random_teacher(cfg)
    (loss,) = model.distiller.distill_losses.values()
    compared: list = []
    loss.register_forward_hook(lambda *args: compared.append(args[-1]))
    (distilled,) = [value for key, value in step(cfg, model).items() if key.startswith('distill.')]
    assert len(compared) == calls
    assert distilled > 0
