"""Recipes with foundation models: each builds, and takes a step of a student that learns from the tokens."""

import pytest
from config_checks import check_literals, random_batch, step, with_random_teacher
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import MINI, ROOT

from mmkd_ext.benchmark.data import random_batch as data_of

FOLDER = ROOT / 'configs' / 'foundation'
# Patch size of the teacher, and what the student's stage is recorded from.
LEAVES = {
    'faster_rcnn_r50_dinov2_vit_b_coco': (14, 'backbone.layer3'),
    'rtmdet_s_clip_vit_b_coco': (16, 'backbone.stage3'),
    'pspnet_r18_mae_vit_b_cityscapes': (16, 'backbone.layer4'),
}


def test_every_recipe_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob('*.py')} == set(LEAVES)


@pytest.mark.slow
@pytest.mark.parametrize('name', LEAVES)
def test_a_step_compares_the_stage_with_the_map_of_all_patches(name: str) -> None:
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    check_literals(cfg)
    patch, source = LEAVES[name]
    assert cfg.model.teacher_size_divisor == patch
    assert cfg.model.distiller.student_recorders.stage.source == source
    model = with_random_teacher(cfg)
    recorders = model.distiller.teacher_recorders
    data = random_batch(cfg, model)
    model.teacher.record(recorders, model.distiller.needed(from_student=False), **data)
    height, width = (max(round(side / patch), 1) for side in data['inputs'].shape[-2:])
    assert recorders.get('tokens').shape == (2, 768, height, width)
    assert step(cfg, model)['distill.loss_cosine'] > 0


def test_the_mini_vit_gives_the_finest_level_a_token_per_position() -> None:
    cfg = Config.fromfile(MINI / 'faster_rcnn_tokens.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).train()
    data = model.data_preprocessor(data_of(cfg, 2, 96), True)
    recorders = model.distiller.teacher_recorders
    model.teacher.record(recorders, model.distiller.needed(from_student=False), **data)
    assert recorders.get('tokens').shape == (2, 96, 24, 24)
    model.distiller.clear()
    loss = model(**data, mode='loss')['distill.loss_cosine']
    loss.backward()
    assert 0 < loss < 2
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0
