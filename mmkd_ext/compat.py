"""The one door to what the outside broke: mmengine's checkpoints on torch >= 2.6, MMRazor on torch >= 2.0.

`install()` runs when `mmkd_ext` is imported. It changes no behaviour beyond six repairs:

* mmengine 0.10.7 stores `HistoryBuffer` objects in its training checkpoints, which torch's safe loader (the default
  since 2.6) refuses, so that neither `--resume` nor the toolboxes' `test.py` can read them. Here the message hub saves
  plain tensors instead (every loader reads them) and takes both forms back.
* Checkpoint files, from wherever they come, are read by the safe loader with mmengine's own classes allowed. Anything
  else that a file wants to execute is refused by name. A download is kept only if it is complete.
* MMRazor 1.0.0 imports quantization code that current torch no longer has; distillation needs none of it. A
  placeholder stands in for that one module.
* SciPy 1.14 removed the function with which Swin and BEiT resize the position tables of another image size; its own
  replacement stands in for it where a checkpoint is read.
* A config whose `_base_` has the name that mmcls or mmdet 2 gave it is found under today's name.
* mmengine's list of the packages whose configs may be named `package::file` has OpenMMLab's own alone; here this one's
  are found, too. They build in the scope of the toolbox that each names as its `default_scope`.
"""

import importlib
import os
import pickle
import re
import shutil
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse
from urllib.request import Request, urlopen
from zipfile import is_zipfile

import numpy as np
import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.utils import digit_version

from mmkd_ext.distributed import local_rank
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.files import replacing
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
    """The file of a URL in torch's hub cache, fetched by one process a machine; what fails in one is raised in all."""
    folder = Path(os.environ.get('MMENGINE_HOME', torch.hub.get_dir())) / 'checkpoints'
    name = Path(urlparse(url).path).name
    path = folder / name
    if _hash_in(name) is None:
        # Without the hash that the toolboxes' files carry a name says little: many files are called latest.pth.
        path = path.with_name(f'{path.stem}-{sha256(url.encode()).hexdigest()[:8]}{path.suffix}')
    failure = None
    # mmengine's get_local_rank expects a group that none of its launchers makes.
    first = not dist.is_distributed() or local_rank() == 0
    if first and (not path.is_file() or _damage(path, name)):
        found = f' (in the cache, {path} {_damage(path, name)})' if path.is_file() else ''
        try:
            _fetch(url, path)
        except (OSError, HTTPException, ValueError) as error:
            failure = f'{url} cannot be fetched: {error}{found}; download it by hand and give its path.'
    failures = [text for text in dist.all_gather_object(failure) if text]
    if failures:
        raise ConfigError(failures[0])
    return path


def _fetch(url: str, path: Path) -> None:
    """Put what a URL gives at `path`, once it is there whole.

    Raises:
        OSError: If it cannot be loaded, breaks off, or is not what the hash in its name says.
    """
    from tqdm import tqdm  # the losses, in a loop without a toolbox, need neither a download nor this package

    path.parent.mkdir(parents=True, exist_ok=True)
    request = Request(url, headers={'User-Agent': 'mmkd_ext'})
    with replacing(path) as partial:
        with urlopen(request, timeout=60) as response, partial.open('wb') as file:
            size = int(response.headers.get('Content-Length') or 0)
            with tqdm.wrapattr(file, 'write', total=size or None, desc=path.name, disable=None) as out:
                shutil.copyfileobj(response, out)
        received = partial.stat().st_size
        if size and received != size:
            raise OSError(f'it broke off after {received} of {size} bytes')
        damage = _damage(partial, Path(urlparse(url).path).name)
        if damage:
            raise OSError(f'what came {damage}')


def _hash_in(name: str) -> str | None:
    """The first digits of a file's SHA-256 as the toolboxes and torch put them in its name; dates are none.

    Examples:
        >>> _hash_in('retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth')
        'c2398f9e'
        >>> _hash_in('segformer-20210726.pth')
    """
    found = re.search(r'-([0-9a-f]{8,64})\.[^.]+$', name)
    return None if found is None or re.fullmatch(r'20\d{6}', found[1]) else found[1]


def _damage(path: Path, name: str) -> str | None:
    """What is wrong with a fetched file, as far as it can be told without reading weights.

    Args:
        path: The file.
        name: Its name in the URL.
    """
    expected = _hash_in(name)
    digest = sha256()
    with path.open('rb') as file:
        zipped = file.read(2) == b'PK'
        file.seek(0)
        while expected and (chunk := file.read(1 << 20)):
            digest.update(chunk)
    if expected and not digest.hexdigest().startswith(expected):
        return f'has the SHA-256 {digest.hexdigest()[: len(expected)]}..., not that of its name'
    return 'is truncated' if zipped and not is_zipfile(path) else None


def _by_scheme(address: str, map_location: Any) -> Any:
    """The content of an address of mmengine's other schemes: `torchvision://`, `open-mmlab://`, `s3://`, ..."""
    scheme = address.split('://')[0]
    loader = CheckpointLoader._get_checkpoint_loader(address)
    if loader is load_checkpoint_file:
        known = [re.sub(r'\(.*\)\?|://', '', prefix) for prefix in CheckpointLoader._schemes if prefix]
        raise ConfigError(f'the checkpoint {address}: {scheme}:// is not a known scheme; {nearest(scheme, known)}.')
    try:
        return loader(address, map_location=map_location)
    except ConfigError as error:
        raise ConfigError(f'the checkpoint {address}: {error}') from None
    except KeyError:
        raise ConfigError(f'the checkpoint {address}: {scheme}:// has no model of this name.') from None
    except pickle.UnpicklingError as error:
        raise _pickled(address, error) from None
    except (ImportError, OSError, EOFError, RuntimeError) as error:
        raise ConfigError(f'the checkpoint {address} cannot be loaded ({error}).') from error


def load_checkpoint_file(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint with torch's safe loader, mmengine's own classes allowed.

    Args:
        filename: Local path, http(s) URL, or an address of another scheme that mmengine knows (`torchvision://`,
            `open-mmlab://`, `s3://`, ...).
        map_location: See `torch.load`.

    Raises:
        ConfigError: If there is no such file, it is not a complete PyTorch file, or it asks to run code.
    """
    _stand_in_for_interp2d()
    filename = str(filename)
    remote = re.match('https?://', filename)
    if '://' in filename and not remote:
        return _by_scheme(filename, map_location)
    path = _download(filename) if remote else Path(filename).expanduser()
    if not path.is_file():
        raise ConfigError(f'the checkpoint {filename} does not exist.')
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _pickled(filename, error, path if remote else None) from None
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f'the checkpoint {filename} is truncated or not a PyTorch file ({reason})'
            f'{_remedy(path if remote else None)}.'
        ) from None


def _stand_in_for_interp2d() -> None:
    """Give SciPy >= 1.14 back the function with which mmpretrain and mmseg resize weights that they load."""
    if find_spec('scipy') is None:
        return
    module = importlib.import_module('scipy.interpolate')
    if digit_version(importlib.import_module('scipy').__version__) < digit_version('1.14'):
        return

    def interp2d(x: Any, y: Any, z: Any, kind: str = 'linear') -> Callable[[Any, Any], Any]:
        degree = dict(linear=1, cubic=3, quintic=5)[kind]
        spline = module.RectBivariateSpline(x, y, np.transpose(z), kx=degree, ky=degree)
        return lambda to_x, to_y: spline(to_x, to_y).T

    module.interp2d = interp2d  # type: ignore[attr-defined]


def _pickled(name: str, error: pickle.UnpicklingError, cached: Path | None = None) -> ConfigError:
    """The error for a file that torch's safe loader refuses."""
    found = re.search(r'(?:GLOBAL |Unsupported (?:global|class) )(\S+)', str(error))
    if not found:
        return ConfigError(f'the checkpoint {name} is damaged or not a PyTorch file{_remedy(cached)}.')
    return ConfigError(
        f'the checkpoint {name} holds pickled code ({found.group(1)}), which is refused because loading it would run '
        'it; if you trust the file, save only its state_dict.'
    )


def _remedy(cached: Path | None) -> str:
    return f'; delete {cached}, where it was kept, to have it fetched again' if cached else ''


def install() -> None:
    """Apply the repairs; a second call does nothing more."""
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(_safe_classes())
    _plain_message_hub()
    CheckpointLoader.register_scheme(prefixes='', loader=load_checkpoint_file, force=True)
    CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), loader=load_checkpoint_file, force=True)
    # The other schemes look up a URL and hand it on; mmengine's own function lets the file run code.
    mmengine_checkpoint.load_from_http = load_checkpoint_file
    _stand_in_for_quantization()
    _find_renamed_bases()
    # By a module's name, not the package's: where that is installed editable, mmengine would look in the wrong place.
    MODULE2PACKAGE['mmkd_ext'] = 'mmkd_ext.version'


def _find_renamed_bases() -> None:
    """Let a `_base_` of another package be found by its old name, too, and give one of this package no scope."""
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
