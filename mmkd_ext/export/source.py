"""The source of this package's own backbones as a module that needs mmengine alone."""

import inspect
import re
from typing import Any

from mmkd_ext.errors import ConfigError
from mmkd_ext.models import base
from mmkd_ext.registry import MODELS

_OWN_IMPORT = re.compile(r'^from mmkd_ext\.models\.base import .*\n', re.MULTILINE)


def write_out_backbones(model: Any) -> str | None:
    """Let a model's config name its backbones without this package's scope, and return their source.

    Args:
        model: The student's config; each `mmkd_ext.NAME` in it becomes `NAME`.

    Returns:
        A module that registers them in mmengine's registry, or None where the model has none.

    Raises:
        ConfigError: If the config names something of this package that is no backbone of its own.
    """
    modules = _found(model)
    if not modules:
        return None
    parts = [inspect.getsource(module) for module in (base, *modules)]
    source = _OWN_IMPORT.sub('', '\n\n'.join(parts))
    source = source.replace('from mmkd_ext.registry import', 'from mmengine.registry import')
    # Two exported students with the same backbone may meet in one process.
    return source.replace('register_module()', 'register_module(force=True)')


def _found(entry: Any) -> list[Any]:
    """Modules of the backbones in a config entry, each once; what names them is changed."""
    if isinstance(entry, (list, tuple)):
        return list(dict.fromkeys(module for part in entry for module in _found(part)))
    if not isinstance(entry, dict):
        return []
    found = [module for part in entry.values() for module in _found(part)]
    kind = str(entry.get('type', ''))
    if kind.startswith('mmkd_ext.'):
        made = MODELS.get(kind)
        if made is None or not issubclass(made, base.StagedBackbone):
            raise ConfigError(f'{kind} in the student cannot be exported: no toolbox has it.')
        entry['type'] = kind.removeprefix('mmkd_ext.')
        found.append(inspect.getmodule(made))
    return list(dict.fromkeys(found))
