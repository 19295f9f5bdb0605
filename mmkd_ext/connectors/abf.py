"""Attention-based fusion (ABF) of ReviewKD: each level of the student is fused with the levels above it.

Source: Chen et al., "Distilling Knowledge via Knowledge Review", arXiv:2104.09044, in the form of the released
code.

    From the deepest level up to the shallowest:
    x = BN(conv1x1(student's level)) of `mid_channels`
    below the deepest: above is resized to x; g = sigmoid(conv1x1([x, above])) of two maps; x = g_0 x + g_1 above
    above = x, resized to the teacher's size if it differs
    result = BN(conv3x3(above)) of the teacher's channels

Resizing uses the nearest value. The results go into `HCLLoss`.

Shapes: a level is B images, C channels, H x W positions; an embedding (B, C) counts as one position.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmkd_ext.registry import MODELS


@MODELS.register_module()
class ABFConnector(nn.Module):
    """Fuses all levels, given shallow to deep, and returns as many.

    Args:
        in_channels: Channels of the student's levels.
        out_channels: Channels of the teacher's levels.
        mid_channels: Width of the fusion; None uses that of the student's last level, at most 512. Detectors and
            MobileNet used 256.
        out_sizes: Sizes of the teacher's levels, each a whole number or (H, W), if they differ from the student's.
    """

    takes_levels = True

    def __init__(
        self,
        in_channels: list[int],
        out_channels: list[int],
        mid_channels: int | None = None,
        out_sizes: list[int | tuple[int, int]] | None = None,
    ) -> None:
        super().__init__()
        if not in_channels or len(in_channels) != len(out_channels):
            raise ValueError(
                'in_channels, out_channels must list the same number of levels, at least one, '
                f'got {len(in_channels)} and {len(out_channels)}'
            )
        if out_sizes is not None and len(out_sizes) != len(in_channels):
            raise ValueError(f'out_sizes must list {len(in_channels)} levels, like in_channels, got {len(out_sizes)}')
        self.in_channels = in_channels
        self.out_sizes = out_sizes
        mid = mid_channels or min(512, in_channels[-1])
        self.fusions = nn.ModuleList(
            _Fusion(c_in, mid, c_out, is_top=i == len(in_channels) - 1)
            for i, (c_in, c_out) in enumerate(zip(in_channels, out_channels, strict=True))
        )

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels (B, in_channels[i], H, W) or (B, in_channels[i]) to maps (B, out_channels[i], H, W).

        Raises:
            ValueError: If the number of levels is not that of `in_channels`, or a level has other channels.
        """
        if not isinstance(levels, (list, tuple)) or len(levels) != len(self.in_channels):
            given = len(levels) if isinstance(levels, (list, tuple)) else f'a {type(levels).__name__}'
            raise ValueError(f'in_channels lists {len(self.in_channels)} levels, got {given}')
        above, results = None, []
        for i in reversed(range(len(levels))):
            x = levels[i][:, :, None, None] if levels[i].ndim == 2 else levels[i]
            c = self.in_channels[i]
            if x.ndim != 4 or x.shape[1] != c:
                raise ValueError(
                    f'in_channels[{i}]={c} expects (B, {c}, H, W) or (B, {c}), got {tuple(levels[i].shape)}'
                )
            result, above = self.fusions[i](x, above, self.out_sizes[i] if self.out_sizes else None)
            results.append(result)
        return results[::-1]


class _Fusion(nn.Module):
    """One level; the deepest (`is_top`) has nothing above it."""

    def __init__(self, in_channels: int, mid_channels: int, out_channels: int, is_top: bool) -> None:
        super().__init__()
        reduce = nn.Conv2d(in_channels, mid_channels, 1, bias=False)
        output = nn.Conv2d(mid_channels, out_channels, 3, padding=1, bias=False)
        for conv in (reduce, output):
            nn.init.kaiming_uniform_(conv.weight, a=1)
        self.reduce = nn.Sequential(reduce, nn.BatchNorm2d(mid_channels))
        self.gates = None if is_top else nn.Conv2d(2 * mid_channels, 2, 1)
        self.output = nn.Sequential(output, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor, above: Tensor | None, size: int | tuple[int, int] | None) -> tuple[Tensor, Tensor]:
        """The level's result, and what is passed to the level below."""
        x = self.reduce(x)
        if self.gates is not None and above is not None:
            above = interpolate(above, x.shape[2:])
            gates = self.gates(torch.cat([x, above], dim=1)).sigmoid()
            x = x * gates[:, :1] + above * gates[:, 1:]
        if size is not None:
            x = interpolate(x, size)
        return self.output(x), x
