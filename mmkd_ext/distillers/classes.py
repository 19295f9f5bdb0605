"""Which classes a model tells apart, for losses that compare student and teacher class by class."""

from collections.abc import Mapping, Sequence
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


def class_names(meta: Any) -> list[str] | None:
    """The names of the classes in a data set's `metainfo`, or a checkpoint's copy of it; None where there are none."""
    if not isinstance(meta, Mapping):
        return None
    found = meta.get('classes', meta.get('CLASSES'))
    return list(map(str, found)) if isinstance(found, (list, tuple)) and found else None


def first_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Where two lists of classes part, as half a sentence: `0 is 'cat' and 'dog'`; empty where they are the same."""
    for i, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        if a != b:
            return f'{i} is {a!r} and {b!r}'
    return '' if len(ours) == len(theirs) else f'there are {len(ours)} and {len(theirs)}'
