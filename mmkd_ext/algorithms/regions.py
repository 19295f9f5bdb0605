"""Runs of a detector's box heads: which of them count, on which regions, and how to run heads on given regions."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from inspect import signature
from typing import Any, NamedTuple

from torch import Tensor, nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import Recorder
from mmkd_ext.recorders.module import ModuleInputsRecorder, ModuleOutputsRecorder

# What some heads need of the whole image besides the regions, and, second, the part of the roi_head that gives it.
_CONTEXT = dict(semantic_feat='semantic_head', glbctx_feat='glbctx_head')
CONTEXT_PARTS = tuple(f'roi_head.{part}' for part in _CONTEXT.values())
_ON_REGIONS = re.compile(rf'roi_head\.(?!({"|".join(_CONTEXT.values())})\b)')


class Part(NamedTuple):
    """A recorded part of a detector.

    Attributes:
        source: Its name.
        stage: The stage of the box heads whose regions it sees: 0 if there is one stage, None outside of the box heads.
        head: The box head that the part is, or is in; or None.
    """

    source: str
    stage: int | None
    head: Any

    @classmethod
    def of(cls, recorder: Recorder, detector: Any) -> 'Part':
        """The part that a recorder records."""
        stage = stage_of(recorder.source) if isinstance(recorder, ModuleOutputsRecorder) else None
        head = None
        if stage is not None and recorder.source.startswith('roi_head.bbox_head'):
            head = _stages(detector.roi_head.bbox_head)[stage]
        return cls(recorder.source, stage, head)


def stage_of(source: str) -> int | None:
    """The stage whose regions a module sees, from its name.

    Examples:
        >>> stage_of('roi_head.bbox_head.1.fc_cls')
        1
        >>> stage_of('roi_head.bbox_head.fc_cls')
        0
        >>> stage_of('neck')
    """
    found = re.match(r'roi_head\.(?:bbox_head|bbox_roi_extractor|shared_head)\b(?:\.(\d+)\b)?', source)
    return None if found is None else int(found[1] or 0)


def is_on_regions(recorder: Recorder) -> bool:
    """Whether a recorder's source runs on a detector's regions: box heads, mask heads, and what pools for them."""
    return isinstance(recorder, ModuleOutputsRecorder) and _ON_REGIONS.match(recorder.source) is not None


@contextmanager
def counted_runs(model: nn.Module, recorders: Iterable[Recorder]) -> Iterator[None]:
    """Record a detector's box heads only when they run on the sampled regions, for the losses that train them.

    Samplers that look for hard examples (OHEMSampler, ScoreHLRSampler) first run extractor, head and classification
    loss on candidate regions, of which they keep some; PISA runs the classification loss once more, to weight regions.
    So nothing is recorded while regions are sampled, and of a head's losses only the inputs of the head's own `loss`.
    """
    every = list(recorders)
    losses = [recorder for recorder in every if re.match(r'roi_head\.bbox_head\b.*\.loss_\w+$', recorder.source)]
    head = getattr(model, 'roi_head', None)
    with ExitStack() as stack:
        stack.enter_context(_paused(losses, 1))
        for box_head in _stages(getattr(head, 'bbox_head', None)):
            stack.enter_context(_within(box_head, 'loss', lambda: _paused(losses, -1)))
        for sampler in _stages(getattr(head, 'bbox_sampler', None)):
            stack.enter_context(_within(sampler, 'sample', lambda: _paused(every, 1)))
        yield


def region_recorders(detector: Any) -> dict[str, ModuleInputsRecorder]:
    """Recorders of the regions (N, 5) that the box heads of each stage get; item 1 of record 0."""
    extractor = 'roi_head.bbox_roi_extractor'
    stages = detector.roi_head.bbox_roi_extractor
    sources = [f'{extractor}.{i}' for i in range(len(stages))] if isinstance(stages, nn.ModuleList) else [extractor]
    recorders = {f'_regions_{i}': ModuleInputsRecorder(source) for i, source in enumerate(sources)}
    for recorder in recorders.values():
        recorder.items = {1}
    return recorders


def run_heads(detector: Any, levels: Sequence[Tensor], regions: Sequence[Tensor], first: int = 0) -> None:
    """Run a detector's box heads on given regions.

    Args:
        detector: A two-stage detector.
        levels: Its FPN levels.
        regions: (N, 5) for each stage, the image's index and a box; further stages see those of the last.
        first: The stage to start with.
    """
    head = detector.roi_head
    wanted = {name: getattr(head, part, None) for name, part in _CONTEXT.items() if name in _arguments(head)}
    context = {name: part(levels)[1] for name, part in wanted.items() if part is not None}
    if not isinstance(head.bbox_head, nn.ModuleList):
        head._bbox_forward(levels, regions[0], **context)
        return
    for stage in range(first, len(head.bbox_head)):
        head._bbox_forward(stage, levels, regions[min(stage, len(regions) - 1)], **context)


def run_without_regions(detector: Any, first: int, images: Tensor) -> None:
    """Run the stages of a cascade from `first` on, which mmdet skips if the previous one had no region."""
    extractor = detector.roi_head.bbox_roi_extractor[first]
    levels = [images.new_zeros(1, extractor.out_channels, 1, 1)] * extractor.num_inputs
    run_heads(detector, levels, [images.new_zeros(0, 5)], first)


def check_regions(detector: Any, key: str) -> None:
    """Refuse a model without box heads on regions.

    Args:
        detector: The model.
        key: The config key that holds it, for messages.

    Raises:
        ConfigError: If it has none, or they need more than a region's pixels and the known context of the image.
    """
    head = getattr(detector, 'roi_head', None)
    if not hasattr(head, 'bbox_roi_extractor'):
        raise ConfigError(
            f'{key} must be a two-stage detector, with a roi_head that pools regions for a box head, got '
            f'{type(detector).__name__}.'
        )
    unknown = [name for name in _arguments(head) if name not in ('stage', 'x', 'rois', *_CONTEXT)]
    if unknown:
        raise ConfigError(
            f'{key}: {type(head).__name__} cannot be used: besides regions it needs {", ".join(unknown)}, which the '
            'other detector does not provide.'
        )


def check_branches(student: Any, teacher: Any) -> None:
    """Refuse a student whose batch grows by branches (TridentNet) if the teacher's, in eval mode, does not.

    Raises:
        ConfigError: If there are regions for more images than the teacher has maps.
    """
    ours = getattr(student.backbone, 'num_branch', 1)
    theirs = getattr(teacher.backbone, 'num_branch', 1)
    if getattr(teacher.backbone, 'test_branch_idx', -1) != -1:
        theirs = 1
    if ours != theirs:
        raise ConfigError(
            f'model.architecture: {type(student).__name__} samples regions of {ours} branches per image, but the '
            f'teacher has {theirs}; use a student with one branch, or a teacher with as many branches and '
            'test_branch_idx=-1.'
        )


def check_compared(parts: Mapping[str, Part], key: str) -> None:
    """Refuse a loss that compares parts that do not belong together.

    Args:
        parts: The part behind each argument of the loss, with its stage as one of the student's.
        key: The config key of the loss's mapping, for messages.

    Raises:
        ConfigError: If they see different regions, or their heads encode boxes differently.
    """
    seen: dict[int | None, str] = {}
    coded: dict[Any, str] = {}
    for argument, part in parts.items():
        what = f'`{argument}` ({part.source})'
        if part.stage is not None:
            seen.setdefault(part.stage, what)
        if part.head is not None and part.source.endswith('.fc_reg'):
            coded.setdefault(_coding(part.head), what)
    if len(seen) > 1:
        (one, what), (other, against) = list(seen.items())[:2]
        raise ConfigError(
            f'{key}: {what} and {against} see different regions, of stages {one} and {other} of a cascade; map parts '
            'of the same stage.'
        )
    if len(coded) > 1:
        (one, what), (other, against) = list(coded.items())[:2]
        raise ConfigError(
            f'{key}: {what} and {against} encode boxes differently, as {one} and as {other}; give the student the '
            "teacher's bbox_coder."
        )


def check_softmax(parts: Iterable[Part], key: str) -> None:
    """Refuse a loss of probabilities that sum to 1 for a head that is not trained with a softmax.

    Raises:
        ConfigError: If a head's classification loss has no softmax over the classes and the background.
    """
    for part in parts:
        loss = getattr(part.head, 'loss_cls', None)
        if getattr(loss, 'use_sigmoid', False) or getattr(loss, 'custom_cls_channels', False):
            raise ConfigError(
                f'{key}: the classes of {part.source} are trained by {type(loss).__name__}, but this loss assumes a '
                'softmax over the classes and the background; compare heads with '
                "loss_cls=dict(type='CrossEntropyLoss'), or their embeddings alone."
            )


def check_background(loss: Any, parts: Mapping[str, Part], key: str) -> None:
    """Refuse a loss with the numbers of another data set, which would take the background for an object.

    Args:
        loss: A loss; its `ignore_label` and the `num_classes` of a loss of boxes are checked, if it has them.
        parts: The part behind each of its arguments.
        key: Its config key, for messages.

    Raises:
        ConfigError: If no region has the class that it leaves out, or its number of classes is not the head's.
    """
    ignored, classes = getattr(loss, 'ignore_label', None), getattr(loss, 'num_classes', None)
    for argument, part in parts.items():
        count = getattr(part.head, 'num_classes', None)
        if count is None:
            continue
        if argument == 'labels' and ignored is not None and not 0 <= ignored <= count:
            raise ConfigError(
                f'{key}.ignore_label={ignored}, but the labels of {part.source} are 0 to {count}; the last is the '
                'background.'
            )
        if part.source.endswith('.fc_reg') and classes is not None and classes != count:
            raise ConfigError(f'{key}.num_classes={classes}, but the head of {part.source} has {count} classes.')


def _coding(head: Any) -> str:
    coder = getattr(head, 'bbox_coder', None)
    names = ('means', 'stds', 'normalizer')
    given = ', '.join(f'{name}={list(getattr(coder, name))}' for name in names if hasattr(coder, name))
    return f'{type(coder).__name__}({given})'


def _arguments(head: Any) -> list[str]:
    return (
        list(signature(head._bbox_forward).parameters) if hasattr(head, '_bbox_forward') else ['a forward of its own']
    )


def _stages(parts: Any) -> list:
    """The parts of each stage; heads of one stage hold them without a list."""
    return [] if parts is None else list(parts) if isinstance(parts, (list, nn.ModuleList)) else [parts]


@contextmanager
def _paused(recorders: Iterable[Recorder], by: int) -> Iterator[None]:
    for recorder in recorders:
        recorder.paused += by
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.paused -= by


@contextmanager
def _within(owner: Any, name: str, context: Callable[[], AbstractContextManager]) -> Iterator[None]:
    """Let a method of one object run within a context."""
    method = getattr(owner, name)

    def run(*args: Any, **kwargs: Any) -> Any:
        with context():
            return method(*args, **kwargs)

    owner.__dict__[name] = run
    try:
        yield
    finally:
        del owner.__dict__[name]
