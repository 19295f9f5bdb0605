"""Distillation losses, one method per file: a pure function, and a thin module that registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.losses.box_kd import BoxKDLoss, box_kd_loss
from mmkd_ext.losses.cosine import CosineLoss, cosine_loss
from mmkd_ext.losses.cwt import CWTLoss, cwt_loss
from mmkd_ext.losses.dense_kd import DenseKDLoss, dense_kd_loss
from mmkd_ext.losses.dist import DISTLoss, dist_loss
from mmkd_ext.losses.dkd import DKDLoss, dkd_loss
from mmkd_ext.losses.hcl import HCLLoss, hcl_loss
from mmkd_ext.losses.intra_tfd import IntraTFDLoss, intra_tfd_loss
from mmkd_ext.losses.kd import KDLoss, kd_loss
from mmkd_ext.losses.logit_norm import LogitNormLoss
from mmkd_ext.losses.nd import NDLoss, nd_loss
from mmkd_ext.losses.norm import NORMLoss, norm_loss
from mmkd_ext.losses.tfd import TFDLoss, tfd_loss

__all__ = [
    'BoxKDLoss',
    'CWTLoss',
    'CosineLoss',
    'DISTLoss',
    'DKDLoss',
    'DenseKDLoss',
    'HCLLoss',
    'IntraTFDLoss',
    'KDLoss',
    'LogitNormLoss',
    'NDLoss',
    'NORMLoss',
    'TFDLoss',
    'box_kd_loss',
    'cosine_loss',
    'cwt_loss',
    'dense_kd_loss',
    'dist_loss',
    'dkd_loss',
    'hcl_loss',
    'intra_tfd_loss',
    'kd_loss',
    'nd_loss',
    'norm_loss',
    'tfd_loss',
]

for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
