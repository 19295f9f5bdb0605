"""NORM's normalised logits, for distillation; `losses/logit_norm.py` normalises those of the head's loss."""

from torch import Tensor, nn

from mmkd_ext.functional import normalise_logits
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class LogitNormConnector(nn.Module):
    """Normalises logits to mean 0 and standard deviation `scale`; it has no weights, so both sides may share it.

    Args:
        scale: Standard deviation over the classes.
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
