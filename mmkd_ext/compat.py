"""The one door to what the outside broke: mmengine's checkpoints on torch >= 2.6, MMRazor on torch >= 2.0.

`install()` runs when `mmkd_ext` is imported. It changes no behaviour beyond four repairs:

* mmengine 0.10.7 stores `HistoryBuffer` objects in its training checkpoints, which torch's safe loader (the default
  since 2.6) refuses, so that neither `--resume` nor the toolboxes' `test.py` can read them. Here the message hub saves
  plain tensors instead (every loader reads them) and takes both forms back.
* Checkpoint files are read by the safe loader with mmengine's own classes allowed. Anything else that a file wants to
  execute is refused by name.
* MMRazor 1.0.0 imports quantization code that current torch no longer has; distillation needs none of it. A
  placeholder stands in for that one module.
* A config whose `_base_` has the name that mmcls or mmdet 2 gave it is found under today's name.
"""

import importlib
import os
import pickle
import re
import sys
from collections import OrderedDict
from functools import wraps
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner.checkpoint import CheckpointLoader

from mmkd_ext.errors import ConfigError
from mmkd_ext.old_names import path_today


def _safe_classes() -> list:
    """Classes that mmengine pickles into a training checkpoint, and what numpy needs to rebuild its values."""
    multiarray = importlib.import_module('numpy._core.multiarray' if np.__version__ >= '2' else 'numpy.core.multiarray')
    dtypes = [type(np.dtype(kind)) for kind in ('float64', 'float32', 'int64', 'int32', 'bool', 'uint8')]
    functions = [multiarray._reconstruct, multiarray.scalar]
    # Files written under numpy 1 name the same two functions under their old path.
    old = [(function, f'numpy.core.multiarray.{function.__name__}') for function in functions]
    named = [*old, (_history_method, 'builtins.getattr')] if hasattr(torch.serialization, 'safe_globals') else []
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *functions, *named]


def _history_method(owner: type, name: str) -> Any:
    """What stands for `getattr` in a file: pickle names a method as `getattr(HistoryBuffer, 'mean')`."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'GLOBAL getattr({owner!r}, {name!r})')
    return getattr(owner, name)


def plain(value: Any) -> Any:
    """A copy of nested containers in which numpy values are tensors or Python numbers.

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


def _download(url: str) -> Path:
    """The file of a URL in torch's hub cache, fetched once and by one process a machine."""
    folder = Path(os.environ.get('MMENGINE_HOME', torch.hub.get_dir())) / 'checkpoints'
    path = folder / Path(urlparse(url).path).name
    if not re.search(r'-[0-9a-f]{8,}\.', path.name):
        # Without the hash that the toolboxes' files carry a name says little: many files are called latest.pth.
        path = path.with_name(f'{path.stem}-{sha256(url.encode()).hexdigest()[:8]}{path.suffix}')
    failure = None
    if dist.get_local_rank() == 0 and not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path))
        except OSError as error:
            failure = error
    dist.barrier()
    if failure is not None:
        raise ConfigError(f'{url} cannot be fetched ({failure}); download it by hand and give its path.')
    return path


def load_checkpoint_file(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint with torch's safe loader, mmengine's own classes allowed.

    Args:
        filename: Local path or http(s) URL.
        map_location: As of `torch.load`.

    Raises:
        ConfigError: Where there is no such file, it is no whole PyTorch file, or it asks to run code; named.
    """
    path = _download(filename) if re.match('https?://', str(filename)) else Path(filename).expanduser()
    if not path.is_file():
        raise ConfigError(f'the checkpoint {filename} does not exist.')
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r'(?:GLOBAL |Unsupported (?:global|class) )(\S+)', str(error))
        if not found:
            raise ConfigError(f'the checkpoint {filename} is damaged or no PyTorch file.') from None
        raise ConfigError(
            f'the checkpoint {filename} holds pickled code ({found.group(1)}), which is refused because loading '
            'it would run it; save only its state_dict where you trust the file.'
        ) from None
    except Exception as error:  # a damaged file can fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f'the checkpoint {filename} is truncated or no PyTorch file ({reason}).') from None


def install() -> None:
    """Apply the repairs; a second call does nothing more."""
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(_safe_classes())
    _plain_message_hub()
    CheckpointLoader.register_scheme(prefixes='', loader=load_checkpoint_file, force=True)
    CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), loader=load_checkpoint_file, force=True)
    _stand_in_for_quantization()
    _find_renamed_bases()


def _find_renamed_bases() -> None:
    """Let a `_base_` of another package be found by its old name, too."""
    find = Config._get_cfg_path
    if getattr(find, 'renamed', False):
        return

    @wraps(find)
    def get_cfg_path(cfg_path: str, filename: str) -> tuple:
        return find(path_today(cfg_path), filename)

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
    """MMRazor, imported with all the parts that a distillation config can name.

    Raises:
        ConfigError: Where it is not installed or does not import; the reason is given.
    """
    _stand_in_for_quantization()
    try:
        for part in ('models', 'engine', 'structures', 'datasets', 'implementations'):
            importlib.import_module(f'mmrazor.{part}')
    except Exception as error:  # asserts on versions, missing modules, removed torch names: all mean the same here
        raise ConfigError(
            f'a config asks for MMRazor, which does not import here ({type(error).__name__}: {error}); '
            'install mmrazor==1.0.0 with mmcv 2.1.0 and torch < 2.15.'
        ) from error
    return importlib.import_module('mmrazor')
