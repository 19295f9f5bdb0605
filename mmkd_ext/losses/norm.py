"""N-to-one representation matching (NORM): each segment of the student's wide map follows the teacher's whole map.

Source: Liu et al., "NORM: Knowledge Distillation via N-to-One Representation Matching", arXiv:2305.13803 (ICLR 2023),
in the form of the released code. The wide map is the output of `NORMNeck`'s `expand`; its channels are N segments of C,
in order.

    L = sum over k = 1..N of mean over b, c, h, w of ( E_k - F )^2

If one map is larger than the other, the released code max-pools it to the smaller size: the teacher's on CIFAR, the
student's on ImageNet. It also scales the loss by epoch (`LossWeightHook`, schedule `table`).

Shapes: B images, N segments, C channels of the teacher, H x W positions of the student's map, h x w of the teacher's.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d, mse_loss

from mmkd_ext.functional import at_least_float32
from mmkd_ext.registry import MODELS

_POOLS: dict[str | None, Any] = {'max': adaptive_max_pool2d, 'avg': adaptive_avg_pool2d, None: None}


def norm_loss(student: Tensor, teacher: Tensor, num_segments: int | None = None, pool: str | None = 'max') -> Tensor:
    """Mean squared difference, summed over segments; the teacher's map is compared N times without being copied.

    Args:
        student: Wide map, (B, N * C, H, W).
        teacher: Map, (B, C, h, w); no gradient reaches it.
        num_segments: N; None derives it from the two maps.
        pool: How the larger map is brought to the size of the smaller one: `max`, `avg`, or None, which refuses it.

    Returns:
        0-dim.

    Raises:
        ValueError: If the shapes are not these, or neither map is at least as large as the other in both directions.
    """
    n = _segments(student, teacher, num_segments)
    student, teacher = at_least_float32(student, teacher.detach())
    student, teacher = _same_size(student, teacher, _POOLS[pool])
    segments = student.unflatten(1, (n, -1))
    # N times the mean over all segments. The teacher is a view, and `mse_loss` keeps nothing else for backward.
    return n * mse_loss(segments, teacher.unsqueeze(1).expand_as(segments))


@MODELS.register_module()
class NORMLoss(nn.Module):
    """Weighted `norm_loss`.

    Args:
        num_segments: N. None derives it from the two maps, so that N is set in one place, the student's `NORMNeck`.
        pool: How the larger map is brought to the size of the smaller one: `max` as released, `avg`, or None, which
            refuses maps of different sizes.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If `num_segments` is less than 1 or `pool` is unknown.
    """

    def __init__(self, num_segments: int | None = None, pool: str | None = 'max', loss_weight: float = 1.0) -> None:
        super().__init__()
        if num_segments is not None and num_segments < 1:
            raise ValueError(f'num_segments must be at least 1, got {num_segments}')
        if pool not in _POOLS:
            raise ValueError(f"pool must be 'max', 'avg' or None, got {pool!r}")
        self.num_segments = num_segments
        self.pool = pool
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of maps (B, N * C, H, W) and (B, C, h, w), see `norm_loss`."""
        return self.loss_weight * norm_loss(student, teacher, self.num_segments, self.pool)


def _segments(student: Tensor, teacher: Tensor, expected: int | None) -> int:
    """The number of segments, N, in the maps to compare."""
    if student.ndim == teacher.ndim == 4 and len(student) == len(teacher):
        n = expected or max(student.shape[1] // teacher.shape[1], 1)
        if student.shape[1] == n * teacher.shape[1]:
            return n
    raise ValueError(
        f'expected shapes (B, {expected or "N"} * C, H, W) and (B, C, h, w), got {tuple(student.shape)} '
        f'and {tuple(teacher.shape)}'
    )


def _same_size(student: Tensor, teacher: Tensor, pool: Any) -> tuple[Tensor, Tensor]:
    ours, theirs = student.shape[2:], teacher.shape[2:]
    if ours == theirs:
        return student, teacher
    if pool is not None and all(s <= t for s, t in zip(ours, theirs, strict=True)):
        return student, pool(teacher, ours)
    if pool is not None and all(s >= t for s, t in zip(ours, theirs, strict=True)):
        return pool(student, theirs), teacher
    raise ValueError(f'the maps differ in shape: student {tuple(ours)}, teacher {tuple(theirs)}')
