"""The weights in a checkpoint, by the names that they have in a model, and the way into it."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmkd_ext.errors import ConfigError


def weights_of(
    content: Any, file: str, prefix: str = '', without: tuple[str, ...] = ('distiller.', 'teacher.')
) -> OrderedDict[str, Tensor]:
    """The weights in a checkpoint, without `module.` and `architecture.` in front of their names.

    The first is of distributed runs, the second of MMRazor's students. Versions of modules are kept.

    Args:
        content: What the file holds: a dict of tensors, or one under `state_dict`.
        file: Its name, with which a message begins.
        prefix: Only the weights whose names begin so are taken, without it.
        without: Where there is no `prefix`, weights whose names begin so are left out.

    Raises:
        ConfigError: If it holds no weights, or none whose names begin with `prefix`.
    """
    found = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ConfigError(f'{file} holds no weights (a dict of tensors, or one under `state_dict`).')
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
        model: What it does itself to weights that are loaded (renames, resizes) is done before they are judged.
        weights: See `weights_of`.
        complaint: With which a message begins.

    Returns:
        The names of the weights that are missing, and of those that the model does not have. Not missing are weights
        that the model itself dropped from the file to compute them anew, and counters that files of old torch lack.

    Raises:
        ConfigError: If one has another shape than the model's.
    """
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        if not str(error).startswith('Error(s) in loading'):
            raise  # of the model's own code
        raise ConfigError(f'{complaint}: {_misfit(str(error))}.') from error
    missing = [name for name in missing if name not in weights and not name.endswith('num_batches_tracked')]
    return missing, unexpected


def _misfit(error: str) -> str:
    """Half a sentence of torch's message of weights in other shapes."""
    shape = r'(?:torch\.Size\(\[([\d, ]*)\]\))'
    found = re.findall(rf'size mismatch for (\S+): .*?{shape}.*?{shape}', error)
    if not found:
        return ' '.join(error.split())
    name, *sizes = found[0]
    given, expected = (tuple(int(size) for size in text.split(',') if size.strip()) for text in sizes)
    hint = ' (another number of classes?)' if given[1:] == expected[1:] and given[:1] != expected[:1] else ''
    more = f'; {len(found)} weights have another shape' if len(found) > 1 else ''
    return f'{name} is {given} in the file and {expected} in the model{hint}{more}'
