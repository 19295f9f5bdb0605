"""The statistics of embeddings, against the formulas."""

from pathlib import Path

import pytest
import torch
from toys import toy

from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction import feature_stats as stats
from mmkd_ext.losses import NDLoss


def test_cosines_are_to_the_mean_of_the_samples_own_class() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    labels = torch.tensor([1, 1, 0])
    torch.testing.assert_close(stats.cosine_to_means(embeddings, labels), torch.tensor([0.0, 0.0]))  # one is alone
    means = torch.tensor([[-1.0, -1.0], [0.0, 3.0]])
    torch.testing.assert_close(stats.cosine_to_means(embeddings, labels, means), torch.tensor([0.0, 1.0, -1.0]))


def test_embeddings_without_classes_have_no_direction() -> None:
    """Noise is unlike the mean of its class, however few are in it: no sample is part of what it is held against."""
    noise = torch.randn(300, 64, generator=torch.Generator().manual_seed(1))
    for classes in (3, 100):
        assert stats.cosine_to_means(noise, torch.arange(300) % classes).mean().abs() < 0.02


def test_norms_are_of_what_the_classifier_gets_and_directions_of_what_nd_gets() -> None:
    values = dict(
        raw=torch.tensor([[3.0, 4.0], [6.0, 8.0]]),
        student=torch.tensor([[0.0, 0.0, 1.0], [0.0, 2.0, 0.0]]),
        labels=torch.tensor([0, 0]),
    )
    means = torch.tensor([[0.0, 0.0, 5.0]])
    found = stats.statistics(values, means, True)
    assert found['norm'].tolist() == [5, 10]
    assert found['own'].tolist() == pytest.approx([1, 1])
    assert found['teacher'].tolist() == [1, 0]
    assert 'teacher' not in stats.statistics(values, means, False)


class Model(torch.nn.Module):
    """Embeddings of two samples and a background region, as an NDLoss is given them."""

    def __init__(self, loss: NDLoss) -> None:
        super().__init__()
        self.distiller = torch.nn.Module()
        self.distiller.distill_losses = torch.nn.ModuleDict(dict(loss_nd=loss))
        self.data_preprocessor = lambda batch, _: batch

    def forward(self, mode: str) -> None:
        rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
        self.distiller.distill_losses['loss_nd'](student=rows, teacher=rows, labels=torch.tensor([0, 1, 2]))


def test_weights_of_a_distributed_run_are_the_students(tmp_path: Path) -> None:
    model = toy(1)
    own = {f'module.{name}': value for name, value in toy(2).state_dict().items()}
    torch.save(dict(state_dict=own | {'module.teacher.a': torch.zeros(1)}), tmp_path / 'a.pth')
    assert stats.load(model, str(tmp_path / 'a.pth'))
    assert torch.equal(model.head.weight, toy(2).head.weight)
    torch.save(dict(state_dict=own | {'module.a': torch.zeros(1)}), tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match=r"does not belong to this config's student: a is missing or unexpected"):
        stats.load(model, str(tmp_path / 'a.pth'))


def test_ignored_samples_and_classes_without_a_mean_are_left_out() -> None:
    model = Model(NDLoss([[1.0, 0.0], [0.0, 0.0]], ignore_label=2))
    values = stats.collect(model, [{}], 'name', None)
    assert values['labels'].tolist() == [0, 1]
    found = stats.statistics(values, stats.directions_of(model.distiller.distill_losses['loss_nd']), True)
    assert found['norm'].tolist() == [1, 2]
    assert found['teacher'].tolist() == [1]


def test_without_running_means_there_is_no_cosine_to_them(tmp_path: Path) -> None:
    loss = NDLoss(num_classes=3, channels=2)
    values = stats.collect(Model(loss), [{}], 'name', None)
    assert stats.directions_of(loss) is None
    found = dict(old=stats.statistics(values, None, True))
    assert set(found['old']) == {'norm', 'own'}
    stats.draw(found, tmp_path / 'picture.png')
    loss.train()(values['student'], values['teacher'], values['labels'])
    assert stats.statistics(values, stats.directions_of(loss), True)['teacher'].tolist() == pytest.approx([1, 1, 1])


def test_the_table_has_a_dash_where_there_is_no_value() -> None:
    results = dict(alone=dict(norm=torch.tensor([1.0, 2.0]), own=torch.tensor([])), teacher=dict(norm=torch.ones(1)))
    rows = [' '.join(line.split()) for line in stats.table(results).splitlines()[2:]]
    assert rows == ['| alone | 1.500 | - | - |', '| teacher | 1.000 | - | - |']
