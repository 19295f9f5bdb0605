"""ResNet for 32x32 images: three stages of basic blocks.

Source: He et al., "Deep Residual Learning for Image Recognition", arXiv:1512.03385. Widths and projections
are those of the CRD and mdistiller code bases (HobbitLong/RepDistiller, megvii-research/mdistiller): a 1x1 convolution
with batch norm where the shape changes, and a form of four times the width (`resnet8x4`, `resnet32x4`) whose stem has
32 channels. The paper's own shortcuts, its option A, have no weights.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import pad

from .base import KAIMING, StagedBackbone, conv1x1, conv3x3, unit


class PadShortcut(nn.Module):
    """A shortcut without weights: every `stride`-th pixel, with the added channels as zeros, half on each side.

    Args:
        added: How many channels the block adds, an even number.
        stride: Stride of the block.
    """

    def __init__(self, added: int, stride: int) -> None:
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + added, H / stride, W / stride)."""
        return pad(x[..., :: self.stride, :: self.stride], [0, 0, 0, 0, self.added // 2, self.added // 2])


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; ReLU after the sum, in `relu`."""

    def __init__(self, in_channels: int, channels: int, stride: int, shortcut: str = 'conv') -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if shortcut == 'pad' and (stride != 1 or in_channels != channels):
            self.downsample = PadShortcut(channels - in_channels, stride)
        elif stride != 1 or in_channels != channels:
            self.downsample = unit(conv1x1(in_channels, channels, stride), relu=False)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu1(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class CIFARResNet(StagedBackbone):
    """ResNet with three stages; for 32x32 images the maps are 32x32, 16x16 and 8x8.

    The stages are `layer1` to `layer3`. The input of a stage's last ReLU is recorded by `dict(type='ModuleInputs',
    source='backbone.layer3.8.relu')`, where 8 is the last of its (depth - 2) / 6 blocks.

    Args:
        depth: 6n + 2: 8, 14, 20, 32, 44, 56, 110.
        channels: Channels of the stem and the stages: (16, 16, 32, 64), or (32, 64, 128, 256) for the forms called x4.
        out_indices: Which stages are returned, post-ReLU.
        shortcut: The shortcut where the shape changes: 'conv', a 1x1 convolution with batch norm, or 'pad', the
            subsampled map with zeros for the new channels (the paper's option A).
        init_cfg: Same as in mmengine; the default is the original's.

    Raises:
        ValueError: If there is no such depth or shortcut.
    """

    stages = ('layer1', 'layer2', 'layer3')

    def __init__(
        self,
        depth: int,
        channels: Sequence[int] = (16, 16, 32, 64),
        out_indices: Sequence[int] = (-1,),
        shortcut: str = 'conv',
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f'depth must be 6n + 2 (8, 14, 20, 32, 44, 56, 110), got {depth}')
        if len(channels) != 4:
            raise ValueError(f'channels must be those of the stem and of 3 stages, got {tuple(channels)}')
        if shortcut not in ('conv', 'pad'):
            raise ValueError(f"shortcut must be 'conv' or 'pad', got {shortcut!r}")
        self.stem = unit(conv3x3(3, channels[0]))
        for i, name in enumerate(self.stages):
            strides = [1 if i == 0 else 2] + [1] * ((depth - 2) // 6 - 1)
            widths = [channels[i]] + [channels[i + 1]] * (len(strides) - 1)
            blocks = [BasicBlock(width, channels[i + 1], s, shortcut) for width, s in zip(widths, strides, strict=True)]
            self.add_module(name, nn.Sequential(*blocks))
