"""Channel-wise transformation (CWT): squared distance of the transformed student map to the teacher's map.

Source: Liu, Wang and Chu, "A Simple and Generic Framework for Feature Distillation via Channel-wise Transformation",
    ICCV Workshops 2023, arXiv:2303.13212.

    L = alpha / B * sum over c, h, w of ( MLP(student) - teacher )^2

The MLP is the connector `ChannelMLPConnector` (1x1 conv, ReLU, 1x1 conv); the teacher's map is used as it is. Dividing
by the batch size only follows the code base of MGD, whose settings match the paper's numbers.

Shapes: B images, C channels, H x W positions. The sum makes `alpha` small: 7e-5 for classification, 5e-7 for two-stage
detectors, 2e-5 for one-stage detectors and for segmentation.
"""

from torch import Tensor, nn

from mmkd_ext.functional import at_least_float32, check_resize, check_same_shape, resized_to
from mmkd_ext.registry import MODELS


def cwt_loss(student: Tensor, teacher: Tensor, alpha: float, resize: str | None = None) -> Tensor:
    """Alpha * sum of squared differences / batch size.

    Args:
        student: Map, (B, C, H, W), already transformed.
        teacher: Map of the same shape or, with `resize`, of another height and width; no gradient reaches it.
        alpha: Weight of the summed squares.
        resize: How the student's map is brought to the teacher's height and width, see `CWTLoss`; None refuses it.

    Returns:
        0-dim.

    Raises:
        ValueError: If the shapes differ (with `resize`: in more than height and width) or are not (B, C, H, W).
    """
    student, teacher = at_least_float32(student, teacher.detach())
    student = resized_to(teacher, student, resize)
    check_same_shape(student, teacher, 4, '(B, C, H, W)')
    return alpha * (student - teacher).square().sum() / len(student)


@MODELS.register_module()
class CWTLoss(nn.Module):
    """Weighted `cwt_loss`.

    Args:
        alpha: The method's only hyper-parameter, the weight of the summed squares.
        resize: How a student's map of another height or width is brought to the teacher's: `nearest`, `bilinear`, or
            `area`, the mean of the positions that fall into one, for a larger student's map (the other two would skip
            positions of it); None refuses it. The loss resizes because only the loss sees both maps. It resizes the
            student's map, so that the sum, and with it `alpha`, counts the teacher's positions.
        loss_weight: Factor on the result, for schedules.

    Raises:
        ValueError: If `resize` is unknown.
    """

    def __init__(self, alpha: float, resize: str | None = None, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_resize(resize)
        self.alpha = alpha
        self.resize = resize
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of maps (B, C, H, W), the student's already transformed, see `cwt_loss`."""
        return cwt_loss(student, teacher, self.loss_weight * self.alpha, self.resize)
