"""A run that is stopped and resumed ends with the same bits as one that is not, however it is set up."""

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine import dist
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


def draw() -> tuple[float, ...]:
    return torch.rand(()).item(), float(np.random.rand()), random.random()  # noqa: NPY002


class Noise(Dataset):
    """Each item is drawn from all three generators."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, _: int) -> tuple[float, ...]:
        return draw()


def runner(epoch: int = 0, step: int = 0, loader: Any = None, seed: int = 3) -> SimpleNamespace:
    return SimpleNamespace(
        seed=seed,
        epoch=epoch,
        iter=step,
        train_dataloader=loader,
        _randomness_cfg={},
        train_loop=None,
        model=None,
    )


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


def test_steps_and_seeds_differ_and_each_repeats_itself() -> None:
    assert step(step=5) == step(step=5)
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


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_draw_anew_in_each_epoch(persistent: bool) -> None:
    loader = DataLoader(Noise(), num_workers=1, batch_size=2, persistent_workers=persistent)
    found = []
    for epoch in (0, 1, 0):
        hook().before_train_epoch(runner(epoch, loader=loader))
        found.append([[value.tolist() for value in batch] for batch in loader])
    assert found[0] != found[1]
    assert found[0] == found[2]


class Mix:
    """Adds an image that it kept, as mmdet's `CachedMixUp` does."""

    def __init__(self) -> None:
        self.results_cache: list[Tensor] = []

    def __call__(self, image: Tensor) -> Tensor:
        self.results_cache = [*self.results_cache[-9:], image]
        return image + random.choice(self.results_cache)


class Images(Dataset):
    """Ten noisy images behind a transform with a cache."""

    def __init__(self) -> None:
        self.pipeline = SimpleNamespace(transforms=[Mix()])

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Tensor:
        return self.pipeline.transforms[0](index + torch.rand(3))


class Net(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.dropout = nn.Linear(3, 2), nn.Dropout(0.5)
        nn.init.constant_(self.fc.weight, 0.1)
        nn.init.zeros_(self.fc.bias)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = 'loss') -> dict:
        return dict(loss=self.dropout(self.fc(torch.stack(inputs) / 9)).square().mean())


class Stop(Exception):  # noqa: N818
    pass


class Record:
    """A hook in all but name: notes the losses, and ends the run at a step."""

    def __init__(self, stop: int | None) -> None:
        self.stop, self.losses = stop, {}

    def __getattr__(self, name: str) -> Callable:
        return lambda *_, **__: None

    def after_train_iter(self, runner: Any, outputs: dict, **_: Any) -> None:
        self.losses[runner.iter] = outputs['loss'].item()
        if runner.iter + 1 == self.stop:
            raise Stop


NUMBERS = itertools.count()  # mmengine keeps what it made under a run's name


def make(work_dir: Path, by_epoch: bool, stop: int | None = None, loader: Any = (), **settings: Any) -> Any:
    """Twelve steps, and a checkpoint after each four; the losses, and what the last checkpoint holds."""
    work_dir.mkdir(exist_ok=True)
    sampler = dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True)
    settings = {'randomness': dict(seed=5), 'custom_hooks': (), 'accumulate': 1, **settings}
    run = Runner(
        Net(), str(work_dir),
        train_dataloader=dict(
            dict(batch_size=3, num_workers=0, sampler=sampler, dataset=Images(), collate_fn=lambda b: dict(inputs=b)),
            **dict(loader),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3) if by_epoch else dict(by_epoch=False, max_iters=12),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=settings['accumulate']),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1 if by_epoch else 4, by_epoch=by_epoch)),
        custom_hooks=[dict(type='mmkd_ext.ExactResumeHook'), *settings['custom_hooks']], resume=stop == 0,
        randomness=settings['randomness'], experiment_name=f'exact_{next(NUMBERS)}', log_level='ERROR',
    )  # fmt: skip
    record = Record(stop)
    run._hooks.append(record)
    try:
        run.train()
    except Stop:
        return record.losses, None
    name = 'epoch_3.pth' if by_epoch else 'iter_12.pth'
    return record.losses, torch.load(work_dir / name, weights_only=True)


SETTINGS = {
    'plain': {},
    'no seed': dict(randomness=dict(seed=None, diff_rank_seed=True)),
    'workers that persist': dict(loader=dict(num_workers=2, persistent_workers=True)),
    'accumulation that does not divide': dict(accumulate=3),
    'EMA': dict(custom_hooks=[dict(type='EMAHook', momentum=0.2)]),
}


FAST = ('plain', 'no seed', 'EMA')


@pytest.mark.parametrize('by_epoch', [True, False], ids=['epochs', 'iterations'])
@pytest.mark.parametrize('name', [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in SETTINGS])
def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_bits(name: str, by_epoch: bool, tmp_path: Path) -> None:
    """Without a seed the uninterrupted run is one of the seed that was drawn, which the checkpoint has."""
    settings = SETTINGS[name]
    first, _ = make(tmp_path, by_epoch, stop=6, **settings)
    saved = torch.load(tmp_path / ('epoch_1.pth' if by_epoch else 'iter_4.pth'), weights_only=True)
    resumed, end = make(tmp_path, by_epoch, stop=0, **settings)
    randomness = dict(settings.get('randomness', {}), seed=saved['meta']['seed'])
    losses, expected = make(tmp_path / 'whole', by_epoch, **dict(settings, randomness=randomness))
    assert sorted(resumed) == list(range(4, 12))
    assert {**first, **resumed} == losses
    for part in ('state_dict', 'ema_state_dict'):
        for key, value in expected.get(part, {}).items():
            assert torch.equal(end[part][key], value), f'{part}: {key}'


def test_gradients_that_wait_are_in_the_checkpoint_and_in_no_other(tmp_path: Path) -> None:
    make(tmp_path, by_epoch=True, accumulate=3)
    held = [
        'pending_gradients' in torch.load(tmp_path / f'epoch_{i}.pth', weights_only=True) for i in (1, 2, 3)
    ]  # after steps 4, 8 and 12
    assert held == [True, True, False]


def test_a_seed_of_the_samplers_own_is_kept(tmp_path: Path) -> None:
    def order(seed: int, own: int | None) -> list[int]:
        sampler = dict(type='DefaultSampler', shuffle=True, **({} if own is None else dict(seed=own)))
        built = Runner.build_dataloader(dict(batch_size=1, dataset=list(range(9)), sampler=sampler), seed=seed)
        state = dict(runner(loader=built, seed=seed).__dict__, _train_dataloader=dict(sampler=sampler))
        from mmkd_ext.hooks.exact_resume_hook import _renew_samplers

        _renew_samplers(SimpleNamespace(**state))
        return list(built.sampler)

    assert order(1, own=7) == order(2, own=7)
    assert order(1, own=None) != order(2, own=None)


def test_what_cannot_be_repeated_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from mmkd_ext.hooks.exact_resume_hook import _not_exact

    class BatchSyncRandomResize(nn.Module):
        pass

    checkpoint = HOOKS.build(dict(type='CheckpointHook', interval=2, by_epoch=False))
    run = SimpleNamespace(train_loop=None, hooks=[checkpoint], train_dataloader=[0] * 5, optim_wrapper=None)
    run.model = nn.Sequential(BatchSyncRandomResize())
    said = list(_not_exact(run))
    assert len(said) == 2
    assert said[0].startswith('default_hooks.checkpoint has by_epoch=False in a run by epochs')
    assert said[1].startswith('BatchSyncRandomResize')


TWO = """
import json, os, sys
import torch
from mmengine import dist
from mmengine.model import BaseModel
from mmengine.runner import Runner
import mmkd_ext

class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(1, 1)
    def forward(self, inputs, data_samples=None, mode='loss'):
        return dict(loss=self.fc(torch.tensor(inputs, dtype=torch.float32)[:, None]).square().mean() * 0)

class Stop(Exception):
    pass

class Record:
    def __init__(self, stop):
        self.stop, self.seen = stop, {}
    def __getattr__(self, name):
        return lambda *_, **__: None
    def after_train_iter(self, runner, data_batch, **_):
        self.seen[runner.iter] = data_batch['inputs']
        if runner.iter + 1 == self.stop:
            raise Stop

def train(name, sampler, diff, stop, resume):
    by_epoch = sampler == 'DefaultSampler'
    run = Runner(
        Net(), os.path.join(sys.argv[1], name.rstrip('+')), launcher='pytorch', resume=resume, log_level='ERROR',
        env_cfg=dict(dist_cfg=dict(backend='gloo')), experiment_name=name,
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None)),
        train_dataloader=dict(batch_size=2, num_workers=0, dataset=list(range(16)), collate_fn=lambda b: dict(inputs=b),
                              sampler=dict(type=sampler, shuffle=True)),
        train_cfg=dict(by_epoch=True, max_epochs=3) if by_epoch else dict(by_epoch=False, max_iters=12),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), randomness=dict(seed=None, diff_rank_seed=diff),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1 if by_epoch else 4, by_epoch=by_epoch)),
        custom_hooks=[dict(type='mmkd_ext.ExactResumeHook')])
    record = Record(stop)
    run._hooks.append(record)
    try:
        run.train()
    except Stop:
        pass
    seen = [None, None]
    torch.distributed.all_gather_object(seen, record.seen)
    return seen

torch.distributed.init_process_group('gloo')
found = {}
for sampler in ('DefaultSampler', 'InfiniteSampler'):
    for diff in (False, True):
        name = f'{sampler}_{diff}'
        found[name] = [train(name, sampler, diff, 7, False), train(name + '+', sampler, diff, None, True)]
if dist.is_main_process():
    json.dump(found, open(os.path.join(sys.argv[1], 'seen.json'), 'w'))
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_see_each_sample_once_an_epoch_and_again_after_a_resume(
    command: Callable, tmp_path: Path
) -> None:
    """Without a seed, and with one that differs by rank; the run is stopped in its second epoch of four steps."""
    script = tmp_path / 'two.py'
    script.write_text(TWO)
    done = command(script, tmp_path, processes=2)
    assert done.returncode == 0, done.stderr
    for name, (first, resumed) in json.loads((tmp_path / 'seen.json').read_text()).items():
        whole = [{**before, **after} for before, after in zip(first, resumed, strict=True)]
        for rank in (0, 1):
            assert sorted(map(int, resumed[rank])) == list(range(4, 12)), name
            again = [first[rank][str(i)] for i in range(4, 7)]
            assert again == [resumed[rank][str(i)] for i in range(4, 7)], name
        for epoch in range(3):
            seen = [i for rank in whole for step in range(4 * epoch, 4 * epoch + 4) for i in rank[str(step)]]
            assert sorted(seen) == list(range(16)), name
        assert whole[0]['0'] != whole[1]['0'], name


def test_it_runs_before_the_other_hooks() -> None:
    assert hook().priority == 'VERY_HIGH'
