"""A toy student that is distilled from a toy teacher, or from itself."""

from typing import Any

import torch
from torch import Tensor
from toys import toy

from mmkd_ext.algorithms.base import DistillAlgorithm
from mmkd_ext.algorithms.self_distill import SelfDistill
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill


def distiller(student: str = 'backbone', teacher: str = 'backbone') -> dict:
    """CWT of two modules' outputs, through a connector from 4 to 6 channels."""
    return dict(
        type='ConfigurableDistiller',
        student_recorders=dict(s=dict(type='ModuleOutputs', source=student)),
        teacher_recorders=dict(t=dict(type='ModuleOutputs', source=teacher)),
        connectors=dict(mlp=dict(type='ChannelMLPConnector', in_channels=4, out_channels=6)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=0.01)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='s', connector='mlp'),
                teacher=dict(from_student=False, recorder='t'),
            )
        ),
    )


def make(student: Any = None, teacher: Any = None, **kwargs: Any) -> SingleTeacherDistill:
    student, teacher = student or toy(1), teacher or toy(2, width=6)
    torch.manual_seed(3)
    return SingleTeacherDistill(student, teacher, **{'distiller': distiller(), **kwargs})


def make_self(student: Any = None, **kwargs: Any) -> SelfDistill:
    """The neck's output teaches the backbone; both have 4 channels."""
    cfg = distiller(teacher='neck')
    cfg['connectors']['mlp']['out_channels'] = 4
    torch.manual_seed(3)
    return SelfDistill(student or toy(1), **{'distiller': cfg, **kwargs})


def records(algorithm: DistillAlgorithm) -> list:
    parts = algorithm.distiller
    return [r for taps in (parts.student_recorders, parts.teacher_recorders) for r in taps.recorders.values()]


def total(losses: dict[str, Tensor]) -> Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)
