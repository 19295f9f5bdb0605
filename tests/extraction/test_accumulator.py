import numpy as np
import pytest
import torch
from mmengine import dist

from mmkd_ext.extraction.accumulator import ClassMeanAccumulator


def batches(count: int = 7) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.randint(1, 40, (count,), generator=generator).tolist()
    return [
        (torch.randn(n, 5, generator=generator) * 1e3 + 1e4, torch.randint(0, 4, (n,), generator=generator))
        for n in sizes
    ]


def filled(data: list) -> ClassMeanAccumulator:
    accumulator = ClassMeanAccumulator(6, 5)
    for embeddings, labels in data:
        accumulator.update(embeddings, labels)
    return accumulator


def test_it_equals_two_passes_over_everything() -> None:
    """First all embeddings of a class are gathered, then averaged, as numpy does it in double precision."""
    accumulator = filled(batches())
    for k in range(6):
        rows = [e.double().numpy() for es, ls in batches() for e, label in zip(es, ls, strict=True) if label == k]
        assert accumulator.counts[k] == len(rows)
        expected = np.mean(rows, axis=0) if rows else np.zeros(5)
        np.testing.assert_allclose(accumulator.means()[k].numpy(), expected, rtol=1e-14)
    assert accumulator.means().dtype == torch.float64
    assert accumulator.counts[4:].tolist() == [0, 0]


def test_a_million_equal_embeddings_lose_nothing() -> None:
    accumulator = ClassMeanAccumulator(1, 1)
    for _ in range(20):
        accumulator.update(torch.full((50_000, 1), 0.1), torch.zeros(50_000, dtype=torch.int64))
    assert accumulator.means().float().item() == torch.tensor(0.1).item()


def test_half_precision_and_gradients_are_taken_as_they_are() -> None:
    accumulator = ClassMeanAccumulator(2, 1)
    accumulator.update(torch.full((4, 1), 60000.0).half(), torch.ones(4, dtype=torch.int32))
    accumulator.update(torch.ones(1, 1, requires_grad=True), torch.zeros(1, dtype=torch.int64))
    assert accumulator.means().tolist() == [[1.0], [torch.tensor(60000.0).half().item()]]
    assert not accumulator.sums.requires_grad


def test_an_empty_batch_adds_nothing() -> None:
    accumulator = filled(batches(1))
    before = accumulator.state_dict()
    accumulator.update(torch.empty(0, 5), torch.empty(0, dtype=torch.int64))
    assert torch.equal(accumulator.sums, before['sums'])


REFUSED = [
    (torch.zeros(2, 5), torch.tensor([0, 6]), 'labels must be from 0 to 5, got 6'),
    (torch.zeros(2, 5), torch.tensor([-1, 0]), 'labels must be from 0 to 5, got -1'),
    (torch.zeros(2, 5), torch.tensor([0.0, 1.0]), 'labels must be whole numbers, got torch.float32'),
    (torch.zeros(2, 5), torch.zeros(2, 1, dtype=torch.int64), r'expected embeddings \(N, 5\) and labels \(N,\)'),
    (torch.zeros(2, 4), torch.tensor([0, 1]), r'expected embeddings \(N, 5\) .* got \(2, 4\) and \(2,\)'),
    (torch.zeros(2, 5, 1), torch.tensor([0, 1]), r'got \(2, 5, 1\)'),
    (torch.full((2, 5), torch.nan), torch.tensor([0, 1]), 'embeddings must be finite'),
]


@pytest.mark.parametrize(('embeddings', 'labels', 'message'), REFUSED, ids=range(len(REFUSED)))
def test_what_does_not_fit_is_refused_and_adds_nothing(
    embeddings: torch.Tensor, labels: torch.Tensor, message: str
) -> None:
    accumulator = ClassMeanAccumulator(6, 5)
    with pytest.raises(ValueError, match=message):
        accumulator.update(embeddings, labels)
    assert not accumulator.sums.any()
    assert not accumulator.counts.any()


def test_saved_and_restored_it_goes_on_with_the_same_bits() -> None:
    first = filled(batches()[:3])
    state = first.state_dict()
    first.update(*batches()[0])  # what was saved is a copy
    second = ClassMeanAccumulator(6, 5)
    second.load_state_dict(state)
    for embeddings, labels in batches()[3:]:
        second.update(embeddings, labels)
    assert torch.equal(second.sums, filled(batches()).sums)
    assert torch.equal(second.counts, filled(batches()).counts)


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r'expected sums for \(6, 4\) classes and channels, got \(6, 5\)'):
        ClassMeanAccumulator(6, 4).load_state_dict(filled([]).state_dict())


def test_all_reduce_gives_the_sums_of_all_processes_and_leaves_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = filled(batches())
    alone = accumulator.all_reduce()
    assert torch.equal(alone.sums, accumulator.sums)
    monkeypatch.setattr(dist, 'all_reduce', lambda tensor: tensor.mul_(3))
    total = accumulator.all_reduce()
    assert torch.equal(total.sums, 3 * accumulator.sums)
    assert torch.equal(total.counts, 3 * filled(batches()).counts)
    torch.testing.assert_close(total.means(), accumulator.means())
