"""Recorder of a parameter."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.recorders.base import Recorder
from mmkd_ext.registry import TASK_UTILS


@TASK_UTILS.register_module(name=['Parameter', 'ParameterRecorder'])
class ParameterRecorder(Recorder):
    """Records a parameter itself: a loss on it trains it.

    Args:
        source: Dotted name as in `named_parameters()`, for example `backbone.conv1.weight`.
    """

    def check(self, model: nn.Module) -> None:
        """Raise ConfigError, with the nearest names, if there is no such parameter."""
        names = [name for name, _ in model.named_parameters()]
        if self.source not in names:
            raise ConfigError(
                f'source={self.source!r} is not a parameter of {type(model).__name__}; {nearest(self.source, names)}.'
            )

    def initialize(self, model: nn.Module | None = None) -> None:
        """Same as `Recorder`; the parameter is recorded at once."""
        super().initialize(model)
        if model is not None:
            self.records = [model.get_parameter(self.source)]

    @contextmanager
    def _tap(self, model: nn.Module) -> Iterator[None]:
        self.record(model.get_parameter(self.source))
        yield

    def record(self, value: Any) -> None:
        """Keep the parameter itself, not a copy: the optimiser changes it between steps, not within one."""
        self.records.append(value)
