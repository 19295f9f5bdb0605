"""A teacher on the student's sampled regions beside one of the whole image."""

from typing import Any

import pytest
import torch
from mmengine.registry import DefaultScope
from tiny_detectors import batch, build, detector, distiller

from mmkd_ext.algorithms.multi_teacher import MultiTeacherDistill
from mmkd_ext.errors import ConfigError


def make(**entry: Any) -> MultiTeacherDistill:
    """`det` on regions, and `other`, whose FPN level 0 is compared by CWT."""
    wiring = distiller()
    for recorder in wiring['teacher_recorders'].values():
        recorder['source'] = f'det.{recorder["source"]}'
    wiring['student_recorders']['fpn'] = dict(type='ModuleOutputs', source='neck')
    wiring['teacher_recorders']['fpn'] = dict(type='ModuleOutputs', source='other.neck')
    wiring['distill_losses']['loss_fpn'] = dict(type='CWTLoss', alpha=1e-3)
    wiring['loss_forward_mappings']['loss_fpn'] = dict(
        student=dict(from_student=True, recorder='fpn', data_idx=0),
        teacher=dict(from_student=False, recorder='fpn', data_idx=0),
    )
    whole = dict(teacher=detector(), teacher_strict=False, teacher_fold=0)
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MultiTeacherDistill(
            detector(), dict(det=dict(whole, **{'sampled_regions': True, **entry}), other=whole), wiring
        )
    model.init_weights()
    return model.train()


def test_losses_are_those_of_roi_distill() -> None:
    model = make()
    alone = build(detector(), detector(), distiller())
    alone.student.load_state_dict(model.student.state_dict())
    alone.teacher.model.load_state_dict(model.taught['model.teachers.det'].teacher.model.state_dict())
    found = []
    for algorithm in (model, alone):
        torch.manual_seed(3)
        found.append(algorithm(**batch(algorithm), mode='loss'))
    assert found[0]['distill.loss_fpn'] > 0
    assert found[1]['distill.loss_kd'] > 0
    for name in found[1]:
        torch.testing.assert_close(found[0][name], found[1][name])


def test_a_teacher_with_regions_of_its_own_is_refused() -> None:
    message = r'loss_kd: .*see different regions.*set model\.teachers\.det\.sampled_regions=True'
    with pytest.raises(ConfigError, match=message):
        make(sampled_regions=False)


def test_regions_are_not_resized() -> None:
    with pytest.raises(ConfigError, match=r'^model\.teachers\.det: .*leave out teacher_input_size'):
        make(teacher_input_size=(64, 64))
