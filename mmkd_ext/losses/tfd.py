"""Teacher-free distillation (TFD): a network's deep stages teach its shallow ones.

Source: Li, Liang, Yang and Jin, "Teacher-free Distillation via Regularizing Intermediate Representation", IJCNN 2022,
    doi 10.1109/IJCNN55064.2022.9892575; in Tf-FD (ECCV 2022) this is the inter-layer term.

    L_ij = mean over b, c, h, w of ( pool(f_i) - f_j[first C_i channels] )^2
    L = mean over pairs i < j of L_ij

`pool` averages the shallow map to the deep map's size, and the deep map gets no gradient: only the network itself is
trained. The released weight is small, 5e-4 to 1e-2, and grows over the first 20 epochs (`LossWeightHook`).

Shapes: stage i has B images, C_i channels, H_i x W_i positions; a deeper stage has no fewer channels, and no more
    positions in either direction.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, mse_loss

from mmkd_ext.functional import stage_maps
from mmkd_ext.registry import MODELS


def tfd_loss(features: Sequence[Tensor], pairs: Sequence[Sequence[int]] | None = None) -> Tensor:
    """Mean squared difference of pooled shallow maps and detached deep maps, averaged over pairs of stages.

    Args:
        features: A network's maps (B, C_i, H_i, W_i), shallow to deep.
        pairs: The (shallow, deep) stages that are compared, counted from 0. None takes all pairs.

    Returns:
        0-dim.

    Raises:
        ValueError: If these are not such maps or there are too few, or a deep map has fewer channels or is larger.
    """
    maps = stage_maps(features)
    pairs = pairs or list(combinations(range(max(len(maps), 2)), 2))
    stages = 1 + max(deep for _, deep in pairs)
    if len(maps) < stages:
        raise ValueError(f'expected {stages} stages or more, got {len(maps)}')
    terms = []
    pooled = maps.copy()  # each stage as it was last compared
    for i, j in pairs:
        _check(maps[i], maps[j], i, j)
        pooled[i] = _pool(maps[i], maps[j].shape[2:], pooled[i])
        terms.append(mse_loss(pooled[i], maps[j].detach()[:, : maps[i].shape[1]]))
    return sum(terms[1:], terms[0]) / len(terms)


@MODELS.register_module()
class TFDLoss(nn.Module):
    """Weighted `tfd_loss`.

    Args:
        pairs: The (shallow, deep) stages that are compared, counted from 0. None takes all pairs.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If a pair is not two stages with the shallow one first.
    """

    takes_levels = True

    def __init__(self, pairs: Sequence[Sequence[int]] | None = None, loss_weight: float = 1.0) -> None:
        super().__init__()
        if pairs is not None and not (pairs and all(map(_is_pair, pairs))):
            raise ValueError(f'pairs must be (shallow, deep) stages, counted from 0, or None for all, got {pairs!r}')
        self.pairs = pairs
        self.loss_weight = loss_weight

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """The loss of a network's maps (B, C_i, H_i, W_i), shallow to deep, see `tfd_loss`."""
        return self.loss_weight * tfd_loss(features, self.pairs)


def _is_pair(pair: Any) -> bool:
    two = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(i, int) for i in pair)
    return two and 0 <= pair[0] < pair[1]


def _check(shallow: Tensor, deep: Tensor, i: int, j: int) -> None:
    larger = any(s < d for s, d in zip(shallow.shape[2:], deep.shape[2:], strict=True))
    if larger or deep.shape[1] < shallow.shape[1]:
        raise ValueError(
            f'stage {j} of shape {tuple(deep.shape)} cannot teach stage {i} of shape {tuple(shallow.shape)}: a deep '
            'stage has at least as many channels and no more rows or columns'
        )


def _pool(x: Tensor, size: Sequence[int], pooled: Tensor) -> Tensor:
    """Averages over bins; if all bins are equal, it continues from `pooled`, made from `x`, which costs less.

    Adaptive bins are used only where needed: on GPUs their gradient is not deterministic.
    """
    if _divides(pooled.shape[2:], x.shape[2:]) and _divides(size, pooled.shape[2:]):
        x = pooled
    if not _divides(size, x.shape[2:]):
        return adaptive_avg_pool2d(x, (size[0], size[1]))
    kernel = [n // bins for n, bins in zip(x.shape[2:], size, strict=True)]
    return x if kernel == [1, 1] else avg_pool2d(x, kernel)


def _divides(bins: Sequence[int], size: Sequence[int]) -> bool:
    return all(n % b == 0 for b, n in zip(bins, size, strict=True))
