"""Names that changed when mmcls became mmpretrain and mmdet 2 became mmdet 3, and that MMRazor's configs still use."""

import logging
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

_PACKED = {'PackClsInputs': 'PackInputs'}


@cache
def path_today(source: str) -> str:
    """The current package path of a config.

    mmdet 3 and mmpretrain separate the parts of a file's name differently (`faster_rcnn_r50` is `faster-rcnn_r50`) and
    write `ms` for `mstrain`, `amp` for `fp16`. If there is no file with the old name, a file in the same folder whose
    name differs only in these ways is used.

    Args:
        source: `package::folder/name.py`. A path that exists, or that matches nothing, is returned as it is.
    """
    if not re.fullmatch(r'\w+::.+\.py', source):
        return source
    package, _, name = _name_today(source).partition('::')
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return source
    file = Path(spec.origin).parent / '.mim' / 'configs' / name
    if not file.is_file():
        alike = [other for other in file.parent.glob('*.py') if _letters(other.stem) == _letters(file.stem)]
        name = str(Path(name).with_name(alike[0].name)) if len(alike) == 1 else name
    if name != source.partition('::')[2]:
        print_log(f'{source} is now named {package}::{name}, which is used.', 'current', logging.INFO)
    return f'{package}::{name}'


def _letters(stem: str) -> str:
    """A config's name with the separators and words that changed brought to one form."""
    stem = stem.replace('mstrain', 'ms').replace('fp16', 'amp').replace('_pt-', '_')
    return re.sub('[-_]', '', stem).lower()


def _name_today(name: str) -> str:
    return re.sub(r'^mmcls(?=$|\.|::)', 'mmpretrain', name)


def config_today(value: Any) -> Any:
    """Turn types, scopes and package paths of mmcls in a config into mmpretrain's, in place.

    Args:
        value: A config, or any part of one.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _PACKED.get(item, item) if key == 'type' and isinstance(item, str) else config_today(item)
            if key in ('type', '_scope_', 'default_scope') and isinstance(value[key], str):
                value[key] = _name_today(value[key])
    elif isinstance(value, list):
        value[:] = [config_today(item) for item in value]
    elif isinstance(value, tuple) and type(value) is tuple:
        return tuple(config_today(item) for item in value)
    elif isinstance(value, str):
        return path_today(value)
    return value
