"""Knowledge distillation (KD): the student's softened class probabilities follow the teacher's.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, section 2.

    L = tau^2 / N * sum_i KL( softmax(teacher_i / tau) || softmax(student_i / tau) )

Shapes: N samples (images or regions), K classes.
"""

from torch import Tensor, nn

from mmkd_ext.functional import check_same_shape, tempered_kl
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class KDLoss(nn.Module):
    """Weighted KL divergence of tempered logits, averaged over samples.

    Args:
        tau: Temperature, > 0. The common settings are 4 for CIFAR and 1 for ImageNet and detection.
        loss_weight: Factor on the result.
    """

    def __init__(self, tau: float, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not tau > 0:
            raise ValueError(f'tau must be > 0, got {tau}')
        self.tau = tau
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of logits (N, K); 0 where the batch is empty.

        Raises:
            ValueError: If the shapes differ or are not (N, K).
        """
        check_same_shape(student, teacher, 2, '(N, K)')
        rows = tempered_kl(student, teacher.detach(), self.tau)
        return self.loss_weight * rows.sum() / max(len(rows), 1)
