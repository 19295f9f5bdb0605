"""Feature adapters, one per file; each registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.connectors.abf import ABFConnector
from mmkd_ext.connectors.channel_mlp import ChannelMLPConnector
from mmkd_ext.connectors.conv1x1 import Conv1x1Connector
from mmkd_ext.connectors.embed import EmbedConnector
from mmkd_ext.connectors.logit_norm import LogitNormConnector

__all__ = [
    'ABFConnector',
    'ChannelMLPConnector',
    'Conv1x1Connector',
    'EmbedConnector',
    'LogitNormConnector',
]

for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
