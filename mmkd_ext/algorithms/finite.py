"""Ends a run whose losses are not finite, without making its steps wait for the device."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import listed


class _Step(NamedTuple):
    """The data kept from a step until its losses have arrived from the device."""

    names: list[str]
    values: Tensor
    copied: torch.cuda.Event | None
    images: list[str]


class FiniteCheck:
    """Checks a step's losses in the next step: by then the device has computed them.

    Losses on a CPU are checked immediately. Code that saves or evaluates the model calls `finish` first, so that no
    checkpoint is written after training on a loss that was not finite.
    """

    def __init__(self) -> None:
        self._pending: _Step | None = None

    def __deepcopy__(self, memo: dict) -> 'FiniteCheck':
        """A copy of the model (EMA) starts without a step."""
        return FiniteCheck()

    @torch.compiler.disable
    def add(self, losses: Mapping[str, Tensor], data_samples: Iterable[Any] | None) -> None:
        """Note a step's losses.

        Args:
            losses: Name to 0-dim tensor.
            data_samples: The batch's samples, whose `img_path` the message names; or None.

        Raises:
            FloatingPointError: See `finish`; for the previous step, or on a CPU for this one.
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
        """Check the losses that have not been checked yet.

        Raises:
            FloatingPointError: If one is not finite; names the loss and the images of its step.
        """
        step, self._pending = self._pending, None
        if step is None:
            return
        if step.copied is not None:
            step.copied.synchronize()
        values = zip(step.names, step.values.tolist(), strict=True)
        bad = ', '.join(f'{name}={value}' for name, value in values if not math.isfinite(value))
        if bad:
            of = listed(step.images) if step.images else 'this batch'
            raise FloatingPointError(
                f'{DISTILLER_KEY}.distill_losses: {bad} is not finite, for {of}; if the loss grew before, its weight '
                'or the learning rate is too high.'
            )
