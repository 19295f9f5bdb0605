"""Channel-wise transformation (CWT): squared distance of the transformed student map to the teacher's map.

Source: Liu, Wang and Chu, "A Simple and Generic Framework for Feature Distillation via Channel-wise Transformation",
    ICCV Workshops 2023, arXiv:2303.13212.

    L = alpha / B * sum over c, h, w of ( MLP(student) - teacher )^2

The MLP is the connector `ChannelMLPConnector` (1x1 conv, ReLU, 1x1 conv); the teacher's map is used as it is. The
division by the batch size alone follows the code base whose settings the paper's numbers line up with (MGD).

Shapes: B images, C channels, H x W positions. The sum makes `alpha` small: 7e-5 for classification, 5e-7 for two-stage
detectors, 2e-5 for segmentation.
"""

from torch import Tensor, nn

from mmkd_ext.functional import check_same_shape
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class CWTLoss(nn.Module):
    """alpha * sum of squared differences / batch size.

    Args:
        alpha: The method's only hyper-parameter, the weight of the summed squares.
        loss_weight: Factor on the result, for schedules.
    """

    def __init__(self, alpha: float, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha
        self.loss_weight = loss_weight

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of maps (B, C, H, W), the student's already transformed.

        Raises:
            ValueError: If the shapes differ or are not (B, C, H, W).
        """
        check_same_shape(student, teacher, 4, '(B, C, H, W)')
        squares = (student - teacher.detach()).square().sum()
        return self.loss_weight * self.alpha * squares / len(student)
