"""The non-linear channel-wise transformation of CWT: each position's channels go through a small perceptron.

Source: arXiv:2303.13212 (see `losses/cwt.py`): MLP(x) = W2 ReLU(W1 x), made of 1x1 convolutions with bias. The hidden
width is not stated there; the teacher's width is the default.
"""

from torch import Tensor, nn

from mmkd_ext.registry import MODELS


@MODELS.register_module()
class ChannelMLPConnector(nn.Module):
    """1x1 convolution, ReLU, 1x1 convolution.

    Args:
        in_channels: Channels of the student's map.
        out_channels: Channels of the teacher's map.
        hidden_channels: Width between the two; `out_channels` where it is None.
    """

    def __init__(self, in_channels: int, out_channels: int, hidden_channels: int | None = None) -> None:
        super().__init__()
        self.in_channels = in_channels
        hidden_channels = hidden_channels or out_channels
        self.mlp = nn.Sequential(
            nn.Conv2d(in_channels, hidden_channels, 1), nn.ReLU(), nn.Conv2d(hidden_channels, out_channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W).

        Raises:
            ValueError: If `x` is no map of `in_channels` channels.
        """
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'in_channels={self.in_channels} expects (B, {self.in_channels}, H, W), got {tuple(x.shape)}'
            )
        return self.mlp(x)
