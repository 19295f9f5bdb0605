"""The CIFAR models of the mdistiller code base as mmpretrain classifiers: their configs, and their weights renamed.

Source of names and shapes: megvii-research/mdistiller, `mdistiller/models/cifar`; its teachers for CIFAR-100 are
published as `cifar_teachers.tar`. They take RGB pixels of 0 to 1, normalised with mean (0.5071, 0.4867, 0.4408) and std
(0.2675, 0.2565, 0.2761). The variants of WangYZ1608/Knowledge-Distillation-via-ND differ in two names (`bn` for
WideResNet's last `bn1`, `fc` for ShuffleNet's `linear`) and are read as well.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from mmengine.registry import DefaultScope
from torch import Tensor

from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.registry import MODELS

Renames = tuple[tuple[str, str], ...]


class Architecture(NamedTuple):
    """One of mdistiller's models.

    Attributes:
        backbone: Config of the same backbone here.
        channels: Channels of the backbone's last map.
        renames: Regular expressions and replacements that turn mdistiller's names into the backbone's.
    """

    backbone: dict
    channels: int
    renames: Renames


_HEAD = r'(fc|linear|classifier(\.0)?)\.(?=(weight|bias)$)'
_STEM: Renames = ((r'^conv1\.', 'stem.conv.'), (r'^bn1\.', 'stem.bn.'))
_RESNET: Renames = (*_STEM, (r'\.downsample\.0\.', '.downsample.conv.'), (r'\.downsample\.1\.', '.downsample.bn.'))
_WRN: Renames = (
    (r'^conv1\.', 'stem.'),
    (r'^block(\d)\.layer\.', r'layer\1.'),
    (r'\.convShortcut\.', '.shortcut.'),
    (r'^bn1?\.', 'final.bn.'),
)
# A block is a list: convolution, batch norm, ReLU, convolution, batch norm.
_VGG: Renames = tuple(
    (rf'^block{i}\.{3 * k + offset}\.', f'layer{i + 1}.{part}{k + 1}.')
    for i in range(5)
    for k in range(2)
    for offset, part in enumerate(('conv', 'bn'))
)
_MOBILENET_V2: Renames = (
    (r'^conv1\.0\.', 'stem.conv.'),
    (r'^conv1\.1\.', 'stem.bn.'),
    (r'^conv2\.0\.', 'conv2.conv.'),
    (r'^conv2\.1\.', 'conv2.bn.'),
    *((rf'^blocks\.{i}\.', f'layer{i + 1}.') for i in range(7)),
    *(
        (rf'\.conv\.{3 * k + offset}\.', f'.{unit}.{part}.')
        for k, unit in enumerate(('expand', 'depthwise', 'project'))
        for offset, part in enumerate(('conv', 'bn'))
    ),
)
_SHUFFLENET_V2: Renames = (*_STEM, (r'^conv2\.', 'conv2.conv.'), (r'^bn2\.', 'conv2.bn.'))


def _resnet(depth: int, channels: tuple[int, ...] = (16, 16, 32, 64)) -> Architecture:
    return Architecture(dict(type='mmkd_ext.CIFARResNet', depth=depth, channels=channels), channels[-1], _RESNET)


def _wrn(depth: int, widen_factor: int) -> Architecture:
    backbone = dict(type='mmkd_ext.WideResNet', depth=depth, widen_factor=widen_factor)
    return Architecture(backbone, 64 * widen_factor, _WRN)


ARCHITECTURES: dict[str, Architecture] = {
    **{f'resnet{depth}': _resnet(depth) for depth in (8, 14, 20, 32, 44, 56, 110)},
    **{f'resnet{depth}x4': _resnet(depth, (32, 64, 128, 256)) for depth in (8, 32)},
    # The same as mmpretrain's, layer by layer; the original does not zero-initialise its residual branches.
    'ResNet50': Architecture(
        dict(type='mmpretrain.ResNet_CIFAR', depth=50, zero_init_residual=False),
        2048,
        ((r'\.shortcut\.', '.downsample.'),),
    ),
    **{f'wrn_{depth}_{width}': _wrn(depth, width) for depth in (16, 40) for width in (1, 2)},
    **{f'vgg{depth}': Architecture(dict(type='mmkd_ext.CIFARVGG', depth=depth), 512, _VGG) for depth in (8, 13)},
    'MobileNetV2': Architecture(dict(type='mmkd_ext.CIFARMobileNetV2'), 1280, _MOBILENET_V2),
    'ShuffleV1': Architecture(dict(type='mmkd_ext.CIFARShuffleNetV1'), 960, _STEM),
    'ShuffleV2': Architecture(dict(type='mmkd_ext.CIFARShuffleNetV2'), 1024, _SHUFFLENET_V2),
}


def _architecture(arch: str) -> Architecture:
    if arch not in ARCHITECTURES:
        raise ConfigError(f'there is no architecture {arch!r}; {nearest(arch, ARCHITECTURES)}.')
    return ARCHITECTURES[arch]


def classifier_config(arch: str, num_classes: int = 100) -> dict:
    """The config of an mmpretrain ImageClassifier for one of mdistiller's models.

    Raises:
        ConfigError: If there is no such model.
    """
    architecture = _architecture(arch)
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(architecture.backbone),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.LinearClsHead', num_classes=num_classes, in_channels=architecture.channels),
    )


def convert(state_dict: Mapping[str, Tensor], arch: str) -> dict[str, Tensor]:
    """Rename the weights of one of mdistiller's models to those of `classifier_config(arch)`.

    Args:
        state_dict: The weights; names may start with the `module.` of DataParallel.
        arch: The model's name in mdistiller, such as `resnet56` or `wrn_40_2`.

    Returns:
        The same tensors, named `backbone.*` and `head.fc.*`, in the model's order. Batch norm counters, which files of
        old torch versions lack, are 0.

    Raises:
        ConfigError: If there is no such model, or the weights do not belong to it: the message names the first that is
            missing (by its name here), unexpected, or of another shape (by its name in the file).
    """
    architecture = _architecture(arch)
    found: dict[str, tuple[str, Tensor]] = {}
    for key, value in state_dict.items():
        name = _renamed(key.removeprefix('module.'), architecture.renames)
        if name in found:
            raise ConfigError(f'{key} and {found[name][0]} are the same weight of {arch}.')
        found[name] = (key, value)
    expected = _expected(architecture)
    for name in expected:
        if name.endswith('.num_batches_tracked'):
            found.setdefault(name, (name, torch.tensor(0)))
    _check(found, expected, arch)
    return {name: found[name][1] for name in expected}


def _renamed(key: str, renames: Renames) -> str:
    if re.match(_HEAD, key):
        return re.sub(f'^{_HEAD}', 'head.fc.', key)
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return f'backbone.{key}'


def _expected(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the classifier's weights; the size that is the number of classes is -1."""
    with DefaultScope.overwrite_default_scope('mmkd_ext'), torch.random.fork_rng(devices=[]):
        backbone = MODELS.build(dict(architecture.backbone))
    shapes = {f'backbone.{name}': tuple(value.shape) for name, value in backbone.state_dict().items()}
    return {**shapes, 'head.fc.weight': (-1, architecture.channels), 'head.fc.bias': (-1,)}


def _check(found: Mapping[str, tuple[str, Tensor]], expected: Mapping[str, tuple[int, ...]], arch: str) -> None:
    missing = [name for name in expected if name not in found]
    unexpected = [key for name, (key, _) in found.items() if name not in expected]
    if missing or unexpected:
        parts = [_first('missing', missing), _first('unexpected', unexpected)]
        raise ConfigError(f'these are not the weights of {arch}: {" and ".join(part for part in parts if part)}.')
    classes = found['head.fc.bias'][1].numel()
    for name, shape in expected.items():
        key, value = found[name]
        wanted = tuple(classes if size == -1 else size for size in shape)
        if tuple(value.shape) != wanted:
            raise ConfigError(
                f'these are not the weights of {arch}: {key} has shape {tuple(value.shape)}, expected {wanted}.'
            )


def _first(what: str, names: list[str]) -> str:
    more = f' and {len(names) - 1} more' if len(names) > 1 else ''
    return f'{what} {names[0]}{more}' if names else ''
