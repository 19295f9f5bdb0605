"""The mathematics that two losses or more share; torch only."""

from torch import Tensor
from torch.nn.functional import log_softmax


def check_same_shape(student: Tensor, teacher: Tensor, dims: int, layout: str) -> None:
    """Refuse inputs that would broadcast.

    Raises:
        ValueError: If the two differ in shape or have not `dims` dimensions; `layout` names these in the message.
    """
    if student.ndim != dims or student.shape != teacher.shape:
        raise ValueError(
            f'expected student and teacher of one shape {layout}, got {tuple(student.shape)} and {tuple(teacher.shape)}'
        )


def tempered_kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """tau^2 * KL(softmax(teacher / tau) || softmax(student / tau)) of each row.

    Args:
        student: Logits, (N, K).
        teacher: Logits of the same shape.
        tau: Temperature, > 0.

    Returns:
        (N,), in nats, >= 0.
    """
    log_p = log_softmax(teacher / tau, dim=1)
    log_q = log_softmax(student / tau, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1) * tau**2
