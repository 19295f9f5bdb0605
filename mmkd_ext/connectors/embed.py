"""The projection of an embedding to the teacher's width, which ND uses if the two differ.

Source: arXiv:2305.17007 (see `losses/nd.py`), released code: batch norm, dropout, one linear layer.

Shapes: N samples, C channels. The classifier still gets the original embedding.
"""

from torch import Tensor, nn

from mmkd_ext.registry import MODELS


@MODELS.register_module()
class EmbedConnector(nn.Module):
    """BatchNorm1d, Dropout, Linear.

    Args:
        in_channels: Channels of the student's embedding.
        out_channels: Channels of the teacher's embedding.
        dropout: Probability that a channel is dropped in training.
        init_std: Draw the linear layer's weight and bias from N(0, init_std), 0.01 in the ImageNet settings. None is
            the CIFAR setting: torch's default weight, and a bias of 0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, dropout: float = 0.5, init_std: float | None = None
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        linear = nn.Linear(in_channels, out_channels)
        if init_std is None:
            nn.init.zeros_(linear.bias)
        else:
            nn.init.normal_(linear.weight, std=init_std)
            nn.init.normal_(linear.bias, std=init_std)
        self.embed = nn.Sequential(nn.BatchNorm1d(in_channels), nn.Dropout(dropout), linear)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels) to (N, out_channels).

        Raises:
            ValueError: If `x` is not an embedding of `in_channels` channels.
        """
        if x.ndim != 2 or x.shape[1] != self.in_channels:
            raise ValueError(f'in_channels={self.in_channels} expects (N, {self.in_channels}), got {tuple(x.shape)}')
        if self.training and len(x) == 1:
            raise ValueError(
                'a batch of one sample has no batch statistics; set train_dataloader.drop_last=True or a larger batch'
            )
        return self.embed(x)
