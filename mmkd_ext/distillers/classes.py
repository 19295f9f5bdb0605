"""How many classes a model tells apart, for losses that compare student and teacher class by class."""

from typing import Any

from torch import nn

HEADS = ('roi_head', 'bbox_head', 'decode_head', 'head')


def class_count(model: Any) -> tuple[str, int] | None:
    """The config key and the number of classes of a model's head, without background; None where none is known."""
    for key in ('roi_head.bbox_head', *HEADS[1:]):
        head = model
        for name in key.split('.'):
            head = getattr(head, name, None)
        last = head[-1] if isinstance(head, nn.ModuleList) and len(head) else head
        count = getattr(last, 'num_classes', None)
        if isinstance(count, int):
            return f'{key}.num_classes', count
    return None
