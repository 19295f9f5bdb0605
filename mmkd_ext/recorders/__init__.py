"""Taps on a model's intermediate results, one kind per file; each registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.recorders.base import Recorder
from mmkd_ext.recorders.function import (
    FunctionInputsRecorder,
    FunctionOutputsRecorder,
    MethodInputsRecorder,
    MethodOutputsRecorder,
)
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.recorders.module import ModuleInputsRecorder, ModuleOutputsRecorder
from mmkd_ext.recorders.parameter import ParameterRecorder
from mmkd_ext.recorders.patch_tokens import PatchTokensRecorder

__all__ = [
    'FunctionInputsRecorder',
    'FunctionOutputsRecorder',
    'MethodInputsRecorder',
    'MethodOutputsRecorder',
    'ModuleInputsRecorder',
    'ModuleOutputsRecorder',
    'ParameterRecorder',
    'PatchTokensRecorder',
    'Recorder',
    'RecorderManager',
]

for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
