"""Make a stock student's weights from a trained one's: fold its feature transforms into its other layers."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.export.norm import check_between, fold_norm, fold_norm_before
from mmkd_ext.models.norm_neck import FeatureTransform

# The layers of a head that get the neck's last map: alone, or concatenated in front of other maps.
_CLASSIFIERS = ('LinearClsHead', 'MultiLabelLinearClsHead')
_KNOWN = (*_CLASSIFIERS, 'VisionTransformerClsHead', 'ASPPHead', 'FCNHead', 'PSPHead')
_JOINED = ('bottleneck', 'conv_cat')


class Folded(NamedTuple):
    """The result of folding a student's transforms.

    Attributes:
        weights: The stock student's state dict.
        notes: For each transform, a few words on where it was folded.
    """

    weights: dict[str, Tensor]
    notes: list[str]


@torch.no_grad()
def fold_student(student: nn.Module) -> Folded:
    """Fold every transform of a student; without any, the weights stay as they are.

    Raises:
        ConfigError: If a transform cannot be folded; the message gives the reason.
    """
    weights = {name: value.detach().clone() for name, value in student.state_dict().items()}
    notes = []
    for name, block in student.named_modules():
        if isinstance(block, FeatureTransform):
            try:
                layers = _fold(student, name, block, weights)
            except ValueError as error:
                raise ConfigError(f'model.{name} cannot be folded: {error}.') from error
            weights = {key: value for key, value in weights.items() if not key.startswith(f'{name}.')}
            notes.append(f'{name} folded into {", ".join(layers)}')
    return Folded(_without_gaps(student, weights), notes)


def _fold(student: Any, name: str, block: FeatureTransform, weights: dict[str, Tensor]) -> list[str]:
    """Change `weights` for one transform; returns the names of the layers that it was folded into."""
    holder, _, own = name.rpartition('.')
    before = student.get_submodule(holder)
    if own == 'transform' and isinstance(before, nn.Conv2d):
        weight, bias = fold_norm_before(block, before.weight, before.bias)
        _put(student, holder, weight, bias, weights)
        return [holder]
    if name != 'neck' and holder != 'neck':
        raise ValueError('only the neck, a part of it, or the transforms of NORMFeatures can be')
    if holder == 'neck':
        check_between(student.neck[int(own) + 1 :])
    layers = _layers_after(student)
    if not layers:
        raise ValueError('no head takes its map')
    for layer in layers:
        conv = student.get_submodule(layer)
        conv = getattr(conv, 'conv', conv)  # the convolution of a ConvModule
        # The map comes first if it is concatenated with others.
        own_part = conv.weight[:, : block.in_channels] if layer.endswith(_JOINED) else conv.weight
        mode = (getattr(conv, 'padding', 0), getattr(conv, 'padding_mode', 'zeros'))
        weight, bias = fold_norm(block, own_part, conv.bias, *mode)
        _put(student, layer, torch.cat([weight, conv.weight[:, own_part.shape[1] :]], 1), bias, weights)
    return layers


def _put(student: nn.Module, layer: str, weight: Tensor, bias: Tensor | None, weights: dict[str, Tensor]) -> None:
    """Set weight and bias of a layer; if it has no bias, the batch norm after it absorbs it."""
    module = student.get_submodule(layer)
    inner = f'{layer}.conv' if hasattr(module, 'conv') else layer
    weights[f'{inner}.weight'] = weight
    if bias is None:
        return
    if f'{inner}.bias' in weights:
        weights[f'{inner}.bias'] = bias
        return
    norm: Any = getattr(module, 'norm', None)
    if not isinstance(norm, nn.modules.batchnorm._BatchNorm):
        raise ValueError(f'{layer} has no bias to take the offset (set bias=True)')
    mean = f'{layer}.{module.norm_name}.running_mean'
    weights[mean] = weights[mean] - bias


def _layers_after(student: Any) -> list[str]:
    """Names of the layers that take the neck's last map.

    Raises:
        ValueError: If a head is not supported.
    """
    heads = {
        name: part for name, part in student.named_children() if name not in ('data_preprocessor', 'backbone', 'neck')
    }
    layers = []
    for name, head in heads.items():
        for i, one in enumerate(head if isinstance(head, nn.ModuleList) else [head]):
            prefix = f'{name}.{i}' if isinstance(head, nn.ModuleList) else name
            layers += [f'{prefix}.{layer}' for layer in _first_layers(student, one)]
    return layers


def _first_layers(student: Any, head: Any) -> list[str]:
    kind = type(head).__name__
    if kind in _CLASSIFIERS:
        return ['fc']
    if kind == 'VisionTransformerClsHead':
        return [f'layers.{next(name for name, _ in head.layers.named_children())}']
    if kind == 'PSPHead':
        layers = [*(f'psp_modules.{i}.1' for i in range(len(head.psp_modules))), 'bottleneck']
    elif kind == 'ASPPHead':
        layers = ['image_pool.1', *(f'aspp_modules.{i}' for i in range(len(head.aspp_modules)))]
    elif kind == 'FCNHead' and head.num_convs:
        layers = ['convs.0', *(['conv_cat'] if head.concat_input else [])]
    else:
        raise ValueError(f'a {kind} comes next; supported are {", ".join(_KNOWN)}')
    if isinstance(head.in_index, (list, tuple)):
        raise ValueError(f'{kind} takes several maps (in_index={head.in_index})')
    return layers if _is_last(student, kind, head.in_index) else []


def _is_last(student: Any, kind: str, index: int) -> bool:
    """Whether a head that uses the map `index` uses the neck's last one."""
    if index < 0:
        return index == -1
    necks = list(student.neck) if isinstance(student.neck, nn.Sequential) else [student.neck]
    place = next(i for i, part in enumerate(necks) if isinstance(part, FeatureTransform))
    stages = len(getattr(student.backbone, 'out_indices', ()))
    count = getattr(necks[place - 1], 'num_outs', 0) if place else stages
    if not count:
        raise ValueError(f'the number of maps that {kind} chooses from is unknown (count from the last: in_index=-1)')
    return index == count - 1


def _without_gaps(student: Any, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Close the gaps of transforms in a list of necks; if only one neck is left, it becomes the neck itself."""
    neck = getattr(student, 'neck', None)
    if not isinstance(neck, nn.Sequential):
        return weights
    kept = [i for i, part in enumerate(neck) if not isinstance(part, FeatureTransform)]
    names = {f'neck.{i}.': 'neck.' if len(kept) == 1 else f'neck.{k}.' for k, i in enumerate(kept)}
    return {
        next((new + key.removeprefix(old) for old, new in names.items() if key.startswith(old)), key): value
        for key, value in weights.items()
    }
