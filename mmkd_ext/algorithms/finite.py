"""Ends a run whose losses are not finite, without a wait for the device in its steps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmkd_ext.distillers.mapping import DISTILLER_KEY


class _Step(NamedTuple):
    """What is kept of a step until its losses have come from the device."""

    names: list[str]
    values: Tensor
    copied: torch.cuda.Event | None
    images: list[str]


class FiniteCheck:
    """Looks at a step's losses when those of the next step are there: by then the device has computed them.

    Losses on a CPU are looked at immediately. Whoever saves or evaluates the model calls `finish` first, so that no
    checkpoint is written of a model that trained on a loss that was not finite.
    """

    def __init__(self) -> None:
        self._pending: _Step | None = None

    def __deepcopy__(self, memo: dict) -> 'FiniteCheck':
        """A copy of the model (EMA) has had no step."""
        return FiniteCheck()

    @torch.compiler.disable
    def add(self, losses: Mapping[str, Tensor], data_samples: Iterable[Any] | None) -> None:
        """Note a step's losses.

        Args:
            losses: Name to 0-dim tensor.
            data_samples: The batch's samples, whose `img_path` the message names; or None.

        Raises:
            FloatingPointError: See `finish`; for the step before, or on a CPU for this one.
        """
        self.finish()
        if not losses:
            return
        values, event = torch.stack([value.detach() for value in losses.values()]), None
        at_once = self._reads_at_once(values)
        if values.is_cuda:
            values, event = values.to('cpu', non_blocking=True), torch.cuda.Event()
            event.record()
        paths = [getattr(sample, 'img_path', None) for sample in data_samples or []]
        self._pending = _Step(list(losses), values, event, [str(path) for path in paths if path])
        if at_once:
            self.finish()

    @staticmethod
    def _reads_at_once(values: Tensor) -> bool:
        return values.device.type == 'cpu'

    def finish(self) -> None:
        """Look at the losses that were not looked at yet.

        Raises:
            FloatingPointError: If one is not finite; it names the loss and the images of its step.
        """
        step, self._pending = self._pending, None
        if step is None:
            return
        if step.copied is not None:
            step.copied.synchronize()
        values = zip(step.names, step.values.tolist(), strict=True)
        bad = ', '.join(f'{name}={value}' for name, value in values if not math.isfinite(value))
        if bad:
            of = ', '.join(step.images) or 'this batch'
            raise FloatingPointError(f'{DISTILLER_KEY}.distill_losses: {bad} is not finite, for {of}.')
