"""What a launcher says of its processes, and the model inside of their wrapper."""

from types import SimpleNamespace

import pytest
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmkd_ext import distributed


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in distributed.VARIABLES:
        monkeypatch.delenv(name, raising=False)


def numbers(launcher: str) -> tuple[int, ...]:
    counts = distributed.process_count(dict(launcher=launcher)), distributed.started_count()
    return distributed.rank(), distributed.local_rank(), *counts


def test_without_a_launcher_there_is_one_process() -> None:
    assert numbers('none') == numbers('pytorch') == (0, 0, 1, 1)
    assert distributed.process_count({}) == 1


@pytest.mark.parametrize(
    ('launcher', 'variables'),
    [
        ('pytorch', ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'WORLD_SIZE')),
        ('slurm', ('SLURM_PROCID', 'SLURM_LOCALID', 'SLURM_NTASKS', 'SLURM_STEP_NUM_TASKS')),
        ('mpi', tuple(f'OMPI_COMM_WORLD_{name}' for name in ('RANK', 'LOCAL_RANK', 'SIZE', 'SIZE'))),
    ],
)
def test_each_launcher_has_its_variables(
    launcher: str, variables: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(variables, '5188', strict=True):
        monkeypatch.setenv(name, value)
    assert numbers(launcher) == (5, 1, 8, 8)
    assert distributed.process_count(dict(launcher='none')) == 1


def test_the_script_of_a_slurm_job_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SLURM_NTASKS', '8')
    assert distributed.started_count() == 1


def test_a_model_comes_out_of_its_wrapper() -> None:
    model = nn.Linear(1, 1)
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapper)
    wrapper.module = model
    for given in (model, wrapper):
        assert distributed.unwrapped(SimpleNamespace(model=given)) is model
