"""The base of the backbones: stages that run in turn and are returned by index, and the usual layers."""

from collections import OrderedDict
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

# Normal with the variance 2 / (k * k * C_out), of every convolution (also depthwise); batch norm 1 and 0, biases 0.
KAIMING: list[dict] = [
    dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu', distribution='normal'),
    dict(type='Constant', layer='_BatchNorm', val=1, bias=0),
]


def conv3x3(in_channels: int, out_channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps the size, apart from the stride."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1, groups=groups, bias=False)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A 1x1 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 1, stride, groups=groups, bias=False)


def unit(conv: nn.Conv2d, relu: bool = True) -> nn.Sequential:
    """A convolution and its batch norm, then ReLU; the parts are called `conv`, `bn` and `relu`."""
    parts: list[tuple[str, nn.Module]] = [('conv', conv), ('bn', nn.BatchNorm2d(conv.out_channels))]
    return nn.Sequential(OrderedDict([*parts, ('relu', nn.ReLU())] if relu else parts))


class StagedBackbone(BaseModule):
    """A stem and stages that run in turn.

    A subclass names its stages, and has a module of each name and one called `stem`. The module of a stage returns
    exactly what the backbone returns for it, so a recorder of the module and `out_indices` see the same map.

    Args:
        out_indices: Which stages are returned; negative ones count from the end.
        init_cfg: Same as in mmengine. None keeps PyTorch's default initialisation.

    Raises:
        ValueError: If `out_indices` names no stage, or one that does not exist.
    """

    stages: tuple[str, ...]

    def __init__(self, out_indices: Sequence[int], init_cfg: dict | list[dict] | None) -> None:
        super().__init__(init_cfg)
        count = len(self.stages)
        if not out_indices or not all(-count <= i < count for i in out_indices):
            raise ValueError(f'out_indices must be among the {count} stages {self.stages}, got {tuple(out_indices)}')
        self.out_indices = sorted({i % count for i in out_indices})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) to the maps of `out_indices`, in the order of the stages."""
        x = self.stem(x)
        maps = []
        for i, name in enumerate(self.stages[: self.out_indices[-1] + 1]):
            x = getattr(self, name)(x)
            if i in self.out_indices:
                maps.append(x)
        return tuple(maps)
