"""The models that mmengine's Runner trains: a student, its teachers if any, and a distiller."""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.algorithms.base import DistillAlgorithm
from mmkd_ext.algorithms.multi_teacher import MultiTeacherDistill
from mmkd_ext.algorithms.roi_distill import RoIDistill
from mmkd_ext.algorithms.self_distill import SelfDistill
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill

__all__ = [
    'DistillAlgorithm',
    'MultiTeacherDistill',
    'RoIDistill',
    'SelfDistill',
    'SingleTeacherDistill',
]

for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
