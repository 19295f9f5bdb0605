"""Recorders of the inputs and outputs of a method or a function, wherever it is called from."""

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from types import FunctionType
from typing import Any

from torch import nn

from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.recorders.base import Recorder, inputs
from mmkd_ext.registry import TASK_UTILS


@TASK_UTILS.register_module(name=['FunctionOutputs', 'FunctionOutputsRecorder'])
class FunctionOutputsRecorder(Recorder):
    """Records what a function returns.

    Args:
        source: Import path of the function in the module that *uses* it, for example
            `mmdet.models.dense_heads.anchor_head.images_to_levels`.
    """

    def _owner(self) -> tuple[Any, str]:
        """The module or class that holds the function, and the function's name in it."""
        path, _, name = self.source.rpartition('.')
        try:
            owner: Any = importlib.import_module(path)
        except ImportError:
            raise ConfigError(f'source={self.source!r}: there is no module {path!r} to import.') from None
        except ValueError:
            raise ConfigError(f'source={self.source!r} is not the import path of a function.') from None
        return owner, name

    def check(self, model: nn.Module) -> None:
        """Raise ConfigError, with the nearest names, if there is no such function."""
        owner, name = self._owner()
        if not isinstance(inspect.getattr_static(owner, name, None), FunctionType):
            functions = [key for key in dir(owner) if isinstance(getattr(owner, key, None), FunctionType)]
            raise ConfigError(
                f'source={self.source!r}: {owner.__name__} has no function {name!r}; {nearest(name, functions)}.'
            )

    @contextmanager
    def _tap(self, model: nn.Module) -> Iterator[None]:
        owner, name = self._owner()
        original, own = getattr(owner, name), name in vars(owner)
        self._parameters = list(inspect.signature(original).parameters)

        @wraps(original)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            return self._call(original, args, kwargs)

        setattr(owner, name, recorded)
        try:
            yield
        finally:
            if own:
                setattr(owner, name, original)
            else:  # inherited: the attribute that was set hides the parent's
                delattr(owner, name)

    def _call(self, original: Any, args: tuple, kwargs: dict) -> Any:
        output = original(*args, **kwargs)
        self.record(output)
        return output


@TASK_UTILS.register_module(name=['FunctionInputs', 'FunctionInputsRecorder'])
class FunctionInputsRecorder(FunctionOutputsRecorder):
    """Records the inputs of a function: the tuple of its arguments, keyword arguments in the signature's order.

    Args:
        source: See `FunctionOutputsRecorder`.
    """

    skipped = 0  # arguments at the front to leave out

    def _call(self, original: Any, args: tuple, kwargs: dict) -> Any:
        self.record(inputs(args[self.skipped :], kwargs, self._parameters))
        return original(*args, **kwargs)


class _OfClass:
    """Finds a method by `package.module.Class.method`."""

    source: str

    def _owner(self) -> tuple[Any, str]:
        path, _, name = self.source.rpartition('.')
        module_path, _, class_name = path.rpartition('.')
        try:
            module = importlib.import_module(module_path)
        except (ImportError, ValueError):
            raise ConfigError(
                f'source={self.source!r}: a method is named package.module.Class.method, but there is no module '
                f'{module_path!r} to import.'
            ) from None
        owner = getattr(module, class_name, None)
        if not isinstance(owner, type):
            classes = [key for key in dir(module) if isinstance(getattr(module, key, None), type)]
            raise ConfigError(
                f'source={self.source!r}: {module_path} has no class {class_name!r}; {nearest(class_name, classes)}.'
            )
        return owner, name


@TASK_UTILS.register_module(name=['MethodOutputs', 'MethodOutputsRecorder'])
class MethodOutputsRecorder(_OfClass, FunctionOutputsRecorder):
    """Records what a method returns, for all objects of its class.

    Args:
        source: `package.module.Class.method`.
    """


@TASK_UTILS.register_module(name=['MethodInputs', 'MethodInputsRecorder'])
class MethodInputsRecorder(_OfClass, FunctionInputsRecorder):
    """Records the inputs of a method without the object itself, see `FunctionInputsRecorder`.

    Args:
        source: `package.module.Class.method`.
    """

    skipped = 1
