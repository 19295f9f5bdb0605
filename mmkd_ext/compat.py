"""Workarounds for broken dependencies: mmengine's checkpoints on torch >= 2.6, MMRazor on torch >= 2.0.

`install()` runs when `mmkd_ext` is imported. It changes no behaviour beyond six repairs:

* mmengine 0.10.7 stores `HistoryBuffer` objects in its training checkpoints, which torch's safe loader (the default
  since 2.6) refuses, so that neither `--resume` nor the toolboxes' `test.py` can read them. Here the message hub saves
  plain tensors instead (which every loader reads), and both forms can be loaded.
* Checkpoint files from any source are read by `checkpoints.load_checkpoint_file`: the safe loader with
  mmengine's own classes allowed. Anything else that a file wants to execute is refused by name.
* MMRazor 1.0.0 imports quantization code that current torch no longer has; distillation needs none of it. A
  placeholder stands in for that one module.
* SciPy 1.14 removed the function with which Swin and BEiT resize position tables to another image size; SciPy's own
  successor replaces it where a checkpoint is read.
* A `_base_` that has the name of a config of mmcls or mmdet 2 is found under its current name.
* mmengine only knows OpenMMLab's own packages in `package::file`; here the configs of this package are found, too. They
  build in the scope of the toolbox that each names as its `default_scope`.
"""

import importlib
import pickle
import sys
from collections import OrderedDict
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmkd_ext.checkpoints import load_checkpoint_file
from mmkd_ext.errors import ConfigError
from mmkd_ext.old_names import path_today


def _safe_classes() -> list:
    """The classes that mmengine pickles into a training checkpoint, and those that rebuild numpy values."""
    multiarray = importlib.import_module('numpy._core.multiarray' if np.__version__ >= '2' else 'numpy.core.multiarray')
    dtypes = [type(np.dtype(kind)) for kind in ('float64', 'float32', 'int64', 'int32', 'bool', 'uint8')]
    functions = [multiarray._reconstruct, multiarray.scalar]
    # Files written under numpy 1 name the same two functions under their old path.
    old = [(function, f'numpy.core.multiarray.{function.__name__}') for function in functions]
    named = [*old, (_history_method, 'builtins.getattr')] if hasattr(torch.serialization, 'safe_globals') else []
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *functions, *named]


def _history_method(owner: type, name: str) -> Any:
    """Replaces `getattr` in a file: pickle writes a method as `getattr(HistoryBuffer, 'mean')`."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'GLOBAL getattr({owner!r}, {name!r})')
    return getattr(owner, name)


def plain(value: Any) -> Any:
    """A copy of nested containers with numpy values as tensors or Python numbers.

    Examples:
        >>> plain({'best': np.float64(0.5), 'palette': [np.array([1, 2])]})
        {'best': 0.5, 'palette': [tensor([1, 2])]}
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(plain(item) for item in value)
    return value


def _plain_message_hub() -> None:
    """Make the message hub save plain tensors and read them back; files with `HistoryBuffer` are still read."""
    save, load = MessageHub.state_dict, MessageHub.load_state_dict
    if getattr(save, 'plain', False):
        return

    @wraps(save)
    def state_dict(self: MessageHub) -> dict:
        state = save(self)
        state['log_scalars'] = OrderedDict(
            (
                key,
                dict(zip(('log', 'count'), map(plain, buffer.data), strict=True), max_length=buffer.max_length),
            )
            for key, buffer in state['log_scalars'].items()
        )
        state['runtime_info'] = plain(state['runtime_info'])
        state['resumed_keys'] = dict(state['resumed_keys'])
        return state

    @wraps(load)
    def load_state_dict(self: MessageHub, state: Any) -> None:
        if isinstance(state, dict) and 'log_scalars' in state:
            state = dict(state)
            state['log_scalars'] = OrderedDict(
                (
                    key,
                    HistoryBuffer(v['log'].cpu().numpy(), v['count'].cpu().numpy(), v['max_length'])
                    if isinstance(v, dict)
                    else v,
                )
                for key, v in state.get('log_scalars', {}).items()
            )
        load(self, state)

    state_dict.plain = True  # type: ignore[attr-defined]
    MessageHub.state_dict, MessageHub.load_state_dict = state_dict, load_state_dict


def install() -> None:
    """Apply the repairs; a second call does nothing."""
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(_safe_classes())
    _plain_message_hub()
    CheckpointLoader.register_scheme(prefixes='', loader=load_checkpoint_file, force=True)
    CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), loader=load_checkpoint_file, force=True)
    # The other schemes look up a URL and pass it on; mmengine's own function lets the file run code.
    mmengine_checkpoint.load_from_http = load_checkpoint_file
    _stand_in_for_quantization()
    _find_renamed_bases()
    # The name of a module, not of the package: with an editable install, mmengine would look in the wrong place.
    MODULE2PACKAGE['mmkd_ext'] = 'mmkd_ext.version'


def _find_renamed_bases() -> None:
    """Let a `_base_` of another package also be found by its old name, and give one of this package no scope."""
    find = Config._get_cfg_path
    if getattr(find, 'renamed', False):
        return

    @wraps(find)
    def get_cfg_path(cfg_path: str, filename: str) -> tuple:
        path, scope = find(path_today(cfg_path), filename)
        return path, None if scope == 'mmkd_ext' else scope

    get_cfg_path.renamed = True  # type: ignore[attr-defined]
    Config._get_cfg_path = staticmethod(get_cfg_path)


def _stand_in_for_quantization() -> None:
    """Put a placeholder where MMRazor looks for its quantization settings; any attribute of it is a stub class."""
    name = 'mmrazor.structures.quantization'
    if name in sys.modules:
        return
    module = ModuleType(name, 'Placeholder: MMRazor 1.0.0 has no quantization on this torch; distillation needs none.')
    module.__all__ = ['BackendConfigs', 'QConfigHandler']  # type: ignore[attr-defined]
    module.BackendConfigs = {}  # type: ignore[attr-defined]
    module.QConfigHandler = type('QConfigHandler', (), {})  # type: ignore[attr-defined]
    sys.modules[name] = module


def import_mmrazor() -> ModuleType:
    """Import MMRazor with all the parts that a distillation config can name.

    Raises:
        ConfigError: If it is not installed or fails to import; the message gives the reason.
    """
    _stand_in_for_quantization()
    try:
        for part in ('models', 'engine', 'structures', 'datasets', 'implementations'):
            importlib.import_module(f'mmrazor.{part}')
    except Exception as error:  # version asserts, missing modules, removed torch names: all mean the same here
        raise ConfigError(
            f'a config uses MMRazor, which fails to import here ({type(error).__name__}: {error}); install '
            'mmrazor==1.0.0 with mmcv 2.1.0 and torch < 2.15.'
        ) from error
    return importlib.import_module('mmrazor')
