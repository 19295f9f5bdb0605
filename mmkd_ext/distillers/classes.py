"""The classes of a model's head, for losses that compare student and teacher class by class."""

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
# Losses of class probabilities that sum to 1: ours, MMRazor's and mmdet's.
OF_SOFTMAX = ('KDLoss', 'DKDLoss', 'DISTLoss', 'KLDivergence', 'KDSoftCELoss', 'KnowledgeDistillationKLDivLoss')
_NOT_BY_CHANNEL = {'ATLoss', 'AngleWiseRKD', 'DistanceWiseRKD'}  # MMRazor's, which sum over channels


def class_count(model: Any) -> tuple[str, int] | None:
    """The config key and the number of classes of a model's head, without background; None if unknown."""
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
    """The names of the classes in a data set's `metainfo`, or a checkpoint's copy of it; None if there are none."""
    if not isinstance(meta, Mapping):
        return None
    found = meta.get('classes', meta.get('CLASSES'))
    return list(map(str, found)) if isinstance(found, (list, tuple)) and found else None


def first_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Where two lists of classes first differ, in a few words: `0 is 'cat' and 'dog'`; empty if they are equal."""
    for i, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        if a != b:
            return f'{i} is {a!r} and {b!r}'
    return '' if len(ours) == len(theirs) else f'there are {len(ours)} and {len(theirs)}'


def losses_by_class(wiring: Wiring, parts: Parts) -> list[str]:
    """The losses that compare student and teacher class by class: declared so, or recognised by their inputs."""
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
    """Whether a loss without such a declaration compares class by class: all its inputs are class logits."""
    if type(loss).__name__ in _NOT_BY_CHANNEL or next(loss.parameters(), None) is not None:
        return False
    for source in sources:
        recorder = parts.recorders(source)[source.recorder]
        outputs = isinstance(recorder, ModuleOutputsRecorder) and not isinstance(recorder, ModuleInputsRecorder)
        if source.connector or not outputs or not _LOGITS.fullmatch(recorder.source):
            return False
    return {source.from_student for source in sources} == {True, False}


def check_counts(losses: Iterable[str], student: nn.Module, teacher: nn.Module) -> None:
    """Refuse losses that compare class by class if student and teacher have different numbers of classes.

    Raises:
        ConfigError: If there is such a loss; it names both keys.
    """
    ours, theirs = class_count(student), class_count(teacher)
    if ours is None or theirs is None or ours[1] == theirs[1]:
        return
    for name in losses:
        raise ConfigError(
            f'{DISTILLER_KEY}.distill_losses.{name} compares class by class, but '
            f'model.architecture.{ours[0]}={ours[1]} and model.teacher.{theirs[0]}={theirs[1]}; use a teacher with the '
            'same classes.'
        )


def other_count(data: Sequence[str] | None, student: nn.Module, key: str = 'model.architecture') -> str:
    """A sentence if a student's head and the data set have different numbers of classes; otherwise empty.

    Args:
        data: The names of the data set's classes, if they are known.
        student: The student.
        key: The config key that holds it.
    """
    ours = class_count(student)
    if ours is None or data is None or ours[1] == len(data):
        return ''
    return f'{key}.{ours[0]}={ours[1]}, but train_dataloader.dataset has {len(data)} classes.'


def check_names(
    losses: Iterable[str], data: Sequence[str], student: nn.Module, teacher: Sequence[str] | None
) -> Iterator[str]:
    """Refuse losses that compare class by class if the data set's classes differ from the student's or teacher's.

    Args:
        losses: Names of the losses.
        data: The names of the data set's classes.
        student: The student.
        teacher: The names of the classes that the teacher was trained on; None if its file does not have them.

    Yields:
        A sentence if the teacher's names differ, which may only be another spelling, and one if the student's number of
        classes differs and no loss compares them.

    Raises:
        ConfigError: If the student has a different number of classes and a loss compares them, or the teacher has the
            classes in another order.
    """
    ours, losses = class_count(student), list(losses)
    if not losses and (other := other_count(data, student)):
        yield other
    for name in losses:
        key = f'{DISTILLER_KEY}.distill_losses.{name} compares class by class, but'
        if ours is not None and ours[1] != len(data):
            raise ConfigError(
                f'{key} model.architecture.{ours[0]}={ours[1]}, while train_dataloader.dataset has {len(data)} '
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
