"""Streamed sums and counts of embeddings by class: memory for K x C numbers, whatever the number of embeddings."""

import torch
from mmengine import dist
from torch import Tensor


class ClassMeanAccumulator:
    """Adds up embeddings by class in float64, on the CPU, so that the order of a GPU's threads does not matter.

    Args:
        num_classes: K.
        channels: C.
    """

    def __init__(self, num_classes: int, channels: int) -> None:
        self.sums = torch.zeros(num_classes, channels, dtype=torch.float64)
        self.counts = torch.zeros(num_classes, dtype=torch.int64)

    def update(self, embeddings: Tensor, labels: Tensor) -> None:
        """Add a batch.

        Args:
            embeddings: (N, C).
            labels: (N,), whole numbers from 0 to K - 1.

        Raises:
            ValueError: If a shape, a label or an embedding is invalid.
        """
        classes, channels = self.sums.shape
        if embeddings.ndim != 2 or embeddings.shape[1] != channels or labels.shape != embeddings.shape[:1]:
            raise ValueError(
                f'expected embeddings (N, {channels}) and labels (N,), got {tuple(embeddings.shape)} and '
                f'{tuple(labels.shape)}'
            )
        if labels.is_floating_point() or labels.dtype == torch.bool:
            raise ValueError(f'labels must be whole numbers, got {labels.dtype}')
        labels, embeddings = labels.detach().long().cpu(), embeddings.detach().double().cpu()
        wrong = labels[(labels < 0) | (labels >= classes)]
        if len(wrong):
            raise ValueError(f'labels must be from 0 to {classes - 1}, got {wrong[0].item()}')
        if not embeddings.isfinite().all():
            raise ValueError('embeddings must be finite, got nan or inf')
        self.sums.index_add_(0, labels, embeddings)
        self.counts += labels.bincount(minlength=classes)

    def all_reduce(self) -> 'ClassMeanAccumulator':
        """An accumulator with the sums and counts of all processes; this one does not change."""
        total = ClassMeanAccumulator(*self.sums.shape)
        total.load_state_dict(self.state_dict())
        dist.all_reduce(total.sums)
        dist.all_reduce(total.counts)
        return total

    def means(self) -> Tensor:
        """(K, C) in float64; zeros for a class without samples."""
        return self.sums / self.counts.clamp(min=1)[:, None]

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the sums and counts."""
        return dict(sums=self.sums.clone(), counts=self.counts.clone())

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state_dict`.

        Raises:
            ValueError: If its numbers of classes or channels differ.
        """
        if state['sums'].shape != self.sums.shape or state['counts'].shape != self.counts.shape:
            raise ValueError(
                f'expected sums for {tuple(self.sums.shape)} classes and channels, got {tuple(state["sums"].shape)}'
            )
        self.sums.copy_(state['sums'])
        self.counts.copy_(state['counts'])
