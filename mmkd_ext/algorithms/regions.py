"""Runs of a detector's box heads: which of them count, on which regions, and how to run heads on given ones."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from inspect import signature
from typing import Any

from torch import Tensor, nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import Recorder
from mmkd_ext.recorders.module import ModuleInputsRecorder, ModuleOutputsRecorder

# What some heads want of the whole image beside the regions, and the part of the roi_head that gives it, second.
_CONTEXT = dict(semantic_feat='semantic_head', glbctx_feat='glbctx_head')
CONTEXT_PARTS = tuple(f'roi_head.{part}' for part in _CONTEXT.values())


def stage_of(recorder: Recorder) -> int | None:
    """The stage whose regions a recorder sees: 0 for heads of one stage, None for what is on no regions.

    Examples:
        >>> stage_of(ModuleOutputsRecorder('roi_head.bbox_head.1.fc_cls'))
        1
        >>> stage_of(ModuleOutputsRecorder('roi_head.bbox_head.fc_cls'))
        0
        >>> stage_of(ModuleOutputsRecorder('neck'))
    """
    if not isinstance(recorder, ModuleOutputsRecorder):
        return None
    found = re.match(r'roi_head\.(?:bbox_head|bbox_roi_extractor|shared_head)\b(?:\.(\d+))?', recorder.source)
    return None if found is None else int(found[1] or 0)


def box_head_of(model: Any, recorder: Recorder) -> Any:
    """The box head that a recorder is on or in; None where it is elsewhere."""
    stage = stage_of(recorder)
    if stage is None or not recorder.source.startswith('roi_head.bbox_head'):
        return None
    heads = _stages(model.roi_head.bbox_head)
    return heads[stage] if stage < len(heads) else None


@contextmanager
def counted_runs(model: nn.Module, recorders: Iterable[Recorder]) -> Iterator[None]:
    """Record a detector's box heads only where they run on the sampled regions, for the losses that train them.

    Samplers that look for hard examples (OHEMSampler, ScoreHLRSampler) run extractor, head and classification loss
    before, on regions of which they keep some; PISA runs the classification loss once more, to weigh regions. So what
    runs while regions are sampled is not recorded, and of a head's losses only what the head's own `loss` is given.
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
    """Recorders of the regions (N, 5) that the box heads of each stage are given; item 1 of record 0."""
    extractor = 'roi_head.bbox_roi_extractor'
    stages = detector.roi_head.bbox_roi_extractor
    sources = [f'{extractor}.{i}' for i in range(len(stages))] if isinstance(stages, nn.ModuleList) else [extractor]
    recorders = {f'_regions_{i}': ModuleInputsRecorder(source) for i, source in enumerate(sources)}
    for recorder in recorders.values():
        recorder.items = {1}
    return recorders


def run_heads(detector: Any, levels: Sequence[Tensor], regions: Sequence[Tensor]) -> None:
    """Run a detector's box heads on given regions.

    Args:
        detector: Of two stages.
        levels: Its FPN levels.
        regions: (N, 5) for each stage, the image's index and a box; further stages see those of the last.
    """
    head = detector.roi_head
    wanted = {name: getattr(head, part, None) for name, part in _CONTEXT.items() if name in _arguments(head)}
    context = {name: part(levels)[1] for name, part in wanted.items() if part is not None}
    if not isinstance(head.bbox_head, nn.ModuleList):
        head._bbox_forward(levels, regions[0], **context)
        return
    for stage in range(len(head.bbox_head)):
        head._bbox_forward(stage, levels, regions[min(stage, len(regions) - 1)], **context)


def check_regions(detector: Any, key: str) -> None:
    """Refuse a model without box heads on regions.

    Args:
        detector: The model.
        key: The config key that holds it, for messages.

    Raises:
        ConfigError: If it has none, or they want more than a region's pixels and the known context of the image.
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
            f'{key}: a {type(head).__name__} cannot be used: beside regions it wants {", ".join(unknown)}, which the '
            "other detector's regions do not come with."
        )


def _arguments(head: Any) -> list[str]:
    return (
        list(signature(head._bbox_forward).parameters) if hasattr(head, '_bbox_forward') else ['a forward of its own']
    )


def _stages(parts: Any) -> list:
    """The parts of each stage, which heads of one stage hold without a list."""
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
    """Let a method of one object run in a context of its own."""
    method = getattr(owner, name)

    def run(*args: Any, **kwargs: Any) -> Any:
        with context():
            return method(*args, **kwargs)

    owner.__dict__[name] = run
    try:
        yield
    finally:
        del owner.__dict__[name]
