"""NORM's normalised logits, for the loss that a head computes.

Source: the released code of NORM (OSVAI/NORM, `helper/loops.py`); the paper's abstract does not mention it.

    L = loss( scale * (z - mean(z)) / sqrt(var(z) + 1e-7), ... )    mean and variance over the K classes of a sample

The released code normalises the student's logits for cross-entropy, and those of student and teacher for KD
(`LogitNormConnector`). The order of the classes does not change, so the deployed model returns raw logits.

Shapes: N samples, K classes.
"""

from typing import Any

from torch import Tensor, nn

from mmkd_ext.functional import normalise_logits
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class LogitNormLoss(nn.Module):
    """Applies another loss to normalised logits; for the `loss` of an mmpretrain head.

        head=dict(loss=dict(type='mmkd_ext.LogitNormLoss', loss=dict(type='CrossEntropyLoss', loss_weight=0.125)))

    Args:
        loss: Config of the loss, whose first argument is the logits.
        scale: Standard deviation of the normalised logits.
        loss_weight: Factor on the result, in addition to that of `loss`.
    """

    def __init__(self, loss: dict, scale: float = 2.5, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss = MODELS.build(loss)
        self.scale = scale
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The loss of logits (N, K) and its other arguments."""
        return self.loss_weight * self.loss(normalise_logits(logits, self.scale), *args, **kwargs)
