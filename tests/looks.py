"""`Look` objects without real models, for tests of the choice of records."""

from typing import Any

from torch import nn

from mmkd_ext.recipes import Look, Record
from mmkd_ext.recipes.kinds import KINDS, TWO_STAGE


class Part(nn.Module):
    """A model with the parts that the choice inspects."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 1)
        self.neck = nn.Conv2d(4, 4, 1)
        self.bbox_head = nn.Conv2d(4, classes, 1)
        self.bbox_head.num_classes = classes


def levels(channels: int, *strides: int, **options: Any) -> list[Record]:
    return [Record('ModuleOutputs', 'neck', channels, i, stride, **options) for i, stride in enumerate(strides)]


def detector(kind: str = TWO_STAGE, channels: int = 8, strides: tuple = (4, 8, 16), classes: int = 5) -> Look:
    fc, loss = KINDS[TWO_STAGE].logits, KINDS[TWO_STAGE].labels
    two = kind == TWO_STAGE
    return Look(
        kind, Part(classes), levels(channels, *strides), levels(channels, *strides, trains=True),
        logits=[Record('ModuleOutputs', fc, classes + 1)] * two,
        embedding=[Record('ModuleInputs', fc, 2 * channels, 0)] * two,
        labels=[Record('ModuleInputs', loss, 0, 1)] * two,
        scores=[Record('ModuleOutputs', 'bbox_head', classes, 0, stride) for stride in strides if not two],
        why=dict(scores='the reason'),
    )  # fmt: skip


def one_map(kind: str, channels: int = 8, stride: int = 32) -> Look:
    return Look(kind, Part(), [Record('ModuleOutputs', 'backbone', channels, -1, stride)])


def cfg(**fields: Any) -> dict:
    return dict(model=dict(head=dict(type='LinearClsHead')), train_cfg=dict(max_epochs=100), **fields)
