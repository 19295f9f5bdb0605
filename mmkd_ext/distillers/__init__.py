"""Wiring of recorders, connectors and losses; each registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.distillers.ofd import OFDDistiller
from mmkd_ext.distillers.protocol import DistillLoss

__all__ = [
    'ConfigurableDistiller',
    'DistillLoss',
    'OFDDistiller',
]

for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
