"""Time and memory of a run, from a few whole training steps that change no weight."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmkd_ext.preflight.report import Cost
from mmkd_ext.preflight.step import buffers_kept
from mmkd_ext.process_memory import peak_memory


def steps_of(cfg: Config, epoch: int) -> int | None:
    """The number of training steps of a run.

    Args:
        cfg: Config of the run.
        epoch: Steps per epoch.
    """
    loop = cfg.get('train_cfg') or {}
    if loop.get('max_iters') is not None:
        return int(loop['max_iters'])
    return None if loop.get('max_epochs') is None else int(loop['max_epochs']) * epoch


def measure(model: Any, cfg: Config, batches: Sequence[Any], load: float, epoch: int) -> Cost:
    """Train some steps at learning rate 0: the optimiser runs and has its state, but no weight changes.

    Args:
        model: The model, in training mode.
        cfg: Config of the run.
        batches: Batches from the data loader.
        load: Seconds to load one batch.
        epoch: Steps per epoch.
    """
    optim: Any = build_optim_wrapper(model, cfg.optim_wrapper)
    for group in optim.param_groups:
        group['lr'] = 0.0
    cuda = torch.cuda.is_available()
    taken = []
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    with buffers_kept(model):
        for batch in (batches[0], *batches):  # the first one allocates the optimiser's state
            start = time.perf_counter()
            model.train_step(batch, optim)
            if cuda:
                torch.cuda.synchronize()
            taken.append(time.perf_counter() - start)
    optim.zero_grad()
    workers = int((cfg.get('train_dataloader') or {}).get('num_workers', 0))
    peak = torch.cuda.max_memory_allocated() if cuda else int(peak_memory() * 2**20)
    return Cost(statistics.median(taken[1:]), load, workers, steps_of(cfg, epoch), peak)
