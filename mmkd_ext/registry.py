"""The package's registries: children of mmengine's, each of which imports its rooms when it is first used."""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import Registry

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmkd_ext',
    locations=[
        'mmkd_ext.losses',
        'mmkd_ext.connectors',
        'mmkd_ext.models',
        'mmkd_ext.distillers',
        'mmkd_ext.algorithms',
    ],
)
TASK_UTILS = Registry('task util', parent=MMENGINE_TASK_UTILS, scope='mmkd_ext', locations=['mmkd_ext.recorders'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='mmkd_ext', locations=['mmkd_ext.hooks'])
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope='mmkd_ext', locations=['mmkd_ext.loops'])
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, scope='mmkd_ext', locations=['mmkd_ext.datasets'])
