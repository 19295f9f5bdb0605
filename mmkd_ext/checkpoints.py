"""Checkpoint files: read without executing their content, and their weights under the names of a model."""

import importlib
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.utils import digit_version
from torch import Tensor, nn

from mmkd_ext.downloads import download
from mmkd_ext.errors import ConfigError, listed, nearest
from mmkd_ext.files import replacing


def load_checkpoint_file(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint with torch's safe loader, with mmengine's own classes allowed.

    Args:
        filename: Local path, http(s) URL, or an address of another scheme that mmengine knows (`torchvision://`,
            `open-mmlab://`, `s3://`, ...).
        map_location: See `torch.load`.

    Raises:
        ConfigError: If there is no such file, it is not a complete PyTorch file, or loading it would run code.
    """
    _stand_in_for_interp2d()
    filename = str(filename)
    remote = re.match('https?://', filename)
    if '://' in filename and not remote:
        return _by_scheme(filename, map_location)
    path = download(filename) if remote else Path(filename).expanduser()
    if not path.is_file():
        raise ConfigError(f'the checkpoint {filename} does not exist.')
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _pickled(filename, error, path if remote else None) from None
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f'the checkpoint {filename} is truncated or not a PyTorch file ({reason})'
            f'{_remedy(path if remote else None)}.'
        ) from None


def _by_scheme(address: str, map_location: Any) -> Any:
    """The content of an address with another of mmengine's schemes: `torchvision://`, `open-mmlab://`, `s3://`, ..."""
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


def _pickled(name: str, error: pickle.UnpicklingError, cached: Path | None = None) -> ConfigError:
    """The error for a file that torch's safe loader rejects."""
    found = re.search(r'(?:GLOBAL |Unsupported (?:global|class) )(\S+)', str(error))
    if not found:
        return ConfigError(f'the checkpoint {name} is damaged or not a PyTorch file{_remedy(cached)}.')
    return ConfigError(
        f'the checkpoint {name} holds pickled code ({found.group(1)}), which is refused because loading it would run '
        'it; if you trust the file, save only its state_dict.'
    )


def _remedy(cached: Path | None) -> str:
    return f'; delete the cached {cached} to download it again' if cached else ''


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


def state_dict_of(content: Any, file: str) -> Mapping[str, Tensor]:
    """The tensors in a checkpoint, by the names that they have there.

    Args:
        content: What the file holds: a dict of tensors, or one under `state_dict`.
        file: Its name, with which a message begins.

    Raises:
        ConfigError: If it holds no weights.
    """
    found = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        has = f'; it has {listed([repr(key) for key in content])}' if isinstance(content, Mapping) else ''
        raise ConfigError(f'{file} holds no weights (a dict of tensors, or one under `state_dict`){has}.')
    return found


def weights_of(
    content: Any, file: str, prefix: str = '', without: tuple[str, ...] = ('distiller.', 'teacher.')
) -> OrderedDict[str, Tensor]:
    """The weights in a checkpoint, without `module.` and `architecture.` in front of their names.

    Distributed runs write the first prefix, MMRazor's students have the second. Module versions are kept.

    Args:
        content: What the file holds: a dict of tensors, or one under `state_dict`.
        file: The file's name, with which error messages begin.
        prefix: Keep only the weights whose names begin with it, and remove it.
        without: If `prefix` is empty, leave out the weights whose names begin with one of these.

    Raises:
        ConfigError: If it holds no weights, or none whose names begin with `prefix`.
    """
    found = state_dict_of(content, file)
    if prefix and not prefix.endswith('.'):
        prefix += '.'

    def renamed(items: Mapping[str, Any], dot: str = '') -> OrderedDict[str, Any]:
        names = {(name + dot).removeprefix('module.').removeprefix('architecture.'): v for name, v in items.items()}
        kept = [name for name in names if name.startswith(prefix) and (prefix or not name.startswith(without))]
        return OrderedDict((name.removeprefix(prefix)[: -len(dot) or None], names[name]) for name in kept)

    weights = renamed(found)
    if prefix and not weights:
        raise ConfigError(f'{file} holds no weights whose names begin with {prefix!r}.')
    weights._metadata = renamed(getattr(found, '_metadata', {}), dot='.')  # type: ignore[attr-defined]
    return weights


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], complaint: str) -> tuple[list[str], list[str]]:
    """Load weights into a model.

    Args:
        model: Its own changes to loaded weights (renaming, resizing) are made before the weights are checked.
        weights: See `weights_of`.
        complaint: The beginning of error messages.

    Returns:
        The names of the missing weights, and of those that the model does not have. Weights that the model drops from
        the file to recompute them, and counters that files of old torch versions lack, do not count as missing.

    Raises:
        ConfigError: If a weight has another shape than the model's.
    """
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        if not str(error).startswith('Error(s) in loading'):
            raise  # raised by the model's own code
        raise ConfigError(f'{complaint}: {_misfit(str(error))}.') from error
    missing = [name for name in missing if name not in weights and not name.endswith('num_batches_tracked')]
    return missing, unexpected


def _misfit(error: str) -> str:
    """The part of a sentence that summarises torch's message about weights of other shapes."""
    shape = r'(?:torch\.Size\(\[([\d, ]*)\]\))'
    found = re.findall(rf'size mismatch for (\S+): .*?{shape}.*?{shape}', error)
    if not found:
        return ' '.join(error.split())
    shapes = [
        (name, *(tuple(int(size) for size in text.split(',') if size.strip()) for text in sizes))
        for name, *sizes in found
    ]
    name, given, expected = shapes[0]
    heads = all(a[1:] == b[1:] and a[:1] != b[:1] for _, a, b in shapes)  # other widths also change inner layers
    hint = ' (another number of classes?)' if heads else ''
    more = f'; {len(found)} weights have another shape' if len(found) > 1 else ''
    return f'{name} is {given} in the file and {expected} in the model{hint}{more}'


def check_weights(model: Any, checkpoint: str) -> bool:
    """Load a checkpoint into a model that will be evaluated, as a check.

    The file may have weights of parts that the model does not have at all (an auxiliary head).

    Args:
        model: A student.
        checkpoint: Path or URL.

    Returns:
        Whether the names are MMRazor's, with `architecture.` in front, which no toolbox knows.

    Raises:
        ConfigError: If a weight of the model is missing or has another shape, or the file has more weights of one of
            its parts.
    """
    content = load_checkpoint_file(checkpoint, map_location='cpu')
    weights = weights_of(content, checkpoint)
    missing, unexpected = load_weights(model, weights, f'{checkpoint} does not belong to this config')
    parts = {name for name, _ in model.named_children()}
    unexpected = [name for name in unexpected if name.split('.')[0] in parts]
    wrong = [
        f'{len(names)} weights {what} ({", ".join(names[:3])}{", ..." if len(names) > 3 else ""})'
        for what, names in (('are missing', missing), ('do not belong to it', unexpected))
        if names
    ]
    if wrong:
        raise ConfigError(f'{checkpoint} does not belong to this config: {" and ".join(wrong)}.')
    names = state_dict_of(content, checkpoint)
    return any(name.removeprefix('module.').startswith('architecture.') for name in names)


def write_plain(checkpoint: str, path: str | Path) -> None:
    """Write the student of an MMRazor checkpoint under its toolbox's names."""
    content = load_checkpoint_file(checkpoint, map_location='cpu')
    meta = content.get('meta') or {}
    with replacing(path) as part:
        torch.save(dict(meta=meta, state_dict=weights_of(content, checkpoint)), part)
