"""The student's part of NORM: a linear feature transform that is wide in the middle, and folds away after training.

Source: Liu et al., "NORM: Knowledge Distillation via N-to-One Representation Matching", arXiv:2305.13803 (ICLR 2023),
in the form of the released code (OSVAI/NORM).

    expand:   1x1 convolution, C -> N * C_t channels, and batch norm; what `NORMLoss` compares with the teacher's map
    contract: 1x1 convolution, N * C_t -> C channels, and batch norm
    y = x + contract(expand(x))    the default form; y = contract(expand(x)) is the plain one

There is no activation, so in eval mode each position's channels go through one affine map, y = M x + m, which
`mmkd_ext.export.fold_norm` puts into the layer that follows. The released code only has classifiers. At other places
the block is the same, and linear, and is folded into a convolution after it, or before it (`NORMFeatures`).

N = 1 is a transform with one segment. The released code skips the transform for N = 1: for that, use `NORMLoss` on the
backbone's map without this neck.

Shapes: B images, C channels of the student, C_t of the teacher, N segments, H x W positions.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.models.base import KAIMING
from mmkd_ext.registry import MODELS


class FeatureTransform(BaseModule):
    """Expand, contract and, by default, add.

    Args:
        in_channels: C, the channels of the student's map.
        teacher_channels: C_t, the channels of the teacher's map.
        num_segments: N; the wide map has N * C_t channels.
        residual: False is the plain form.
        with_bn: False leaves out both batch norms. Then the block is linear (m = 0), so that it folds exactly even into
            a convolution that pads with zeros.
        init_cfg: Same as in mmengine; the default is that of the released ResNets. The residual branch does not start
            at 0.

    Raises:
        ValueError: If `num_segments` is less than 1.
    """

    def __init__(
        self,
        in_channels: int,
        teacher_channels: int,
        num_segments: int = 8,
        residual: bool = True,
        with_bn: bool = True,
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        from mmcv.cnn import ConvModule  # here, so that code without a toolbox need not import one

        super().__init__(init_cfg)
        if num_segments < 1:
            raise ValueError(f'num_segments must be at least 1, got {num_segments}')
        norm_cfg = dict(type='BN') if with_bn else None
        linear = partial(ConvModule, kernel_size=1, bias=False, norm_cfg=norm_cfg, act_cfg=None)
        self.in_channels = in_channels
        self.residual = residual
        self.expand = linear(in_channels, num_segments * teacher_channels)
        self.contract = linear(num_segments * teacher_channels, in_channels)
        self.expand.is_init = self.contract.is_init = True  # or ConvModule would initialise them, not `init_cfg`

    def forward(self, x: Any) -> Any:
        """(B, C, H, W) to the same shape.

        Raises:
            ValueError: If `x` is not a map of C channels.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels} expects (B, {self.in_channels}, H, W), got {tuple(x.shape)}'
            )
        y = self.contract(self.expand(x))
        return x + y if self.residual else y


@MODELS.register_module()
class NORMNeck(FeatureTransform):
    """The feature transform of the last map and, for classifiers, global average pooling of all.

    Replaces mmpretrain's `GlobalAveragePooling`. With `pool=False` it is the neck of a segmentor, which has none in the
    stock config. Its wide map is recorded by `dict(type='ModuleOutputs', source='neck.expand')`.

    Args:
        in_channels: C, the channels of the student's last map.
        teacher_channels: C_t, the channels of the teacher's map.
        num_segments: N.
        residual: False is the plain form.
        with_bn: False leaves out both batch norms.
        pool: False returns maps.
        init_cfg: Same as in mmengine.
    """

    def __init__(
        self,
        in_channels: int,
        teacher_channels: int,
        num_segments: int = 8,
        residual: bool = True,
        with_bn: bool = True,
        pool: bool = True,
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(in_channels, teacher_channels, num_segments, residual, with_bn, init_cfg)
        self.gap = nn.AdaptiveAvgPool2d(1) if pool else None

    def forward(self, inputs: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        """A map (B, C, H, W), or maps the last of which has C channels; returns as many, (B, C) if pooled.

        Raises:
            ConfigError: If the last one is not a map, or has other channels.
        """
        *others, last = [inputs] if isinstance(inputs, Tensor) else inputs
        self._check(last)
        maps = tuple(map(self._pool, (*others, super().forward(last))))
        return maps[0] if isinstance(inputs, Tensor) else maps

    def _check(self, last: Any) -> None:
        """Explain, in terms of the student, what `FeatureTransform.forward` would reject."""
        found = tuple(last.shape) if isinstance(last, Tensor) else type(last).__name__
        key = 'model.architecture.neck (model.neck where there is no teacher)'
        if not isinstance(last, Tensor) or last.ndim != 4:
            raise ConfigError(
                f'{key}: NORMNeck with in_channels={self.in_channels} takes maps (B, {self.in_channels}, H, W), and '
                f"the backbone's last output is {found}; make it return its map: gap_before_final_norm=False for "
                "ConvNeXt and similar, out_type='featmap' for ViT and similar."
            )
        if last.shape[1] != self.in_channels:
            raise ConfigError(
                f'{key}: NORMNeck with in_channels={self.in_channels} expects a map of that many channels, but the '
                f"backbone's last map is {found}; set in_channels={last.shape[1]}."
            )

    def _pool(self, x: Tensor) -> Tensor:
        return x if self.gap is None else self.gap(x).flatten(1)


@MODELS.register_module(name='NORMFeatures')
def norm_features(
    neck: dict,
    after: Sequence[str],
    teacher_channels: int,
    num_segments: int = 8,
    residual: bool = True,
    with_bn: bool = True,
) -> nn.Module:
    """A stock neck (or any part) with a feature transform right after some of its convolutions.

        neck=dict(type='mmkd_ext.NORMFeatures', neck=dict(type='FPN', ...), after=['fpn_convs.0.conv', ...], ...)

    It folds into the convolution before it, which is exact whatever comes next (an extra level, the shared heads, their
    padding). The returned part is the stock part, with its class and names; its initialisation also applies to the
    transforms. The wide map is recorded by `dict(type='ModuleOutputs',
    source='neck.fpn_convs.0.conv.transform.expand')`.

    Args:
        neck: Config of the part.
        after: Names of its convolutions.
        teacher_channels: C_t; the student's C is the number of output channels of each convolution.
        num_segments: N.
        residual: False is the plain form.
        with_bn: False leaves out the batch norms.

    Raises:
        ValueError: If a name is not that of a convolution.
    """
    part = MODELS.build(neck)
    convs = {name: module for name, module in part.named_modules() if isinstance(module, nn.Conv2d)}
    for name in after:
        if name not in convs:
            raise ValueError(f'after: {type(part).__name__} has no convolution {name!r}; {nearest(name, convs)}')
        transform = FeatureTransform(
            convs[name].out_channels, teacher_channels, num_segments, residual, with_bn, init_cfg=None
        )
        convs[name].add_module('transform', transform)
        convs[name].register_forward_hook(_transform)
    return part


def _transform(module: Any, inputs: Any, output: Tensor) -> Tensor:
    return module.transform(output)
