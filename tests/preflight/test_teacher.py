"""When a teacher is no better than chance, and when it is not asked."""

from typing import Any

import numpy as np
import pytest
from distilled_toys import distiller, make, make_self
from mmengine.config import Config
from toys import toy

from mmkd_ext.algorithms.multi_teacher import MultiTeacherDistill
from mmkd_ext.preflight.teacher import judge, numbers, one_process, score, teachers_of


@pytest.mark.parametrize(
    ('metrics', 'classes', 'images', 'chance', 'fails'),
    [
        ({'accuracy/top1': 71.0, 'accuracy/top5': 95.0}, 10, 32, 10, False),
        ({'accuracy/top1': 12.0}, 10, 400, 10, True),
        ({'accuracy/top1': 18.0}, 10, 32, 10, True),  # 2 standard errors are 10.6
        ({'accuracy/top1': 18.0}, 10, 400, 10, False),
        ({'coco/bbox_mAP': 0.4, 'coco/bbox_mAP_50': 0.6}, 80, 8, 0, False),
        ({'coco/bbox_mAP': 0.001}, 80, 8, 0, True),
        ({'aAcc': 40.0, 'mIoU': 30.0}, 4, 8, 25, False),
        ({'mIoU': 20.0}, 4, 8, 25, True),
    ],
)
def test_what_chance_reaches(metrics: dict, classes: int, images: int, chance: float, fails: bool) -> None:
    found = judge('teacher', metrics, classes, images)
    assert found.name == next(name for name in metrics if not name.startswith('aAcc'))  # mostly the background's
    assert found.chance == pytest.approx(chance)
    assert found.fails is fails


@pytest.mark.parametrize('metrics', [{'mAE': 3.0}, {'coco/bbox_mAP': -1.0}, {'single-label/f1-score': 3.0}])
def test_where_chance_is_not_known_nothing_fails(metrics: dict) -> None:
    found = judge('teacher', metrics, 10, 8)
    assert (found.name, found.chance, found.fails) == (None, None, False)


def test_several_teachers_have_names() -> None:
    assert teachers_of(make_self()) == {}
    assert list(teachers_of(make())) == ['teacher']
    cfg = distiller()
    cfg['teacher_recorders']['t']['source'] = 'det.backbone'
    several = MultiTeacherDistill(toy(1), dict(det=dict(teacher=toy(2, width=6))), cfg)
    assert list(teachers_of(several)) == ['teacher det']


def test_what_cannot_be_evaluated_is_said() -> None:
    teacher = make().teacher
    assert score('teacher', teacher, Config(), 8).reason == (
        'not evaluated: the config has no val_dataloader with a val_evaluator'
    )
    teacher.pixels.size, teacher.model.head = (16, 16), None
    assert score('teacher', teacher, Config(), 8).reason.startswith('not evaluated: its images are resized')
    teacher.predicts = False
    assert score('teacher', teacher, Config(), 8).reason.startswith('not evaluated: a backbone alone')


def test_metrics_are_numbers_whoever_made_them() -> None:
    given = dict(mIoU=np.float32(3), top1=2.5, count=np.int64(4), table='...', each=[1, 2])
    assert numbers(given) == dict(mIoU=3.0, top1=2.5, count=4.0)


def test_a_loader_in_one_process_is_otherwise_the_same() -> None:
    loader: dict[str, Any] = dict(
        batch_size=8, num_workers=4, persistent_workers=True, prefetch_factor=2, sampler=dict(a=1)
    )
    assert one_process(loader, dataset=3) == dict(
        batch_size=8, num_workers=0, persistent_workers=False, sampler=dict(a=1), dataset=3
    )
    assert loader['num_workers'] == 4
