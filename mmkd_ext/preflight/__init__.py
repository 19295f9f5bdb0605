"""Show what a distillation run will do, on a few real batches before it starts."""

from mmkd_ext.preflight.examine import examine

__all__ = ['examine']
