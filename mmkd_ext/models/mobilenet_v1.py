"""MobileNetV1 for ImageNet.

Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
arXiv:1704.04861; mmpretrain only has V2 and V3.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from .base import StagedBackbone, conv1x1, conv3x3

# Channels at full width and number of blocks of each stage; the first block has stride 2.
STAGES = ((128, 2), (256, 2), (512, 6), (1024, 2))


def _separable(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """3x3 depthwise and 1x1, each with batch norm and ReLU; the last ReLU is called `relu`."""
    return nn.Sequential(
        OrderedDict(
            conv1=conv3x3(in_channels, in_channels, stride, groups=in_channels),
            bn1=nn.BatchNorm2d(in_channels),
            relu1=nn.ReLU(),
            conv2=conv1x1(in_channels, channels),
            bn2=nn.BatchNorm2d(channels),
            relu=nn.ReLU(),
        )
    )


class MobileNetV1(StagedBackbone):
    """A stem of two blocks and four stages with 12 blocks; for 224x224 images the maps are 56x56, 28x28, 14x14 and 7x7.

    The stages are `layer1` to `layer4`. The input of a stage's last ReLU is recorded by `dict(type='ModuleInputs',
    source='backbone.layer4.1.relu')`; the last block is 1, 1, 5 and 1.

    Args:
        widen_factor: Width; 1 ends with 1024 channels.
        out_indices: Which stages are returned, post-ReLU.
        init_cfg: Same as in mmengine; the default, as in the code bases of NORM and DKD, is PyTorch's.
    """

    stages = ('layer1', 'layer2', 'layer3', 'layer4')

    def __init__(
        self,
        widen_factor: float = 1.0,
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        first, in_channels = int(32 * widen_factor), int(64 * widen_factor)
        self.stem = nn.Sequential(
            OrderedDict(
                conv=conv3x3(3, first, 2),
                bn=nn.BatchNorm2d(first),
                relu=nn.ReLU(),
                separable=_separable(first, in_channels, 1),
            )
        )
        for name, (full, count) in zip(self.stages, STAGES, strict=True):
            channels = int(full * widen_factor)
            blocks = [_separable(in_channels, channels, 2)]
            blocks += [_separable(channels, channels, 1) for _ in range(count - 1)]
            self.add_module(name, nn.Sequential(*blocks))
            in_channels = channels
