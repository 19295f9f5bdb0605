"""The intra-layer term of Tf-FD: a stage's salient channels teach its redundant ones.

Source: Li, "Self-Regulated Feature Learning via Teacher-free Feature Distillation" (Tf-FD), ECCV 2022.

    s_c = mean over b, h, w of f_c / ||f_c||, the norm of each image's channel over its positions
    L = mean over stages, images, positions and r = 1..C/2 of ( f_(r) - f_(C/2 + r) )^2

f_(1), f_(2), ... are the channels in order of decreasing s_c, which is computed over the batch and has no gradient.
After ReLU a channel that is active everywhere is salient, one that is active in a few places is not. If the number of
channels is odd, the middle one is left out. The released code first detached the salient half, later neither half. The
term is added to `TFDLoss`, with a similarly small weight: the released one is 1e-4 to 1e-3.

Shapes: a stage has B images, C channels, H x W positions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from mmkd_ext.functional import stage_maps
from mmkd_ext.registry import MODELS


def intra_tfd_loss(features: Sequence[Tensor], detach_salient: bool = True) -> Tensor:
    """Mean squared difference of each stage's redundant channels and its salient ones, averaged over stages.

    Args:
        features: A network's maps (B, C_i, H_i, W_i), in any order.
        detach_salient: False lets the salient half learn from the redundant one, too.

    Returns:
        0-dim.

    Raises:
        ValueError: If these are not such maps, or one has a single channel.
    """
    terms = [_stage(x, i, detach_salient) for i, x in enumerate(stage_maps(features))]
    return sum(terms[1:], terms[0]) / len(terms)


@MODELS.register_module()
class IntraTFDLoss(nn.Module):
    """Weighted `intra_tfd_loss`.

    Args:
        detach_salient: False lets the salient half learn from the redundant one, too.
        loss_weight: Factor on the result.
    """

    takes_levels = True

    def __init__(self, detach_salient: bool = True, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.detach_salient = detach_salient
        self.loss_weight = loss_weight

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The loss of a network's maps (B, C_i, H_i, W_i), in any order, see `intra_tfd_loss`."""
        return self.loss_weight * intra_tfd_loss(features, self.detach_salient)


def _stage(x: Tensor, i: int, detach_salient: bool) -> Tensor:
    half = x.shape[1] // 2
    if not half:
        raise ValueError(f'stage {i} has 1 channel, which cannot be split into halves')
    order = _by_saliency(x.detach())
    salient = (x.detach() if detach_salient else x).index_select(1, order[:half])
    return mse_loss(x.index_select(1, order[-half:]), salient)


def _by_saliency(x: Tensor) -> Tensor:
    """The channels' indices, the most salient first; ties keep their order."""
    maps = x.flatten(2)
    directions = maps.sum(dim=2) / torch.linalg.vector_norm(maps, dim=2).clamp(min=1e-12)
    return directions.mean(dim=0).argsort(descending=True, stable=True)
