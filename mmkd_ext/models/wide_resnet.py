"""Wide ResNet for 32x32 images: three stages of pre-activation blocks.

Source: Zagoruyko and Komodakis, "Wide Residual Networks", arXiv:1605.07146 (block type B(3, 3), no dropout).
Where a block changes the width, its shortcut is a 1x1 convolution of the activated input.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from .base import KAIMING, StagedBackbone, conv1x1, conv3x3


class PreActBlock(nn.Module):
    """Batch norm, ReLU and 3x3 convolution, twice, and a shortcut; nothing after the sum."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv2 = conv3x3(channels, channels)
        # As in the original, only the width decides; a stage that halves the map also widens it.
        self.shortcut = conv1x1(in_channels, channels, stride) if in_channels != channels else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        active = self.relu1(self.bn1(x))
        shortcut = x if self.shortcut is None else self.shortcut(active)
        return shortcut + self.conv2(self.relu2(self.bn2(self.conv1(active))))


class WideResNet(StagedBackbone):
    """WRN-depth-width; for 32x32 images the maps are 32x32, 16x16, 8x8 and 8x8.

    The stages are `layer1` to `layer3`, sums without an activation, and `final`, the batch norm and ReLU after
    `layer3`. The batch-normalised map of `layer1`, before ReLU, is the output of `layer2.0.bn1`; that of `layer2` is
    the output of `layer3.0.bn1`, and that of `layer3` the output of `final.bn`.

    Args:
        depth: 6n + 4: 16, 40.
        widen_factor: The stages have 16, 32 and 64 times as many channels.
        out_indices: Which of the four stages are returned. The classifier pools the last one, post-ReLU.
        init_cfg: Same as in mmengine; the default is the original's.

    Raises:
        ValueError: If there is no such depth or width.
    """

    stages = ('layer1', 'layer2', 'layer3', 'final')

    def __init__(
        self,
        depth: int,
        widen_factor: int = 1,
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f'depth must be 6n + 4 (10, 16, 22, 28, 34, 40), got {depth}')
        if widen_factor < 1:
            raise ValueError(f'widen_factor must be at least 1, got {widen_factor}')
        in_channels = 16
        self.stem = conv3x3(3, in_channels)
        for i, name in enumerate(self.stages[:3]):
            channels = 16 * 2**i * widen_factor
            blocks = [PreActBlock(in_channels, channels, 1 if i == 0 else 2)]
            blocks += [PreActBlock(channels, channels, 1) for _ in range((depth - 4) // 6 - 1)]
            self.add_module(name, nn.Sequential(*blocks))
            in_channels = channels
        self.final = nn.Sequential(OrderedDict(bn=nn.BatchNorm2d(in_channels), relu=nn.ReLU()))
