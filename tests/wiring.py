"""Two toy networks, and the config of a distiller between them, which tests modify."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_ext.distillers.configurable import ConfigurableDistiller

SIZES = (8, 4, 2)


class Neck(nn.Module):
    """Three maps of different sizes, as a tuple."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(2, channels, 1) for _ in SIZES)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            conv(nn.functional.adaptive_avg_pool2d(x, size)) for conv, size in zip(self.convs, SIZES, strict=True)
        )


class Toy(nn.Module):
    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.neck = Neck(channels)
        self.head = nn.Linear(channels, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.neck(x)[0].mean(dim=(2, 3)))


class ListLoss(nn.Module):
    """Takes all levels at once; keeps its inputs."""

    takes_levels = True

    def forward(self, student: list, teacher: list) -> Tensor:
        self.given = student, teacher
        return sum((s.mean() - t.mean()).square() for s, t in zip(student, teacher, strict=True))


class MatrixLoss(nn.Module):
    """A matrix product, which autocast would compute in half precision."""

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None = None) -> Tensor:
        self.dtypes = student.dtype, teacher.dtype
        return (student @ teacher.T).square().mean()


class TwoResults(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, 3 * x


def source(side: str, **more: Any) -> dict:
    return dict(from_student=side == 'student', recorder='neck', **more)


BASE = dict(
    student_recorders=dict(
        neck=dict(type='ModuleOutputs', source='neck'), head=dict(type='ModuleOutputs', source='head')
    ),
    teacher_recorders=dict(
        neck=dict(type='ModuleOutputs', source='neck'), head=dict(type='ModuleOutputs', source='head')
    ),
    connectors=dict(mlp=dict(type='ChannelMLPConnector', in_channels=3, out_channels=5, levels=3)),
    distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=0.1)),
    loss_forward_mappings=dict(
        loss_cwt=dict(
            student=source('student', data_idx=[0, 1, 2], connector='mlp'),
            teacher=source('teacher', data_idx=[0, 1, 2]),
        )
    ),
)


STUDENT = 'loss_forward_mappings.loss_cwt.student'


TEACHER = 'loss_forward_mappings.loss_cwt.teacher'


DROP = object()


def changed(*edits: tuple[str, Any]) -> dict:
    """`BASE` with values at dotted paths replaced, added or dropped."""
    cfg = copy.deepcopy(BASE)
    for path, value in edits:
        *parents, last = path.split('.')
        place = cfg
        for name in parents:
            place = place[name]
        if value is DROP:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return cfg


LOGITS = [
    ('connectors', {}),
    ('distill_losses', dict(loss_kd=dict(type='KDLoss', tau=2.0))),
    (
        'loss_forward_mappings',
        dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='head'), teacher=dict(from_student=False, recorder='head')
            )
        ),
    ),
]


def logits_with(loss: dict, *edits: tuple[str, Any]) -> dict:
    """A config with one loss of the two heads' outputs."""
    return changed(*LOGITS, ('distill_losses.loss_kd', loss), *edits)


def make(cfg: dict, seed: int = 4) -> ConfigurableDistiller:
    torch.manual_seed(seed)
    return ConfigurableDistiller(**cfg)


def run(distiller: ConfigurableDistiller, student: Toy, teacher: Toy, x: Tensor) -> dict[str, Tensor]:
    with distiller.teacher_recorders.recording(teacher):
        teacher(x)
    with distiller.student_recorders.recording(student):
        student(x)
    return distiller.compute_distill_losses()


ABF = dict(type='ABFConnector', in_channels=[3, 3, 3], out_channels=[5, 5, 5], mid_channels=4)


REVIEW = [
    ('connectors', dict(abf=ABF)),
    ('distill_losses.loss_cwt', dict(type='HCLLoss')),
    (f'{STUDENT}.connector', 'abf'),
]
