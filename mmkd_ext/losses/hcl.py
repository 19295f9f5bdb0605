"""Hierarchical context loss (HCL) of ReviewKD: squared distance of maps at full size and averaged to smaller ones.

Source: Chen et al., "Distilling Knowledge via Knowledge Review", arXiv:2104.09044, in the form of the released code.

    level = ( MSE_full + 1/2 MSE_a + 1/4 MSE_b + ... ) / ( 1 + 1/2 + 1/4 + ... )
    L = sum over levels of level

MSE is the mean over all elements; a, b, ... are the sizes out of 4x4, 2x2 and 1x1 that are smaller than the map's
height, to which the maps are averaged. The student's maps come from the connector `ABFConnector`.

Shapes: a level is B images, C channels, H x W positions; an embedding (B, C) counts as one position.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, mse_loss

from mmkd_ext.functional import at_least_float32, check_same_shape
from mmkd_ext.registry import MODELS


def hcl_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Mean squared distance over a pyramid of sizes, summed over levels.

    Args:
        student: One map (B, C, H, W) or embedding (B, C) per level.
        teacher: The same number, of the same shapes; no gradient reaches them.

    Returns:
        0-dim.

    Raises:
        ValueError: If the lists differ in length or are empty, or the shapes of a level differ.
    """
    if not (isinstance(student, (list, tuple)) and isinstance(teacher, (list, tuple))):
        raise ValueError('expected lists of maps, one per level')
    if not student or len(student) != len(teacher):
        raise ValueError(f'expected the same number of levels, at least one, got {len(student)} and {len(teacher)}')
    pairs = enumerate(zip(student, teacher, strict=True))
    levels = [_level(_as_map(s), _as_map(t.detach()), i) for i, (s, t) in pairs]
    return sum(levels[1:], levels[0])


@MODELS.register_module()
class HCLLoss(nn.Module):
    """Weighted `hcl_loss`.

    Args:
        loss_weight: Factor on the result. ReviewKD used 0.6 to 8 for classifiers, 1 to 2 for detectors.
    """

    takes_levels = True

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """The loss of lists of maps (B, C, H, W) or embeddings (B, C), see `hcl_loss`."""
        return self.loss_weight * hcl_loss(student, teacher)


def _as_map(x: Tensor) -> Tensor:
    return x[:, :, None, None] if x.ndim == 2 else x


def _level(student: Tensor, teacher: Tensor, level: int) -> Tensor:
    """The weighted mean over sizes."""
    check_same_shape(student, teacher, 4, f'(B, C, H, W) at level {level}')
    student, teacher = at_least_float32(student, teacher)
    total, weights = mse_loss(student, teacher), 1.0
    sizes = [size for size in (4, 2, 1) if size < student.shape[2]]
    for i, size in enumerate(sizes, start=1):
        weight = 0.5**i
        total = total + weight * mse_loss(adaptive_avg_pool2d(student, size), adaptive_avg_pool2d(teacher, size))
        weights += weight
    return total / weights
