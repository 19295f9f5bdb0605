"""NORM's normalised logits, for distillation: see `losses/logit_norm.py`, which normalises those of the head's loss."""

from torch import Tensor, nn

from mmkd_ext.functional import normalise_logits
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class LogitNormConnector(nn.Module):
    """Logits of mean 0 and standard deviation `scale`; nothing is trained, so student and teacher may share it.

    Args:
        scale: Their standard deviation over the classes.
    """

    def __init__(self, scale: float = 2.5) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) to the same shape.

        Raises:
            ValueError: If `x` is not (N, K).
        """
        if x.ndim != 2:
            raise ValueError(f'expected logits (N, K), got {tuple(x.shape)}')
        return normalise_logits(x, self.scale)
