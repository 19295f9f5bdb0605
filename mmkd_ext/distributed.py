"""The processes of a job, as its launcher describes them in the environment, and the model in each of them."""

import os
from collections.abc import Mapping
from typing import Any

from mmengine.model import is_model_wrapper

# What torchrun, SLURM and Open MPI call each number.
_RANK = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_LOCAL_RANK = ('LOCAL_RANK', 'SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK')
_COUNT = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE')
# A SLURM job script has SLURM_NTASKS, too, although it is one process; processes started by `srun` have the step's
# number.
_STARTED = ('WORLD_SIZE', 'SLURM_STEP_NUM_TASKS', 'OMPI_COMM_WORLD_SIZE')
VARIABLES = dict.fromkeys((*_RANK, *_LOCAL_RANK, *_COUNT, *_STARTED))


def _number(names: tuple[str, ...], otherwise: int) -> int:
    return int(next((os.environ[name] for name in names if os.environ.get(name)), otherwise))


def rank() -> int:
    """This process's number in its job."""
    return _number(_RANK, 0)


def local_rank() -> int:
    """This process's number among those on its machine."""
    return _number(_LOCAL_RANK, 0)


def process_count(cfg: Mapping[str, Any]) -> int:
    """The number of processes of a job.

    Args:
        cfg: Config of a run, with its `launcher`; without a launcher there is one process.
    """
    return _number(_COUNT, 1) if cfg.get('launcher', 'none') != 'none' else 1


def started_count() -> int:
    """The number of processes that a launcher started, for a command that is not told which launcher it was."""
    return _number(_STARTED, 1)


def unwrapped(runner: Any) -> Any:
    """The model of a runner, without the wrapper that distributed training puts around it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
