"""Fold NORM's feature transform into the layer after it, or into the convolution before it.

In eval mode the transform (see `models/norm_neck.py`) takes the C channels of a position to M x + m:

    A_i = diag(g_i / sqrt(v_i + eps)) W_i,  b_i = beta_i - g_i mu_i / sqrt(v_i + eps)    (1: expand, 2: contract)
    M = I + A_2 A_1 (without I if there is no residual),  m = A_2 b_1 + b_2

Average pooling does not change M and m. So a layer W x + b that follows becomes (W M) x + (W m + b), in the same way at
every position of a kernel. A kernel that also sees zeros beyond the border would have to see M 0 + m there: if m is not
0, that is not a convolution, and is refused. A convolution W x + b before the transform always becomes
(M W) x + (M b + m).

Computed in float64. This file only needs torch.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# Means over positions, and modules that do nothing in eval mode.
_MEANS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.Identity, nn.Flatten, nn.Dropout)


@torch.no_grad()
def fold_norm(
    neck: Any, weight: Tensor, bias: Tensor | None = None, padding: Any = 0, padding_mode: str = 'zeros'
) -> tuple[Tensor, Tensor | None]:
    """A transform in eval mode and the layer after it, as one layer of the same shape.

    Args:
        neck: A `NORMNeck` or `FeatureTransform`.
        weight: Weight of the linear layer after it, (K, C), or of the convolution, (K, C, h, w), of any size and
            stride.
        bias: Bias of that layer, (K,); None is 0.
        padding: Padding of the convolution, see `torch.nn.Conv2d`.
        padding_mode: Padding mode of the convolution; all but `zeros` repeat values of the map, so they are exact.

    Returns:
        Weight and bias. The bias is None if none was given and m = 0.

    Raises:
        ValueError: If the fold would not be exact; the message gives the reason.
    """
    check_between(neck)
    matrix, offset = affine(neck)
    if weight.ndim not in (2, 4) or weight.shape[1] != len(offset):
        raise ValueError(
            f'a layer with the weight {tuple(weight.shape)} does not take {len(offset)} channels of one position '
            '(is it grouped, or does it take a flattened map?)'
        )
    if offset.any() and padding_mode == 'zeros' and _pads(padding):
        raise ValueError(
            f'the convolution pads with zeros (padding={padding}), which is not exact at the border, because the '
            'transform has an offset (train the transform with_bn=False, which leaves no offset, or the convolution '
            'with another padding_mode)'
        )
    folded = torch.einsum('kc...,cd->kd...', weight.double(), matrix)
    shift = weight.double().flatten(2).sum(2) if weight.ndim == 4 else weight.double()
    return folded.to(weight), _bias(bias, 0 if bias is None else bias.double(), shift @ offset, weight)


@torch.no_grad()
def fold_norm_before(neck: Any, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """A transform in eval mode and the convolution before it, (C, K, h, w), as one convolution; see `fold_norm`."""
    matrix, offset = affine(neck)
    if len(weight) != len(offset):
        raise ValueError(f'a layer with the weight {tuple(weight.shape)} does not return {len(offset)} channels')
    folded = torch.einsum('ck,k...->c...', matrix, weight.double())
    return folded.to(weight), _bias(bias, 0 if bias is None else matrix @ bias.double(), offset, weight)


def affine(neck: Any) -> tuple[Tensor, Tensor]:
    """M (C, C) and m (C,) of a transform in eval mode, in float64.

    Raises:
        ValueError: If it is not affine in each position.
    """
    with torch.no_grad():
        (first, low), (second, high) = (_layer(getattr(neck, name), name) for name in ('expand', 'contract'))
        matrix = second @ first
        if neck.residual:
            matrix += torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        return matrix, second @ low + high


def check_between(part: nn.Module) -> None:
    """Refuse anything between the transform and the next layer except average pooling.

    Args:
        part: A neck, or the modules after it; a transform in it is skipped.

    Raises:
        ValueError: If there is anything else, such as max or GeM pooling, an activation or a batch norm.
    """
    for name, child in part.named_children():
        for module in child.modules() if name not in ('expand', 'contract') else ():
            if not list(module.children()) and not isinstance(module, _MEANS):
                raise ValueError(
                    f'{type(module).__name__} ({name}) is between the transform and the next layer, where only average '
                    'pooling is allowed'
                )


def _layer(unit: Any, name: str) -> tuple[Tensor, Tensor]:
    """Matrix and offset of a 1x1 mmcv `ConvModule`, with or without batch norm."""
    conv = unit.conv
    if unit.with_activation or conv.weight.shape[2:] != (1, 1) or conv.groups != 1:
        raise ValueError(f'{name} is not linear: it must be a 1x1 convolution without activation')
    matrix = conv.weight.double().flatten(1)
    offset = torch.zeros_like(matrix[:, 0]) if conv.bias is None else conv.bias.double()
    if not unit.with_norm:
        return matrix, offset
    norm = unit.norm
    if not isinstance(norm, _BatchNorm) or norm.running_mean is None or norm.running_var is None:
        raise ValueError(f'{name} has {type(norm).__name__}, which is not linear in eval mode; only batch norm is')
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight.double()
    offset = (offset - norm.running_mean.double()) * scale
    return matrix * scale[:, None], offset + norm.bias.double() if norm.affine else offset


def _bias(given: Tensor | None, carried: Any, added: Tensor, weight: Tensor) -> Tensor | None:
    return None if given is None and not added.any() else (carried + added).to(weight)


def _pads(padding: Any) -> bool:
    if isinstance(padding, str):
        return padding != 'valid'
    return any(padding) if isinstance(padding, (tuple, list)) else bool(padding)
