"""ShuffleNet V1 and V2 for 32x32 images, as in the CRD and mdistiller code bases.

Sources: Zhang et al., "ShuffleNet", arXiv:1707.01083 (3 groups, 240 to 960 channels), and Ma et al.,
"ShuffleNet V2", arXiv:1807.11164 (1x: 116 to 464 channels, 1024 at the end), with the changes of those code
bases: the stem is a 1x1 convolution without stride or pooling, and V1 has a ReLU after its depthwise convolution.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .base import StagedBackbone, conv1x1, conv3x3, unit

STEM = 24
BLOCKS = (4, 8, 4)


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Reorder the channels of (B, C, H, W): the first of each group, then the second of each, and so on."""
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


class ShuffleUnitV1(nn.Module):
    """Grouped 1x1, shuffle, 3x3 depthwise, grouped 1x1; the input is added or, pooled, concatenated."""

    def __init__(self, in_channels: int, channels: int, stride: int, groups: int) -> None:
        super().__init__()
        out_channels = channels - in_channels if stride == 2 else channels
        middle = out_channels // 4
        self.groups = 1 if in_channels == STEM else groups  # the few channels of the stem are not grouped
        self.conv1 = conv1x1(in_channels, middle, groups=self.groups)
        self.bn1 = nn.BatchNorm2d(middle)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(middle, middle, stride, groups=middle)
        self.bn2 = nn.BatchNorm2d(middle)
        self.relu2 = nn.ReLU()
        self.conv3 = conv1x1(middle, out_channels, groups=groups)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        out = shuffle(self.relu1(self.bn1(self.conv1(x))), self.groups)
        out = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(out)))))
        return self.relu(out + x if self.pool is None else torch.cat([out, self.pool(x)], 1))


class ShuffleUnitV2(nn.Module):
    """Half of the channels through 1x1, 3x3 depthwise and 1x1, concatenated with the other half; then shuffle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = conv1x1(half, half)
        self.bn1 = nn.BatchNorm2d(half)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(half, half, groups=half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv1x1(half, half)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape; `x` is not negative, so the ReLU leaves its half unchanged."""
        kept, out = x.chunk(2, dim=1)
        out = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(out)))))
        return shuffle(self.relu(torch.cat([kept, self.bn3(self.conv3(out))], 1)), 2)


class ShuffleDownV2(nn.Module):
    """Two branches of all channels, each with a 3x3 depthwise convolution of stride 2, concatenated; then shuffle."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = conv3x3(in_channels, in_channels, 2, groups=in_channels)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv2 = conv1x1(in_channels, half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv1x1(in_channels, half)
        self.bn3 = nn.BatchNorm2d(half)
        self.relu3 = nn.ReLU()
        self.conv4 = conv3x3(half, half, 2, groups=half)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = conv1x1(half, half)
        self.bn5 = nn.BatchNorm2d(half)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, channels, H / 2, W / 2)."""
        left = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        right = self.bn4(self.conv4(self.relu3(self.bn3(self.conv3(x)))))
        return shuffle(self.relu(torch.cat([left, self.bn5(self.conv5(right))], 1)), 2)


class CIFARShuffleNetV1(StagedBackbone):
    """ShuffleNet V1; for 32x32 images the maps are 16x16, 8x8 and 4x4.

    The stages are `layer1` to `layer3`. The input of a stage's last ReLU is recorded by `dict(type='ModuleInputs',
    source='backbone.layer3.3.relu')`; the last unit is 3, 7 and 3.

    Args:
        channels: Channels of the stages.
        groups: Groups of the grouped convolutions.
        out_indices: Which stages are returned, post-ReLU.
        init_cfg: Same as in mmengine; the default, as in the original, is PyTorch's.
    """

    stages = ('layer1', 'layer2', 'layer3')

    def __init__(
        self,
        channels: Sequence[int] = (240, 480, 960),
        groups: int = 3,
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        self.stem = unit(conv1x1(3, STEM))
        in_channels = STEM
        for name, width, count in zip(self.stages, channels, BLOCKS, strict=True):
            units = [ShuffleUnitV1(in_channels, width, 2, groups)]
            units += [ShuffleUnitV1(width, width, 1, groups) for _ in range(count - 1)]
            self.add_module(name, nn.Sequential(*units))
            in_channels = width


class CIFARShuffleNetV2(StagedBackbone):
    """ShuffleNet V2; for 32x32 images the maps are 16x16, 8x8, 4x4 and 4x4.

    The stages are `layer1` to `layer3`, and `conv2`, the 1x1 convolution to the last channels. The input of a stage's
    last ReLU is recorded by `dict(type='ModuleInputs', source='backbone.layer3.3.relu')`, in the order before the
    shuffle (the last unit is 3, 7 and 3), and by `conv2.relu`.

    Args:
        channels: Channels of the stages, and the last ones.
        out_indices: Which of the four stages are returned, post-ReLU.
        init_cfg: Same as in mmengine; the default, as in the original, is PyTorch's.
    """

    stages = ('layer1', 'layer2', 'layer3', 'conv2')

    def __init__(
        self,
        channels: Sequence[int] = (116, 232, 464, 1024),
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        *widths, last = channels
        self.stem = unit(conv1x1(3, STEM))
        in_channels = STEM
        for name, width, count in zip(self.stages[:-1], widths, BLOCKS, strict=True):
            units = [ShuffleDownV2(in_channels, width), *(ShuffleUnitV2(width) for _ in range(count - 1))]
            self.add_module(name, nn.Sequential(*units))
            in_channels = width
        self.conv2 = unit(conv1x1(in_channels, last))
