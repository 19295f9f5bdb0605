"""A picture of class means: their counts, norms and cosines."""

from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import normalize

from mmkd_ext.class_means import ClassMeans

_BARS = 100  # number of classes up to which bars are drawn


def draw(class_means: ClassMeans, path: Path) -> None:
    """Draw the counts and the norms of the classes, and the cosines between their means."""
    figure = Figure(figsize=(17, 4.8), layout='constrained')
    counts, norms, cosines = figure.subplots(1, 3, width_ratios=(1, 1, 1.05))
    empty = int((class_means.counts == 0).sum())
    total = int(class_means.counts.sum())
    title = f'{total:,} embeddings' + (f' (classes without samples: {empty})' if empty else '')
    _profile(counts, class_means.counts.float(), title, 'embeddings (log)')
    counts.set(yscale='log', ylim=(0.7, None))
    lengths = class_means.means.norm(dim=1)
    median = lengths[class_means.counts != 0].median().item()
    _profile(norms, lengths, f'length of the means, median {median:.3g}', '')
    norms.axhline(median, color='black', linewidth=0.8, linestyle=':')
    _matrix(figure, cosines, class_means)
    figure.savefig(path, dpi=110)


def _profile(axes: Axes, values: Tensor, title: str, label: str) -> None:
    """Draw one value per class, as bars, or as dots if bars would be too narrow."""
    if len(values) <= _BARS:
        axes.bar(range(len(values)), values.tolist(), width=0.8)
    else:
        axes.plot(range(len(values)), values.tolist(), '.', markersize=3)
    axes.set_xlim(-0.7, len(values) - 0.3)
    axes.set(title=title, xlabel='class', ylabel=label)
    axes.locator_params(axis='x', integer=True)
    axes.grid(axis='y', alpha=0.3)


def _matrix(figure: Figure, axes: Axes, class_means: ClassMeans) -> None:
    """Draw the cosines of the classes that have samples; the colours span the values off the diagonal."""
    directions = normalize(class_means.means.double())
    matrix = directions @ directions.T
    matrix[class_means.counts == 0] = torch.nan
    matrix[:, class_means.counts == 0] = torch.nan
    others = matrix[~torch.eye(len(matrix), dtype=torch.bool)]
    others = others[others.isfinite()]
    low, high, mean = (
        (others.min().item(), others.max().item(), others.mean().item()) if len(others) else (0.0, 1.0, 1.0)
    )
    image = axes.imshow(matrix, vmin=low, vmax=max(high, low + 1e-6), cmap='viridis', interpolation='auto')
    figure.colorbar(image, ax=axes, extend='max', label='cosine (diagonal: 1)')
    axes.set(title=f'cosines between classes, mean {mean:.2f}', xlabel='class', ylabel='class')
    axes.locator_params(integer=True)
