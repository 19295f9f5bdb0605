"""Norm and direction (ND): embeddings grow towards the teacher's norm, in the direction of their class's mean.

Source: Wang et al., "Improving Knowledge Distillation via Regularizing Feature Norm and Direction", arXiv:2305.17007
    (ECCV 2024), in the form of the released code. Added to KD, DKD, DIST or ReviewKD it makes KD++, DKD++, DIST++ or
    ReviewKD++.

    e_k = c_k / ||c_k||
    L = mean over i of ( 1 - <s_i, e_{y_i}> / max(||s_i||, ||t_i||) )

The fraction is a product of two factors; `terms` can select one of them:

    direction: cos(s_i, e_{y_i})        norm: ||s_i|| / max(||s_i||, ||t_i||)

While a student's embedding is shorter than the teacher's of the same sample, the loss pulls it along its class's
direction; once it is longer, only the angle counts. If both are shorter than 1e-3, they are treated as having that
length, which bounds the gradient at zero. c_k is the mean of the teacher's embeddings over class k of the training set,
made by `tools/class_means.py`. If mixup or CutMix mixes images of several classes (label y_i is a row of shares), e is
the direction of their class means mixed in the same shares, as in the released DeiT code.

Shapes: N samples (images or regions), C channels of the teacher's embedding, K classes (a detector's background is
    one).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmkd_ext.class_means import ClassMeans
from mmkd_ext.functional import at_least_float32, check_labels, check_same_shape, mean_of_rows
from mmkd_ext.registry import MODELS

_FLOOR = 1e-3
_TERMS = ('both', 'direction', 'norm')


def nd_loss(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    directions: Tensor,
    ignore_label: int | None = None,
    terms: str = 'both',
) -> Tensor:
    """1 - projection on the class mean's direction / the longer of the two norms, averaged over samples.

    Args:
        student: Embeddings, (N, C).
        teacher: Embeddings of the same shape; no gradient reaches them.
        labels: The class of each sample, (N,), from 0 to K - 1.
        directions: Directions of the class means, unit vectors (K, C).
        ignore_label: A class whose samples are left out, which needs no direction; None keeps all.
        terms: See `NDLoss`.

    Returns:
        0-dim, from 0 to 2; 0 if no sample is left.

    Raises:
        ValueError: If the shapes are not these, or labels are not integers.
    """
    check_same_shape(student, teacher, 2, '(N, C)')
    check_labels(labels, len(student))
    if directions.ndim != 2 or directions.shape[1] != student.shape[1]:
        raise ValueError(f'expected directions (K, {student.shape[1]}), got {tuple(directions.shape)}')
    index = labels if ignore_label is None else labels * (labels != ignore_label)  # any class replaces that one
    rows = _rows(student, teacher, directions, index, terms)
    return mean_of_rows(rows, labels, ignore_label)


@MODELS.register_module()
class NDLoss(nn.Module):
    """Weighted `nd_loss`, with class means from a file or running means.

    Args:
        class_means: The teacher's class means: a file of `tools/class_means.py`, the official JSON file, or an array
            (K, C). None uses running means of the teacher's embeddings in training, which need `num_classes` and
            `channels` and are saved in the checkpoint: of all processes up to the previous step, and of this process's
            own samples in this step. Another engine than ours must share them itself, with `take_total` in each step.
        num_classes: K, for running means.
        channels: C, for running means.
        ignore_label: A class whose samples are left out, such as a detector's background. None keeps all.
        terms: `both`, or one factor alone: `direction`, whatever the norms, or `norm`, whatever the class.
        loss_weight: Factor on the result.

    Raises:
        ValueError: If `class_means` is not (K, C), or is None and a size is missing, or `terms` is unknown.
        ConfigError: If the file is missing or unreadable.
    """

    by_class = True  # student and teacher must have the same classes

    directions: Tensor
    norms: Tensor
    sums: Tensor
    counts: Tensor
    gathered: Tensor
    lacking: Tensor | None

    def __init__(
        self,
        class_means: Any = None,
        num_classes: int | None = None,
        channels: int | None = None,
        ignore_label: int | None = None,
        terms: str = 'both',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if terms not in _TERMS:
            raise ValueError(f'terms must be one of {_TERMS}, got {terms!r}')
        self.terms = terms
        self.file: ClassMeans | None = None
        self.running = class_means is None
        if class_means is None:
            if not num_classes or not channels:
                raise ValueError('class_means=None (running means) needs num_classes and channels')
            self.register_buffer('sums', torch.zeros(num_classes, channels, dtype=torch.float64))
            self.register_buffer('counts', torch.zeros(num_classes, dtype=torch.int64))
            # Sums and, in the last column, counts that are not shared with the other processes yet.
            gathered = torch.zeros(num_classes, channels + 1, dtype=torch.float64)
            self.register_buffer('gathered', gathered, persistent=False)
        else:
            if isinstance(class_means, (str, Path)):
                self.file = ClassMeans.load(class_means)
                class_means = self.file.means
            means = torch.as_tensor(class_means, dtype=torch.float64)
            if means.ndim != 2:
                raise ValueError(f'class_means must be (K, C), got {tuple(means.shape)}')
            # Not saved in the checkpoint: the config has them.
            self.register_buffer('directions', _unit(means).float(), persistent=False)
            self.register_buffer('norms', means.norm(dim=1).float(), persistent=False)
            num_classes = len(means)
        self.register_buffer('lacking', self._lacking(ignore_label), persistent=False)
        self.num_classes = num_classes or 0
        self.ignore_label = ignore_label
        self.loss_weight = loss_weight
        self._labels_checked = False

    def check_teacher(self, teacher: nn.Module) -> None:
        """Raise ValueError if the class means were made with weights other than the teacher's, or for other classes."""
        if self.file is not None:
            self.file.check_teacher(teacher)
        regions = getattr(teacher, 'roi_head', None)
        head: Any = getattr(regions, 'bbox_head', None) or getattr(teacher, 'head', None)
        head = head[0] if isinstance(head, nn.ModuleList) else head
        classes = getattr(head, 'num_classes', None)
        if classes is None:
            return
        expected = {classes + (regions is not None)}  # with the background
        if self.ignore_label == classes:
            expected.add(classes)
        if self.num_classes not in expected:
            raise ValueError(f'class_means has {self.num_classes} classes, but the teacher has {max(expected)}')

    def check_images(self, changes: str) -> None:
        """Raise ValueError if the class means were made from images with other pixel normalisation or another size."""
        if self.file is not None:
            self.file.check_images(changes)

    def check_data(self, classes: Sequence[str]) -> None:
        """Raise ValueError if the class means come from a data set without exactly these classes, in this order."""
        if self.file is not None:
            self.file.check_data(classes)

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The loss of embeddings (N, C) with labels (N,), or (N, K) for mixed images; 0 if no sample is left.

        Raises:
            ValueError: If shapes differ, labels are neither integers (N,) nor shares (N, K), or, in the first call and
                on a CPU, are out of range, multi-hot, or of a class without a mean. In later calls on a GPU, where a
                check would have to wait for it, the last two make the loss NaN.
        """
        check_same_shape(student, teacher, 2, '(N, C)')
        unusable = self._check_labels(labels, len(student))
        student, teacher = at_least_float32(student, teacher.detach())
        directions, index = self._directions(teacher, labels)
        rows = _rows(student, teacher, directions, index, self.terms)
        if unusable is not None:
            rows = rows.masked_fill(unusable, torch.nan)
        return self.loss_weight * mean_of_rows(rows, labels, self.ignore_label)

    def _lacking(self, ignore_label: int | None) -> Tensor | None:
        """The classes without an embedding in the file, (K,); None if there are none."""
        if self.file is None:
            return None
        lacking = self.file.counts == 0
        if ignore_label is not None:
            lacking[ignore_label : ignore_label + 1] = False
        return lacking if lacking.any() else None

    def _check_labels(self, labels: Tensor, samples: int) -> Tensor | None:
        """The samples without a direction, (N,), or None; an error if checking them costs no waiting."""
        looks = not self._labels_checked or not labels.is_cuda  # reading a value waits for the GPU
        if labels.ndim == 2 and labels.is_floating_point():
            return self._check_shares(labels, samples, looks)
        check_labels(labels, samples)
        if looks:
            self._check_range(labels)
        if self.lacking is None:
            return None
        index = labels.clamp(0, self.num_classes - 1)
        unusable = self.lacking[index] & (labels == index)
        if looks and unusable.any():
            self._refuse_lacking(labels[unusable][0])
        return unusable

    def _check_shares(self, labels: Tensor, samples: int, looks: bool) -> Tensor:
        if labels.shape != (samples, self.num_classes):
            raise ValueError(f'expected shares ({samples}, {self.num_classes}), got {tuple(labels.shape)}')
        if self.running or self.ignore_label is not None:
            raise ValueError('the labels of mixed images need class_means from a file, and no ignore_label')
        unusable = (labels.sum(dim=1) - 1).abs() > 1e-3
        if looks and unusable.any():
            raise ValueError(
                'labels (N, K) must be the shares of mixed images, which sum to 1; multi-hot labels have no class mean'
            )
        if self.lacking is not None:
            lacking = (labels > 0) & self.lacking
            if looks and lacking.any():
                self._refuse_lacking(lacking.any(dim=0).nonzero()[0, 0])
            unusable |= lacking.any(dim=1)
        self._labels_checked |= samples > 0
        return unusable

    def _check_range(self, labels: Tensor) -> None:
        used = labels if self.ignore_label is None else labels[labels != self.ignore_label]
        if len(used):
            low, high = (int(value) for value in used.aminmax())
            if low < 0 or high >= self.num_classes:
                raise ValueError(f'class_means has {self.num_classes} classes, but labels are {low} to {high}')
            self._labels_checked = True

    @staticmethod
    def _refuse_lacking(label: Tensor) -> None:
        raise ValueError(
            f'class_means has no embedding of class {int(label)}, which is in the data; make them again from all '
            'images: python -m mmkd_ext class_means CONFIG --out FILE --restart'
        )

    def _directions(self, teacher: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Unit vectors (of classes, or of samples), and the index of each sample's (N,)."""
        found = self.sums.shape[1] if self.running else self.directions.shape[1]
        if teacher.shape[1] != found:
            raise ValueError(f'class_means has {found} channels, but the embedding has {teacher.shape[1]}')
        if labels.ndim == 2:
            return _unit((labels * self.norms) @ self.directions), _each(labels)
        kept = torch.ones_like(labels, dtype=torch.bool)
        if self.ignore_label is not None:
            kept = labels != self.ignore_label
            labels = labels * kept  # any class: the ignored one may have no mean
        if not self.running:
            return self.directions, labels
        if self.training:
            self._gather(teacher, labels, kept)
        return _unit(self.sums[labels]), _each(labels)  # a sum has the direction of its mean

    def _gather(self, teacher: Tensor, labels: Tensor, kept: Tensor) -> None:
        """Add samples to the running means; no process waits for another here, because some may have nothing to add."""
        sums = torch.zeros_like(self.sums).index_add_(0, labels, teacher.to(self.sums.dtype) * kept[:, None])
        counts = torch.zeros_like(self.counts).index_add_(0, labels, kept.to(self.counts.dtype))
        self.sums += sums
        self.counts += counts
        if dist.is_distributed():
            self.gathered += torch.cat([sums, counts[:, None]], dim=1)

    def take_total(self, total: Tensor) -> None:
        """Add the samples that the other processes gathered.

        Args:
            total: The sum of `gathered` over all processes, (K, C + 1).
        """
        others = total - self.gathered
        self.gathered.zero_()
        self.sums += others[:, :-1]
        self.counts += others[:, -1].round().to(self.counts.dtype)


def _rows(student: Tensor, teacher: Tensor, directions: Tensor, index: Tensor, terms: str) -> Tensor:
    """The loss of each sample, (N,), from embeddings (N, C), unit vectors (K, C) and their indices (N,)."""
    student, teacher = at_least_float32(student, teacher.detach())
    norms = torch.linalg.vector_norm(teacher, dim=1)
    if terms == 'direction':
        norms = torch.zeros_like(norms)  # none is longer than the student's own
    elif terms == 'norm':
        directions, index = _unit(student.detach()), _each(index)  # its own direction
    return 1 - _Projection.apply(student, directions.to(student.dtype), index, norms)


class _Projection(torch.autograd.Function):
    """<s, e> / max(|s|, |t|) of each row, with its own backward pass: autograd's takes three times as long.

    The rows of e are picked twice, which is faster than keeping them.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, directions: Tensor, index: Tensor, theirs: Tensor) -> Tensor:
        """Of (N, C), unit vectors (K, C) with their indices (N,), and norms (N,)."""
        ours = torch.linalg.vector_norm(student, dim=1)
        longer = torch.maximum(ours, theirs).clamp(min=_FLOOR)
        projections = directions.index_select(0, index).mul_(student).sum(dim=1) / longer
        ctx.save_for_backward(student, directions, index, projections, longer, ours == longer)
        return projections

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        """Direction / longer norm, without its radial part where the student's norm is the longer one."""
        student, directions, index, projections, longer, is_ours = ctx.saved_tensors
        grad = grad / longer
        radial = is_ours * grad * projections / longer
        rows = directions.index_select(0, index).mul_(grad[:, None])
        return rows.addcmul_(student, radial[:, None], value=-1), None, None, None


def _each(labels: Tensor) -> Tensor:
    return torch.arange(len(labels), device=labels.device)


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
