"""Networks that the toolboxes lack; each is registered here or registers itself.

The file of a backbone needs torch, mmengine and `base`, which it imports relatively, and nothing else of this package:
it is copied unchanged next to an exported student.
"""

from importlib import import_module
from pkgutil import iter_modules

from mmkd_ext.models.cifar_mobilenet_v2 import CIFARMobileNetV2
from mmkd_ext.models.cifar_resnet import CIFARResNet
from mmkd_ext.models.cifar_shufflenet import CIFARShuffleNetV1, CIFARShuffleNetV2
from mmkd_ext.models.cifar_vgg import CIFARVGG
from mmkd_ext.models.mobilenet_v1 import MobileNetV1
from mmkd_ext.models.norm_neck import NORMNeck, norm_features
from mmkd_ext.models.wide_resnet import WideResNet
from mmkd_ext.registry import MODELS

BACKBONES = (CIFARMobileNetV2, CIFARResNet, CIFARShuffleNetV1, CIFARShuffleNetV2, CIFARVGG, MobileNetV1, WideResNet)

__all__ = [
    'BACKBONES',
    'CIFARMobileNetV2',
    'CIFARResNet',
    'CIFARShuffleNetV1',
    'CIFARShuffleNetV2',
    'CIFARVGG',
    'MobileNetV1',
    'NORMNeck',
    'WideResNet',
    'norm_features',
]

for _backbone in BACKBONES:
    MODELS.register_module(module=_backbone)
for _module in iter_modules(__path__):  # so that files not named above register their types, too
    import_module(f'{__name__}.{_module.name}')
