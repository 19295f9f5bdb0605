"""Knowledge distillation of box regression: a region's predicted box offsets follow the teacher's.

Not of ND's released code, whose detectors distil class logits and embeddings alone; an option for two-stage detectors.
Both heads must code boxes alike (`bbox_coder` with the same means and standard deviations); RoIDistill refuses others.

    L = 1 / N * sum over foreground regions i of || student_i[y_i] - teacher_i[y_i] ||_1

Shapes: N regions, K foreground classes. Only the four offsets of a region's own class are compared, and background
regions (label K) add nothing. The division by all N regions is that of the detectors' own box loss.
"""

import torch
from torch import Tensor, nn

from mmkd_ext.functional import check_labels, check_same_shape
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class BoxKDLoss(nn.Module):
    """L1 distance of the box offsets of foreground regions.

    Args:
        num_classes: K, the number of foreground classes.
        loss_weight: Factor on the result.
    """

    def __init__(self, num_classes: int, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The loss of offsets (N, 4 K), or (N, 4) of a class-agnostic head, with labels (N,) from 0 to K.

        Raises:
            ValueError: If the shapes differ or are none of these.
        """
        check_same_shape(student, teacher, 2, '(N, 4 K)')
        check_labels(labels, len(student))
        if student.shape[1] not in (4, 4 * self.num_classes):
            raise ValueError(f'expected (N, {4 * self.num_classes}) or (N, 4), got {tuple(student.shape)}')
        foreground = labels < self.num_classes
        column = labels if student.shape[1] != 4 else torch.zeros_like(labels)
        distance = (student - teacher.detach()).abs().unflatten(1, (-1, 4)).sum(dim=2)
        own = distance.gather(1, column.clamp(max=distance.shape[1] - 1)[:, None])[:, 0]
        return self.loss_weight * (own * foreground).sum() / max(len(student), 1)
