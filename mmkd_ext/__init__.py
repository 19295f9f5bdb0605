"""Knowledge distillation inside the OpenMMLab stack; everything is built from configs, see the README.

From Python: the losses are in `mmkd_ext.losses` and the adapters in `mmkd_ext.connectors`, which import only torch and
mmengine; the parts that train a student are here and are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmkd_ext import compat
from mmkd_ext.version import __version__

if TYPE_CHECKING:
    from mmkd_ext.algorithms.multi_teacher import MultiTeacherDistill
    from mmkd_ext.algorithms.roi_distill import RoIDistill
    from mmkd_ext.algorithms.self_distill import SelfDistill
    from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
    from mmkd_ext.class_means import ClassMeans
    from mmkd_ext.distillers.configurable import ConfigurableDistiller

__all__ = [
    'ClassMeans',
    'ConfigurableDistiller',
    'MultiTeacherDistill',
    'RoIDistill',
    'SelfDistill',
    'SingleTeacherDistill',
    '__version__',
]

_HOMES = {
    'ClassMeans': 'class_means',
    'ConfigurableDistiller': 'distillers.configurable',
    'MultiTeacherDistill': 'algorithms.multi_teacher',
    'RoIDistill': 'algorithms.roi_distill',
    'SelfDistill': 'algorithms.self_distill',
    'SingleTeacherDistill': 'algorithms.single_teacher',
}

compat.install()


def __getattr__(name: str) -> Any:
    """Import a name on first use, so that importing the losses imports nothing above them."""
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)
