"""Which classes a model tells apart, for losses that compare student and teacher class by class."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from mmkd_ext.distillers.mapping import DISTILLER_KEY, Parts, Source, Wiring, levels_of
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.module import ModuleInputsRecorder, ModuleOutputsRecorder

HEADS = ('roi_head', 'bbox_head', 'decode_head', 'head')
# Layers whose channels are classes, in the heads of the toolboxes.
_LOGITS = re.compile(r'((roi_head\.)?bbox_head|decode_head|head)(\.\d+)?\.(fc|layers\.head|conv_seg|\w+_cls)(\.\d+)?')
_NOT_BY_CHANNEL = {'ATLoss', 'AngleWiseRKD', 'DistanceWiseRKD'}  # MMRazor's, of sums over channels


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


def losses_by_class(wiring: Wiring, parts: Parts) -> list[str]:
    """The losses that compare what student and teacher say of the same class: that say so, or whose inputs do."""
    found = []
    for name, arguments in levels_of(wiring):
        sources = [arguments[arg] for arg in ('student', 'teacher') if arg in arguments]
        of_heads = all(
            parts.recorders(source)[source.recorder].source.startswith(HEADS) and not source.connector
            for source in sources
        )
        by_class = getattr(parts.losses[name], 'by_class', None)
        if by_class is None:
            by_class = _of_logits(parts.losses[name], list(arguments.values()), parts)
        if by_class and ('labels' in arguments or of_heads):
            found.append(name)
    return list(dict.fromkeys(found))


def _of_logits(loss: nn.Module, sources: Sequence[Source], parts: Parts) -> bool:
    """Whether a loss that does not say so compares channels that are classes: all that it is given is class logits."""
    if type(loss).__name__ in _NOT_BY_CHANNEL or next(loss.parameters(), None) is not None:
        return False
    for source in sources:
        recorder = parts.recorders(source)[source.recorder]
        outputs = isinstance(recorder, ModuleOutputsRecorder) and not isinstance(recorder, ModuleInputsRecorder)
        if source.connector or not outputs or not _LOGITS.fullmatch(recorder.source):
            return False
    return {source.from_student for source in sources} == {True, False}


def check_counts(losses: Iterable[str], student: nn.Module, teacher: nn.Module) -> None:
    """Refuse losses that compare class by class where student and teacher have other numbers of classes.

    Raises:
        ConfigError: If there is such a loss; it names both keys.
    """
    ours, theirs = class_count(student), class_count(teacher)
    if ours is None or theirs is None or ours[1] == theirs[1]:
        return
    for name in losses:
        raise ConfigError(
            f'{DISTILLER_KEY}.distill_losses.{name} compares class by class, but '
            f'model.architecture.{ours[0]}={ours[1]} and model.teacher.{theirs[0]}={theirs[1]}; take a teacher of the '
            'same classes.'
        )


def other_count(data: Sequence[str] | None, student: nn.Module) -> str:
    """A sentence where a student's head has another number of classes than the data set; empty where it has not.

    Args:
        data: The names of the data set's classes, where they are known.
        student: The student.
    """
    ours = class_count(student)
    if ours is None or data is None or ours[1] == len(data):
        return ''
    return f'model.architecture.{ours[0]}={ours[1]}, but train_dataloader.dataset has {len(data)} classes.'


def check_names(
    losses: Iterable[str], data: Sequence[str], student: nn.Module, teacher: Sequence[str] | None
) -> Iterator[str]:
    """Refuse losses that compare class by class where the data set has other classes than student or teacher.

    Args:
        losses: Their names.
        data: The names of the data set's classes.
        student: The student.
        teacher: The names of the classes that the teacher was trained on; None where its file does not say.

    Yields:
        A sentence where the teacher's names are others, which may be another spelling, and one where the student has
        another number of classes and no loss compares them.

    Raises:
        ConfigError: If the student has another number of classes and a loss compares them, or the teacher has them in
            another order.
    """
    ours, losses = class_count(student), list(losses)
    if not losses and (other := other_count(data, student)):
        yield other
    for name in losses:
        key = f'{DISTILLER_KEY}.distill_losses.{name} compares class by class, but'
        if ours is not None and ours[1] != len(data):
            raise ConfigError(
                f'{key} model.architecture.{ours[0]}={ours[1]} and train_dataloader.dataset has {len(data)} '
                'classes; change one of the two.'
            )
        differs = first_difference(data, teacher or data)
        if differs and sorted(data) == sorted(teacher or data):
            raise ConfigError(
                f"{key} the teacher was trained with the data set's classes in another order: class {differs}; "
                'give train_dataloader.dataset.metainfo the order of the teacher.'
            )
        if differs:
            yield f'{key} the data set and the checkpoint of the teacher name their classes differently: {differs}.'
