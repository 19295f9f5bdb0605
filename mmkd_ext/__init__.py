"""Knowledge distillation inside the OpenMMLab stack; everything is built from configs, see the README."""

from mmkd_ext import compat
from mmkd_ext.version import __version__

__all__ = ['__version__']

compat.install()
