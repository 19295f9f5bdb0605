"""CWD of RTMDet: MMYOLO's settings on mmdet's models, its numbers, and a step."""

import pytest
from config_checks import alone, check_literals, described, published, step, with_random_teacher
from mmengine.config import Config
from support import ROOT

FOLDER = ROOT / 'configs' / 'baselines'
# Channels of the necks, and the published box AP of the student alone and distilled.
PAIRS = {
    ('s', 'tiny'): ((128, 96), (41.0, 41.8)),
    ('m', 's'): ((192, 128), (44.6, 45.7)),
    ('l', 'm'): ((256, 192), (49.3, 50.2)),
    ('x', 'l'): ((320, 256), (51.4, 52.3)),
}
LEAVES = {f'rtmdet_{teacher}_rtmdet_{student}_coco_cwd': pair for (teacher, student), pair in PAIRS.items()}


def test_every_pair_has_its_config() -> None:
    assert {path.stem for path in FOLDER.glob('rtmdet_*.py')} == set(LEAVES)


@pytest.mark.parametrize('name', LEAVES)
def test_settings_and_numbers_are_those_of_mmyolo(name: str) -> None:
    cfg, student = Config.fromfile(FOLDER / f'{name}.py'), alone(FOLDER / f'{name}.py')
    check_literals(cfg)
    (wide, narrow), (before, after) = LEAVES[name]
    assert published(described('baselines')[name]) == dict(Student=before, Result=after)
    connectors, norm = cfg.model.distiller.connectors, dict(type='BN', affine=False, track_running_stats=False)
    assert (connectors.student.in_channel, connectors.student.out_channel) == (narrow, wide)
    assert connectors.teacher.in_channels == wide
    assert connectors.student.norm_cfg == connectors.teacher.norm_cfg == norm
    assert cfg.model.distiller.distill_losses.loss_cwd.loss_weight == 1.0
    *others, stop = cfg.custom_hooks
    assert others == student.custom_hooks
    assert (stop.milestones, stop.factors) == ([280], [1, 0])
    assert cfg.model.architecture == student.model
    assert cfg.param_scheduler == student.param_scheduler


@pytest.mark.slow
@pytest.mark.parametrize('name', LEAVES)
def test_a_step_compares_three_levels(name: str) -> None:
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    model = with_random_teacher(cfg)
    assert [len(model.distiller.connectors[side]) for side in ('student', 'teacher')] == [3, 3]
    assert step(cfg, model)['distill.loss_cwd'] > 0
