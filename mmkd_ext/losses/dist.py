"""DIST: the student's class probabilities correlate with the teacher's, within each sample and within each class.

Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", arXiv:2205.10536, in the form of the released
code.

    p = softmax(z / tau)
    inter = 1 - mean over samples of Pearson( student's row, teacher's row )
    intra = 1 - mean over classes of Pearson( student's column, teacher's column )
    L = tau^2 (beta inter + gamma intra)

As in the released code, 1e-8 is added to the product of the two norms, which reduces the effect of classes that are
never predicted.

Shapes: N samples (images or regions), K classes.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mmkd_ext.functional import at_least_float32, check_same_shape
from mmkd_ext.registry import MODELS

_EPS = 1e-8


def dist_loss(student: Tensor, teacher: Tensor, tau: float = 1.0, beta: float = 1.0, gamma: float = 1.0) -> Tensor:
    """tau^2 times the weighted sum of 1 - correlation of rows and of columns.

    Args:
        student: Logits, (N, K).
        teacher: Logits of the same shape; no gradient reaches them.
        tau: Temperature, > 0.
        beta: Weight of the rows, the relation between classes.
        gamma: Weight of the columns, the relation within a class.

    Returns:
        0-dim; 0 if the batch is empty.

    Raises:
        ValueError: If the shapes differ or are not (N, K).
    """
    check_same_shape(student, teacher, 2, '(N, K)')
    if not len(student):
        return student.sum()
    student, teacher = at_least_float32(student, teacher.detach())
    q = (student / tau).softmax(dim=1)
    p = (teacher / tau).softmax(dim=1)
    inter = 1 - _pearson(q, p, 1).mean()
    intra = 1 - _pearson(q, p, 0).mean()
    return tau**2 * (beta * inter + gamma * intra)


@MODELS.register_module()
class DISTLoss(nn.Module):
    """Weighted `dist_loss`.

    Args:
        tau: Temperature, > 0. The common settings are 4 for CIFAR and 1, MMRazor's default, for ImageNet.
        beta: Weight of the rows, the relation between classes.
        gamma: Weight of the columns, the relation within a class.
        loss_weight: Factor on the result; 2 in the released code.
        inter_loss_weight: MMRazor's name of `beta`.
        intra_loss_weight: MMRazor's name of `gamma`.
        teacher_detach: MMRazor's switch; the teacher gets no gradient, so only True is possible.
    """

    aliases: ClassVar = dict(logits_S='student', logits_T='teacher')  # MMRazor's

    by_class = True  # student and teacher must have the same classes

    def __init__(
        self,
        tau: float = 1.0,
        beta: float = 1.0,
        gamma: float = 1.0,
        loss_weight: float = 1.0,
        inter_loss_weight: float | None = None,
        intra_loss_weight: float | None = None,
        teacher_detach: bool = True,
    ) -> None:
        super().__init__()
        if not teacher_detach:
            raise ValueError('teacher_detach must be True: the teacher gets no gradient')
        if not tau > 0:
            raise ValueError(f'tau must be > 0, got {tau}')
        self.tau = tau
        self.beta = beta if inter_loss_weight is None else inter_loss_weight
        self.gamma = gamma if intra_loss_weight is None else intra_loss_weight
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of logits (N, K), see `dist_loss`."""
        return self.loss_weight * dist_loss(student, teacher, self.tau, self.beta, self.gamma)


def _pearson(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Correlation along `dim`; 0, without gradient, where one of the two is constant up to rounding."""
    dx, dy = x - x.mean(dim, keepdim=True), y - y.mean(dim, keepdim=True)
    varies = _varies(dx, x, dim) & _varies(dy, y, dim)
    dx, dy = dx * varies, dy * varies
    return (dx * dy).sum(dim) / (dx.norm(dim=dim) * dy.norm(dim=dim) + _EPS)


def _varies(deviation: Tensor, x: Tensor, dim: int) -> Tensor:
    """Whether the deviation from the mean is larger than the mean's rounding."""
    rounding = 4 * torch.finfo(x.dtype).eps * x.norm(dim=dim, keepdim=True)
    return deviation.norm(dim=dim, keepdim=True) > rounding
