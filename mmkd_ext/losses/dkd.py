"""Decoupled knowledge distillation (DKD): the target class against the rest, and the rest among themselves.

Source: Zhao et al., "Decoupled Knowledge Distillation", arXiv:2203.08679, in the form of the released code.

    b_i = softmax(z_i / tau) of two classes, target and not; o_i = softmax(z_i / tau) of all classes but the target
    L = tau^2 / N * sum_i [ alpha KL( b_i teacher || b_i student ) + beta KL( o_i teacher || o_i student ) ]

Both are computed from logits: the logit of "not the target" is the logsumexp of the others, and the target is left out
of o rather than pushed down, so that no probability has to be distinguished from 0 or 1.

Shapes: N samples (images or regions), K >= 2 classes.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mmkd_ext.functional import check_labels, check_same_shape, mean_of_rows, tempered_kl
from mmkd_ext.registry import MODELS


def dkd_loss(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    tau: float = 1.0,
    alpha: float = 1.0,
    beta: float = 1.0,
    reduction: str = 'batchmean',
) -> Tensor:
    """Two weighted KL divergences of tempered logits, averaged over samples.

    Args:
        student: Logits, (N, K).
        teacher: Logits of the same shape; no gradient reaches them.
        labels: The class of each sample, (N,), from 0 to K - 1.
        tau: Temperature, > 0.
        alpha: Weight of the target class against the rest.
        beta: Weight of the other classes among themselves.
        reduction: 'batchmean'; any other value sums over the samples.

    Returns:
        0-dim, in nats; 0 if the batch is empty.

    Raises:
        ValueError: If the shapes differ or are not (N, K) with K > 1, or labels are not integers (N,).
    """
    check_same_shape(student, teacher, 2, '(N, K)')
    check_labels(labels, len(student))
    if student.shape[1] < 2:
        raise ValueError(f'expected logits of at least 2 classes, got {student.shape[1]}')
    binary, others = _split(student, labels, tau)
    teacher_binary, teacher_others = _split(teacher.detach(), labels, tau)
    target = tempered_kl(binary, teacher_binary, tau)
    rest = tempered_kl(others, teacher_others, tau)
    rows = alpha * target + beta * rest
    return mean_of_rows(rows) if reduction == 'batchmean' else rows.sum()


@MODELS.register_module()
class DKDLoss(nn.Module):
    """Weighted `dkd_loss`.

    Args:
        tau: Temperature, > 0. The common settings are 4 for CIFAR and 1, MMRazor's default, for ImageNet and detection.
        alpha: Weight of the target class against the rest.
        beta: Weight of the other classes among themselves; 0.25 to 8 in the released settings, more for more
            confident teachers.
        loss_weight: Factor on the result.
        reduction: MMRazor's argument: 'batchmean', the average over samples, or 'sum'. Its 'mean' and 'none' are sums
            as well, because it passes `size_average=False` to `torch.nn.functional.kl_div`, which overrides them.
    """

    aliases: ClassVar = dict(preds_S='student', preds_T='teacher', gt_labels='labels')  # MMRazor's

    by_class = True  # student and teacher must have the same classes

    def __init__(
        self,
        tau: float = 1.0,
        alpha: float = 1.0,
        beta: float = 1.0,
        loss_weight: float = 1.0,
        reduction: str = 'batchmean',
    ) -> None:
        super().__init__()
        if reduction not in ('batchmean', 'sum', 'mean', 'none'):
            raise ValueError(f"reduction must be 'batchmean' or 'sum', got {reduction!r}")
        if not tau > 0:
            raise ValueError(f'tau must be > 0, got {tau}')
        self.tau = tau
        self.alpha = alpha
        self.beta = beta
        self.loss_weight = loss_weight
        self.reduction = reduction
        self._labels_checked = False

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits (N, K) with labels (N,), see `dkd_loss`.

        Raises:
            ValueError: Same as `dkd_loss`; also if, in the first call, labels are out of range.
        """
        if not self._labels_checked and student.ndim == 2:
            self._check_range(labels, student.shape[1])
        terms = (self.tau, self.alpha, self.beta, self.reduction)
        return self.loss_weight * dkd_loss(student, teacher, labels, *terms)

    def _check_range(self, labels: Tensor, classes: int) -> None:
        """Check the labels, only once, because reading a value waits for the GPU."""
        check_labels(labels, len(labels))
        if not len(labels):
            return
        low, high = labels.aminmax()
        if low < 0 or high >= classes:
            raise ValueError(f'expected labels from 0 to {classes - 1}, one per logit, got {low} to {high}')
        self._labels_checked = True


def _split(logits: Tensor, labels: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """The logits of target and non-target, (N, 2), and of the other classes, (N, K - 1)."""
    column = torch.arange(logits.shape[1] - 1, device=logits.device)
    others = logits.gather(1, column + (column >= labels[:, None]).long())
    rest = tau * torch.logsumexp(others / tau, dim=1)
    return torch.stack([logits.gather(1, labels[:, None])[:, 0], rest], dim=1), others
