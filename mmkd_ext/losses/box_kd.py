"""Knowledge distillation of box regression: a region's predicted box offsets follow the teacher's.

Not part of ND's released code, whose detectors only distil class logits and embeddings; an option for two-stage
detectors. Both heads must encode boxes alike (`bbox_coder` with the same means and standard deviations); RoIDistill
refuses any others.

    L = 1 / N * sum over foreground regions i of || student_i[y_i] - teacher_i[y_i] ||_1

Shapes: N regions, K foreground classes. Only the four offsets of a region's own class are compared, and background
regions (label K) add nothing. The loss is divided by all N regions, like the detectors' own box loss.
"""

import torch
from torch import Tensor, nn

from mmkd_ext.functional import check_labels, check_same_shape
from mmkd_ext.registry import MODELS


def box_kd_loss(student: Tensor, teacher: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """L1 distance of the box offsets of foreground regions, averaged over all regions.

    Args:
        student: Offsets, (N, 4 K), or (N, 4) of a class-agnostic head.
        teacher: Offsets of the same shape; no gradient reaches them.
        labels: The class of each region, (N,), from 0 to K, the background.
        num_classes: K, the number of foreground classes.

    Returns:
        0-dim; 0 if there is no foreground region.

    Raises:
        ValueError: If the shapes differ or are not as above.
    """
    check_same_shape(student, teacher, 2, '(N, 4 K)')
    check_labels(labels, len(student))
    if student.shape[1] not in (4, 4 * num_classes):
        raise ValueError(f'expected (N, {4 * num_classes}) or (N, 4), got {tuple(student.shape)}')
    foreground = labels < num_classes
    column = labels if student.shape[1] != 4 else torch.zeros_like(labels)
    distance = (student - teacher.detach()).abs().unflatten(1, (-1, 4)).sum(dim=2)
    own = distance.gather(1, column.clamp(max=distance.shape[1] - 1)[:, None])[:, 0]
    return (own * foreground).sum() / max(len(student), 1)


@MODELS.register_module()
class BoxKDLoss(nn.Module):
    """Weighted `box_kd_loss`.

    Args:
        num_classes: K, the number of foreground classes.
        loss_weight: Factor on the result.
    """

    def __init__(self, num_classes: int, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The loss of offsets (N, 4 K) or (N, 4), with labels (N,) from 0 to K, see `box_kd_loss`."""
        return self.loss_weight * box_kd_loss(student, teacher, labels, self.num_classes)
