"""Recorders of the inputs and outputs of a submodule."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from torch import nn

from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.recorders.base import Recorder, inputs
from mmkd_ext.registry import TASK_UTILS


@TASK_UTILS.register_module(name=['ModuleOutputs', 'ModuleOutputsRecorder'])
class ModuleOutputsRecorder(Recorder):
    """Records what a submodule returns.

    Args:
        source: Dotted name as in `named_modules()`, for example `neck.fpn_convs.0.conv`; '' for the model itself.
    """

    may_be_empty = True

    def check(self, model: nn.Module) -> None:
        """Raise ConfigError, with the nearest names, if there is no such submodule."""
        names = [name for name, _ in model.named_modules() if name]
        if self.source and self.source not in names:
            raise ConfigError(
                f'source={self.source!r} is not a module of {type(model).__name__}; {nearest(self.source, names)}.'
            )

    @contextmanager
    def _tap(self, model: nn.Module) -> Iterator[None]:
        handle = model.get_submodule(self.source).register_forward_hook(self._hook, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def _hook(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        self.record(output)


@TASK_UTILS.register_module(name=['ModuleInputs', 'ModuleInputsRecorder'])
class ModuleInputsRecorder(ModuleOutputsRecorder):
    """Records the inputs of a submodule: the tuple of its arguments, keyword arguments in the signature's order.

    Args:
        source: Dotted name as in `named_modules()`.
    """

    @contextmanager
    def _tap(self, model: nn.Module) -> Iterator[None]:
        # Before the forward, so that a first operation in place does not change the record.
        module = model.get_submodule(self.source)
        self._parameters = list(signature(module.forward).parameters)
        handle = module.register_forward_pre_hook(self._pre_hook, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def _pre_hook(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        self.record(inputs(args, kwargs, self._parameters))
