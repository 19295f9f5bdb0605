"""From a distillation run to a plain student of the host toolbox."""

from mmkd_ext.export.norm import fold_norm

__all__ = ['fold_norm']
