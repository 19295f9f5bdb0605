"""KD of dense detection heads: the student's class probabilities at every position follow the teacher's.

Dense heads (RetinaNet, GFL, FCOS, RTMDet) have a sigmoid per class, so each class is distilled on its own:

    L = sum_i |sigmoid(s_i) - sigmoid(t_i)|^beta * BCE(s_i, sigmoid(t_i)) / max(1, sum_p max_k sigmoid(t_pk))

over all elements i of all levels; p are the positions (with anchors, each anchor is one) and k the classes. With
beta = 0 the teacher's entropy is subtracted, so that the loss is the Kullback-Leibler divergence.

Source: the factor is that of the quality focal loss (Li et al., "Generalized Focal Loss", arXiv:2006.04388), which
CrossKD (Wang et al., arXiv:2306.11369) uses to distil dense heads. The normaliser is this package's own: the number of
objects according to the teacher, so that the loss needs no labels and does not depend on how many positions are
background.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from mmkd_ext.functional import at_least_float32, check_same_shape
from mmkd_ext.registry import MODELS


def dense_kd_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], num_classes: int, beta: float = 1.0) -> Tensor:
    """Distillation of the sigmoid logits of all levels.

    Args:
        student: For each level a map of logits, (B, A * num_classes, H, W) for A anchors.
        teacher: The same for the teacher; no gradient reaches them.
        num_classes: K; channels are ordered by anchor, then by class, as in the heads of mmdet.
        beta: Exponent of the quality focal factor; 0 for none.

    Returns:
        0-dim.

    Raises:
        ValueError: If the numbers of levels or the shapes differ, or channels are not a multiple of `num_classes`.
    """
    if not student or len(student) != len(teacher):
        raise ValueError(f'expected the same number of levels from both, got {len(student)} and {len(teacher)}')
    total, count = torch.zeros(()), torch.zeros(())
    for s, t in zip(student, teacher, strict=True):
        check_same_shape(s, t, 4, '(B, A * num_classes, H, W)')
        s, t = at_least_float32(s, t)
        if s.shape[1] % num_classes:
            raise ValueError(f'num_classes={num_classes} does not divide the {s.shape[1]} channels')
        target = t.detach().sigmoid()
        loss = binary_cross_entropy_with_logits(s, target, reduction='none')
        if beta:
            loss = loss * (s.sigmoid() - target).abs() ** beta
        else:
            loss = loss - binary_cross_entropy_with_logits(t.detach(), target, reduction='none')
        total = loss.sum() + total.to(loss)
        count = target.unflatten(1, (-1, num_classes)).amax(2).sum() + count.to(loss)
    return total / torch.clamp(count, min=1)


@MODELS.register_module()
class DenseKDLoss(nn.Module):
    """Weighted `dense_kd_loss`.

    Args:
        num_classes: K, the head's number of classes.
        beta: Exponent of the quality focal factor; 0 for the plain divergence.
        loss_weight: Factor on the result.
    """

    by_class = True  # student and teacher must have the same classes

    def __init__(self, num_classes: int, beta: float = 1.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if num_classes < 1 or beta < 0:
            raise ValueError(f'num_classes must be at least 1 and beta at least 0, got {num_classes} and {beta}')
        self.num_classes = num_classes
        self.beta = beta
        self.loss_weight = loss_weight

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """The loss of maps (B, A * num_classes, H, W), one per level, see `dense_kd_loss`."""
        return self.loss_weight * dense_kd_loss(student, teacher, self.num_classes, self.beta)
