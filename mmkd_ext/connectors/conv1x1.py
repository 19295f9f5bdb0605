"""A 1x1 convolution that brings the student's map to the teacher's width, as FitNet's regressor does.

Source: Romero et al., "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmkd_ext.functional import for_pointwise
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class Conv1x1Connector(nn.Module):
    """1x1 convolution, optionally batch norm, ReLU and bilinear resizing.

    Args:
        in_channels: Channels of the student's map.
        out_channels: Channels of the teacher's map.
        norm: Batch norm after the convolution, which then has no bias.
        relu: ReLU at the end.
        scale: Factor of height and width, such as 2 for a teacher of half the student's stride; or
        size: the height and width themselves.

    Raises:
        ValueError: If both `scale` and `size` are given.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        norm: bool = False,
        relu: bool = False,
        scale: float | None = None,
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if scale is not None and size is not None:
            raise ValueError(f'scale={scale} and size={tuple(size)} both set the size of the map; give only one')
        self.in_channels = in_channels
        self.scale, self.size = scale, None if size is None else tuple(size)
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(out_channels) if norm else nn.Identity()
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W), or to the requested size.

        Raises:
            ValueError: If `x` is not a map of `in_channels` channels.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels} expects (B, {self.in_channels}, H, W), got {tuple(x.shape)}'
            )
        x = self.relu(self.norm(self.conv(for_pointwise(x))))
        if self.scale is None and self.size is None:
            return x
        return interpolate(x, self.size, self.scale, mode='bilinear', align_corners=False)
