import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine import dist
from mmengine.registry import HOOKS
from torch.utils.data import DataLoader, Dataset


class Noise(Dataset):
    """Each item is drawn from all three generators."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, _: int) -> tuple[float, ...]:
        return draw()


def draw() -> tuple[float, ...]:
    return torch.rand(()).item(), float(np.random.rand()), random.random()  # noqa: NPY002


def runner(epoch: int = 0, step: int = 0, loader: Any = None, seed: int = 3) -> SimpleNamespace:
    return SimpleNamespace(seed=seed, epoch=epoch, iter=step, train_dataloader=loader)


def hook() -> Any:
    return HOOKS.build(dict(type='mmkd_ext.ExactResumeHook'))


def step(**kwargs: int) -> tuple[float, ...]:
    """What a step draws, whatever was drawn before it."""
    torch.rand(random.randrange(1, 9))
    hook().before_train_iter(runner(**kwargs), batch_idx=0)
    return draw()


@pytest.fixture(autouse=True)
def _random_state() -> Any:
    """Other tests go on with their own random numbers."""
    state = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    yield
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    random.setstate(state[2])


def test_a_step_draws_the_same_numbers_whatever_came_before() -> None:
    assert step(step=5) == step(step=5)


def test_steps_and_seeds_differ() -> None:
    drawn = [step(step=i, seed=s) for i in (0, 1, 2, 1000) for s in (3, 4)]
    for one_generator in zip(*drawn, strict=True):
        assert len(set(one_generator)) == len(drawn)


def test_processes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for rank in range(3):
        monkeypatch.setattr(dist, 'get_rank', lambda rank=rank: rank)
        drawn.append(step(step=1))
    assert len(set(drawn)) == 3


def test_an_epoch_is_not_seeded_as_a_step() -> None:
    hook().before_train_epoch(runner(epoch=2))
    assert draw() != step(step=2)


def test_a_loader_without_workers_is_left_alone() -> None:
    loader = DataLoader(Noise())
    hook().before_train_epoch(runner(loader=loader))
    assert loader.worker_init_fn is None


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_of_a_resumed_epoch_draw_what_they_would_have_drawn(persistent: bool) -> None:
    def epochs(numbers: list[int]) -> list:
        loader = DataLoader(Noise(), num_workers=1, batch_size=2, persistent_workers=persistent)
        found = []
        for epoch in numbers:
            hook().before_train_epoch(runner(epoch, loader=loader))
            found.append([[value.tolist() for value in batch] for batch in loader])
        return found

    uninterrupted = epochs([0, 1])
    assert uninterrupted[0] != uninterrupted[1]
    assert epochs([1]) == uninterrupted[1:]


def test_it_runs_before_the_other_hooks() -> None:
    assert hook().priority == 'VERY_HIGH'
