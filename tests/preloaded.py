"""Imports and caches that are ready in a script that runs in a fork, see `forked`."""

from contextlib import suppress
from importlib import import_module

import mmengine.runner  # noqa: F401
import torch  # noqa: F401
from mmengine.config import utils
from mmengine.utils import get_installed_path
from quick import quicken

quicken()
for box in ('mmdet', 'mmpretrain', 'mmseg'):
    for part in ('models', 'datasets', 'engine', 'evaluation', 'structures', 'visualization'):
        import_module(f'{box}.{part}')
    with suppress(ValueError):  # no config has this name, but now all metafiles have been read
        utils._get_cfg_metainfo(get_installed_path(box), '')
