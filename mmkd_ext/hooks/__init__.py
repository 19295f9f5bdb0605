"""Training-time hooks, one per file; each registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.hooks.channels_last_hook import ChannelsLastHook
from mmkd_ext.hooks.dry_run_hook import DryRunHook
from mmkd_ext.hooks.exact_resume_hook import ExactResumeHook
from mmkd_ext.hooks.loss_weight_hook import LossWeightHook

__all__ = [
    'ChannelsLastHook',
    'DryRunHook',
    'ExactResumeHook',
    'LossWeightHook',
]

for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
