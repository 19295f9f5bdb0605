"""VGG for 32x32 images: five stages of 3x3 convolutions, with batch norm, and one linear layer in the head.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv:1409.1556,
in the form of the CRD and mdistiller code bases: batch norm, max pooling after the first three stages only, average
pooling and a single linear layer at the end, and a VGG-8 with one convolution per stage.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from .base import KAIMING, StagedBackbone

CONVS = {8: 1, 13: 2}  # convolutions per stage
CHANNELS = (64, 128, 256, 512, 512)


class CIFARVGG(StagedBackbone):
    """VGG with batch norm; for 32x32 images the maps are 32x32, 16x16, 8x8, 4x4 and 4x4.

    The stages are `layer1` to `layer5`; the input of a stage's last ReLU is recorded by `dict(type='ModuleInputs',
    source='backbone.layer5.relu')`. The pooling between two stages belongs to the second.

    Args:
        depth: 8 or 13.
        out_indices: Which stages are returned, post-ReLU.
        init_cfg: Same as in mmengine; the default is the original's.

    Raises:
        ValueError: If there is no such depth.
    """

    stages = ('layer1', 'layer2', 'layer3', 'layer4', 'layer5')

    def __init__(
        self,
        depth: int,
        out_indices: Sequence[int] = (-1,),
        init_cfg: dict | list[dict] | None = KAIMING,
    ) -> None:
        super().__init__(out_indices, init_cfg)
        if depth not in CONVS:
            raise ValueError(f'depth must be one of {sorted(CONVS)}, got {depth}')
        self.stem = nn.Identity()
        in_channels = 3
        for i, (name, channels) in enumerate(zip(self.stages, CHANNELS, strict=True)):
            parts: OrderedDict[str, nn.Module] = OrderedDict()
            if 0 < i < 4:
                parts['pool'] = nn.MaxPool2d(2)
            for k in range(1, CONVS[depth] + 1):
                parts[f'conv{k}'] = nn.Conv2d(in_channels, channels, 3, padding=1)
                parts[f'bn{k}'] = nn.BatchNorm2d(channels)
                if k < CONVS[depth]:
                    parts[f'relu{k}'] = nn.ReLU()
                in_channels = channels
            parts['relu'] = nn.ReLU()
            self.add_module(name, nn.Sequential(parts))
