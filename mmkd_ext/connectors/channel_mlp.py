"""The non-linear channel-wise transformation of CWT: each position's channels go through a small perceptron.

Source: arXiv:2303.13212 (see `losses/cwt.py`): MLP(x) = W2 ReLU(W1 x), made of 1x1 convolutions with bias. The paper
does not state whether another convolution first brings the student to the teacher's width, nor how wide the hidden
layer is; the defaults are no such convolution and the teacher's width.
"""

from torch import Tensor, nn

from mmkd_ext.functional import for_pointwise
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class ChannelMLPConnector(nn.Module):
    """1x1 convolution, ReLU, 1x1 convolution.

    Args:
        in_channels: Channels of the student's map.
        out_channels: Channels of the teacher's map.
        hidden_channels: Width between the two convolutions, at least 1; None uses `out_channels`.
        align: Another 1x1 convolution in front, from `in_channels` to `out_channels`, as in MGD's code if the two
            differ. It adds weights, but nothing that the first convolution could not learn.

    Raises:
        ValueError: If `hidden_channels` is less than 1.
    """

    def __init__(
        self, in_channels: int, out_channels: int, hidden_channels: int | None = None, align: bool = False
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.align = nn.Conv2d(in_channels, out_channels, 1) if align else nn.Identity()
        width = out_channels if align else in_channels
        if hidden_channels is None:
            hidden_channels = out_channels
        elif not isinstance(hidden_channels, int) or hidden_channels < 1:
            raise ValueError(f'hidden_channels must be a whole number of at least 1 or None, got {hidden_channels!r}')
        self.mlp = nn.Sequential(
            nn.Conv2d(width, hidden_channels, 1), nn.ReLU(), nn.Conv2d(hidden_channels, out_channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W).

        Raises:
            ValueError: If `x` is not a map of `in_channels` channels.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels} expects (B, {self.in_channels}, H, W), got {tuple(x.shape)}'
            )
        return self.mlp(self.align(for_pointwise(x)))
