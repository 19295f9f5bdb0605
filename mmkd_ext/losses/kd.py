"""Knowledge distillation (KD): the student's softened class probabilities follow the teacher's.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531.

    L = tau^2 / N * sum_i KL( softmax(teacher_i / tau) || softmax(student_i / tau) )

Shapes: N samples (images or regions), K classes.
"""

from torch import Tensor, nn

from mmkd_ext.functional import check_labels, check_same_shape, mean_of_rows, tempered_kl
from mmkd_ext.registry import MODELS


def kd_loss(
    student: Tensor, teacher: Tensor, tau: float, labels: Tensor | None = None, ignore_label: int | None = None
) -> Tensor:
    """tau^2 * KL(teacher || student) of tempered logits, averaged over samples.

    Args:
        student: Logits, (N, K).
        teacher: Logits of the same shape; no gradient reaches them.
        tau: Temperature, > 0.
        labels: The class of each sample, (N,); needed with `ignore_label`.
        ignore_label: A class whose samples are left out; None keeps all.

    Returns:
        0-dim, in nats; 0 if no sample is left.

    Raises:
        ValueError: If the shapes differ or are not (N, K), or labels are needed and missing.
    """
    check_same_shape(student, teacher, 2, '(N, K)')
    if labels is not None:
        check_labels(labels, len(student))
    return mean_of_rows(tempered_kl(student, teacher.detach(), tau), labels, ignore_label)


@MODELS.register_module()
class KDLoss(nn.Module):
    """Weighted `kd_loss`.

    Args:
        tau: Temperature, > 0. The common settings are 4 for CIFAR and 1 for ImageNet and detection.
        loss_weight: Factor on the result.
        ignore_label: A class whose samples are left out, such as a detector's background; `labels` are needed then.
            None keeps all.
    """

    by_class = True  # student and teacher must have the same classes

    def __init__(self, tau: float, loss_weight: float = 1.0, ignore_label: int | None = None) -> None:
        super().__init__()
        if not tau > 0:
            raise ValueError(f'tau must be > 0, got {tau}')
        self.tau = tau
        self.loss_weight = loss_weight
        self.ignore_label = ignore_label

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None = None) -> Tensor:
        """The loss of logits (N, K), of samples with labels (N,), see `kd_loss`."""
        return self.loss_weight * kd_loss(student, teacher, self.tau, labels, self.ignore_label)
