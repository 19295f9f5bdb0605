"""The mathematics that two or more losses share; torch only."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, layer_norm, log_softmax

_RESIZE: dict[str | None, dict] = {
    None: {},
    'nearest': dict(mode='nearest'),
    'bilinear': dict(mode='bilinear', align_corners=False),
    'area': dict(mode='area'),
}


def check_same_shape(student: Tensor, teacher: Tensor, dims: int, layout: str) -> None:
    """Refuse inputs that would broadcast.

    Raises:
        ValueError: If the two differ in shape or do not have `dims` dimensions; `layout` names the dimensions in the
            message.
    """
    if student.ndim != dims or student.shape != teacher.shape:
        raise ValueError(
            f'expected student and teacher of one shape {layout}, got {tuple(student.shape)} and {tuple(teacher.shape)}'
        )


def for_pointwise(x: Tensor) -> Tensor:
    """A map (B, C, H, W) in the memory format in which 1x1 convolutions are fastest: channels-last on a CPU.

    A teacher's map is usually channels-last, too, and a loss compares two maps faster if they have the same format.
    """
    return x if x.is_cuda else x.contiguous(memory_format=torch.channels_last)


def check_resize(resize: str | None) -> None:
    """Refuse a way of resizing that `resized_to` does not know.

    Raises:
        ValueError: If `resize` is unknown.
    """
    if resize not in _RESIZE:
        raise ValueError(f"resize must be 'nearest', 'bilinear', 'area' or None, got {resize!r}")


def resized_to(teacher: Tensor, student: Tensor, resize: str | None) -> Tensor:
    """Resize the student's map to the teacher's height and width; anything but a map (B, C, H, W) stays as it is.

    Args:
        teacher: Map, (B, C, H, W).
        student: Map of any height and width.
        resize: 'nearest', 'bilinear', 'area', or None to refuse it.

    Raises:
        ValueError: If the sizes differ and `resize` is None.
    """
    if not student.ndim == teacher.ndim == 4 or student.shape[2:] == teacher.shape[2:]:
        return student
    if resize is None:
        way = 'area' if student[0, 0].numel() > teacher[0, 0].numel() else 'bilinear'
        raise ValueError(
            f'the maps differ in shape: student {tuple(student.shape)}, teacher {tuple(teacher.shape)}; '
            f"resize='{way}' brings the student's to the teacher's height and width"
        )
    return interpolate(student, teacher.shape[2:], **_RESIZE[resize])


def at_least_float32(*tensors: Tensor) -> list[Tensor]:
    """Convert half-precision tensors, whose squares overflow or vanish, to float32; the others stay as they are."""
    return [x.float() if x.dtype.itemsize < 4 else x for x in tensors]


def check_labels(labels: Tensor, rows: int) -> None:
    """Refuse labels that are not one class index per row, such as the soft labels of mixup.

    Raises:
        ValueError: If `labels` is not (rows,) of int32 or int64.
    """
    if labels.shape != (rows,) or labels.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f'expected labels ({rows},) of an integer type, got {tuple(labels.shape)} of {labels.dtype}'
            + (' (soft labels: switch mixup and cutmix off)' if labels.ndim == 2 else '')
        )


def mean_of_rows(rows: Tensor, labels: Tensor | None = None, ignore_label: int | None = None) -> Tensor:
    """The mean of (N,); 0 where it is empty.

    Args:
        rows: One value per sample, (N,).
        labels: Class of each sample, (N,); needed with `ignore_label`.
        ignore_label: Samples of this class are left out.

    Returns:
        0-dim.
    """
    if ignore_label is None:
        return rows.sum() / max(len(rows), 1)
    if labels is None:
        raise ValueError('ignore_label needs labels: map them, too')
    kept = (labels != ignore_label).to(rows.dtype)
    return (rows * kept).sum() / kept.sum().clamp(min=1)


def tempered_kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """tau^2 * KL(softmax(teacher / tau) || softmax(student / tau)) of each row.

    Args:
        student: Logits, (N, K).
        teacher: Logits of the same shape.
        tau: Temperature, > 0.

    Returns:
        (N,), in nats, >= 0.
    """
    student, teacher = at_least_float32(student, teacher)
    log_p = log_softmax(teacher / tau, dim=1)
    log_q = log_softmax(student / tau, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=1) * tau**2


def normalise_logits(logits: Tensor, scale: float) -> Tensor:
    """Logits (..., K) of mean 0 and standard deviation `scale` over classes: a layer norm without weight and bias."""
    return scale * layer_norm(logits, logits.shape[-1:], eps=1e-7)


def stage_maps(features: Sequence[Tensor]) -> list[Tensor]:
    """The maps of a network's stages; half-precision maps, whose squares overflow, as float32.

    Raises:
        ValueError: If these are not maps (B, C, H, W) of one batch, or one is empty.
    """
    if not isinstance(features, (list, tuple)) or not features:
        raise ValueError('expected a list of maps, one per stage')
    shapes = [tuple(x.shape) for x in features]
    if any(len(shape) != 4 or 0 in shape or shape[0] != shapes[0][0] for shape in shapes):
        raise ValueError(f'expected maps (B, C, H, W) of one batch, got shapes {shapes}')
    return at_least_float32(*features)
