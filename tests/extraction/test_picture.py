"""What the picture of class means shows, read off the figure."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from mmkd_ext.class_means import ClassMeans
from mmkd_ext.extraction.picture import draw


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    saved: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, 'savefig', lambda self, *args, **kw: (saved.append(self), save(self, *args, **kw))[1])
    return saved


def test_counts_lengths_and_cosines_are_those_of_the_classes(tmp_path: Path, figures: list[Figure]) -> None:
    means = torch.tensor([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    draw(ClassMeans(means, torch.tensor([5, 1200, 0]), {}), tmp_path / 'means.png')
    assert (tmp_path / 'means.png').read_bytes().startswith(b'\x89PNG')
    counts, lengths, cosines, _ = figures[0].axes
    assert [bar.get_height() for bar in counts.patches] == [5, 1200, 0]
    assert counts.get_title() == '1,205 embeddings (classes without samples: 1)'
    assert [bar.get_height() for bar in lengths.patches] == [5, 2, 0]
    assert lengths.get_title() == 'length of the means, median 2', 'of the classes that have any'
    assert cosines.get_title() == 'cosines between classes, mean 0.80'
    shown = np.ma.filled(cosines.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown, [[1, 0.8, np.nan], [0.8, 1, np.nan], [np.nan] * 3])


def test_many_classes_are_dots_and_one_class_has_no_other(tmp_path: Path, figures: list[Figure]) -> None:
    draw(ClassMeans(torch.ones(101, 2), torch.ones(101).long(), {}), tmp_path / 'many.png')
    draw(ClassMeans(torch.ones(1, 2), torch.ones(1).long(), {}), tmp_path / 'one.png')
    many, one = figures
    assert not many.axes[0].patches
    assert many.axes[0].lines[0].get_ydata().tolist() == [1] * 101
    assert one.axes[2].get_title() == 'cosines between classes, mean 1.00'
