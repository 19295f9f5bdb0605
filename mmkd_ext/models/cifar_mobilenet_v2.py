"""MobileNetV2 for 32x32 images, as in the CRD and mdistiller code bases.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv:1801.04381, with the changes of
those code bases (`mobile_half`): the second stage has stride 1, the activation is ReLU instead of ReLU6, the first
stage has its own (idle) expansion, and channels are rounded down to whole numbers instead of to multiples of 8.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from .base import KAIMING, StagedBackbone, conv1x1, conv3x3, unit

# Channels at full width, blocks and first stride of each stage.
STAGES = ((16, 1, 1), (24, 2, 1), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


class InvertedResidual(nn.Module):
    """1x1 up, 3x3 depthwise, 1x1 down without an activation; a shortcut if the shape stays the same."""

    def __init__(self, in_channels: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand = unit(conv1x1(in_channels, wide))
        self.depthwise = unit(conv3x3(wide, wide, stride, groups=wide))
        self.project = unit(conv1x1(wide, channels), relu=False)
        self.shortcut = stride == 1 and in_channels == channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        out = self.project(self.depthwise(self.expand(x)))
        return x + out if self.shortcut else out


class CIFARMobileNetV2(StagedBackbone):
    """MobileNetV2; for 32x32 images the maps are 16x16 (`layer1`, `layer2`), 8x8, 4x4, 4x4 and 2x2.

    The stages are `layer1` to `layer7`, linear (no ReLU), and `conv2`, the 1x1 convolution to the last channels. The
    maps that mdistiller calls features are those of `layer2`, `layer3`, `layer5` and `layer7`. The input of the last
    ReLU is the output of `conv2.bn`.

    Args:
        widen_factor: Width of all but the last channels, which are 1280 for a width up to 1.
        expansion: Expansion of the inverted residuals, except the first.
        final_relu: False leaves out the ReLU of `conv2`, as in the student of NORM.
        out_indices: Which of the eight stages are returned.
        init_cfg: Same as in mmengine; the default is the original's.
    """

    stages = ('layer1', 'layer2', 'layer3', 'layer4', 'layer5', 'layer6', 'layer7', 'conv2')

    def __init__(
        self,
        widen_factor: float = 0.5,
        expansion: int = 6,
        final_relu: bool = True,
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        in_channels = int(32 * widen_factor)
        self.stem = unit(conv3x3(3, in_channels, stride=2))
        for i, (name, (full, count, stride)) in enumerate(zip(self.stages[:-1], STAGES, strict=True)):
            channels = int(full * widen_factor)
            ratio = expansion if i else 1
            blocks = [InvertedResidual(in_channels, channels, stride, ratio)]
            blocks += [InvertedResidual(channels, channels, 1, ratio) for _ in range(count - 1)]
            self.add_module(name, nn.Sequential(*blocks))
            in_channels = channels
        self.conv2 = unit(conv1x1(in_channels, int(1280 * max(1.0, widen_factor))), relu=final_relu)
