"""Cosine distance of features, which ignores their length: for teachers whose features have a different scale.

Source: the cosine term of Ranzinger et al., "AM-RADIO: Agglomerative Vision Foundation Model", CVPR 2024,
    arXiv:2312.06709.

    L = mean over images and positions of ( 1 - <student, teacher> / (|student| |teacher|) ), over channels

Shapes: N embeddings of C channels, (N, C), or maps (B, C, H, W).
"""

from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from mmkd_ext.functional import at_least_float32, check_resize, check_same_shape, resized_to
from mmkd_ext.registry import MODELS


def cosine_loss(student: Tensor, teacher: Tensor, resize: str | None = None) -> Tensor:
    """1 - cosine over channels, averaged.

    Args:
        student: (N, C) or (B, C, H, W).
        teacher: The same shape or, with `resize`, a map of another height and width; no gradient reaches it.
        resize: How the student's map is brought to the teacher's height and width, see `CWTLoss`; None refuses it.

    Returns:
        0-dim; 0 if there are no rows.

    Raises:
        ValueError: If the shapes differ (with `resize`: in more than height and width) or are neither.
    """
    student, teacher = at_least_float32(student, teacher.detach())
    student = resized_to(teacher, student, resize)
    check_same_shape(student, teacher, 4 if student.ndim == 4 else 2, '(N, C) or (B, C, H, W)')
    distances = 1 - cosine_similarity(student, teacher, dim=1)
    return distances.sum() / max(distances.numel(), 1)


@MODELS.register_module()
class CosineLoss(nn.Module):
    """Weighted `cosine_loss`.

    Args:
        resize: How a student's map of another height or width is brought to the teacher's: `nearest`, `bilinear` or
            `area` (if the student's map is larger); None refuses it.
        loss_weight: Factor on the loss.

    Raises:
        ValueError: If `resize` is unknown.
    """

    def __init__(self, resize: str | None = None, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_resize(resize)
        self.resize = resize
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of embeddings (N, C) or of maps (B, C, H, W), see `cosine_loss`."""
        return self.loss_weight * cosine_loss(student, teacher, self.resize)
