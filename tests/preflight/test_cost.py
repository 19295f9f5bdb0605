"""Time and memory are measured on steps that change no weight."""

import copy

import pytest
import torch
from distilled_toys import make
from mmengine.config import Config
from toys import batch

from mmkd_ext.preflight.cost import measure, steps_of
from mmkd_ext.preflight.report import Cost


@pytest.mark.parametrize(
    ('loop', 'steps'),
    [
        (dict(type='EpochBasedTrainLoop', max_epochs=12), 1200),
        (dict(by_epoch=True, max_epochs=3), 300),
        (dict(type='IterBasedTrainLoop', max_iters=80000), 80000),
        (dict(type='mine'), None),
        (None, None),
    ],
)
def test_the_steps_of_a_run(loop: dict | None, steps: int | None) -> None:
    assert steps_of(Config(dict(train_cfg=loop)), 100) == steps


@pytest.mark.parametrize(
    'optimizer',
    [
        dict(type='AdamW', lr=0.1, weight_decay=0.5),
        dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.5, nesterov=True),
    ],
)
def test_the_measured_steps_change_no_weight_and_no_statistic(optimizer: dict) -> None:
    model = make().train()
    before = copy.deepcopy(model.state_dict())
    cfg = Config(
        dict(
            optim_wrapper=dict(type='OptimWrapper', optimizer=optimizer, clip_grad=dict(max_norm=1)),
            train_cfg=dict(max_iters=7),
            train_dataloader=dict(num_workers=2),
        )
    )
    found = measure(model, cfg, [batch(), batch()], load=0.25, epoch=10)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert found.step > 0
    assert found.memory > 2**20
    assert (found.steps, found.workers, found.load) == (7, 2, 0.25)


@pytest.mark.parametrize(
    ('step', 'load', 'workers', 'seconds'),
    [(0.5, 0.2, 0, 7.0), (0.5, 0.2, 2, 5.0), (0.5, 2.0, 2, 10.0)],
)
def test_workers_load_while_a_step_is_computed(step: float, load: float, workers: int, seconds: float) -> None:
    assert Cost(step, load, workers, 10, 0).seconds == pytest.approx(seconds)
    assert Cost(step, load, workers, None, 0).seconds is None
