"""The rows of a benchmark: parts of configs, each of which can do a step, measured in turn."""

import copy
import io
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from torch import Tensor

from mmkd_ext.benchmark.data import random_batch, real_batch
from mmkd_ext.benchmark.mmrazor import mmrazors
from mmkd_ext.benchmark.networks import build
from mmkd_ext.recorders.base import map_tensors, tensors_in

WARM_UP = 2  # rounds that do not count
STUDENT, TEACHER, LOSSES, STEP, MMRAZOR = 'student alone', 'teacher', 'losses', '', 'MMRazor'  # the parts of a config
CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


@dataclass(frozen=True)
class Setting:
    """The settings that all rows of a benchmark share.

    Attributes:
        count: Images in the batch.
        size: Their height and width; None uses the first batch of the config's training data.
        device: 'cpu' or 'cuda'.
        amp: Dtype of mixed precision, such as 'bfloat16'.
    """

    count: int
    size: tuple[int, int] | None
    device: str = 'cpu'
    amp: str | None = None


@dataclass
class Row:
    """One measured part.

    Attributes:
        name: Name of the config, and which part of it.
        step: Runs one step.
        images: Images in its batch.
        save: Makes a checkpoint with the optimiser's state and returns its size in bytes; None for a teacher.
        milliseconds: The time of the step, round by round.
        megabytes: Peak memory: on a GPU, what it allocates in addition to the memory that all rows hold; on a CPU, of a
            separate process (see `memory.py`); None if it was not measured.
        held: On a CPU, the part of that which is the teacher's weights and the distiller's records, in megabytes.
    """

    name: str
    step: Callable[[], object]
    images: int = 1
    save: Callable[[], int] | None = None
    milliseconds: list[float] = field(default_factory=list)
    megabytes: float | None = None
    held: float | None = None

    @property
    def median(self) -> float:
        """The median time in milliseconds."""
        return statistics.median(self.milliseconds)

    def result(self, first: 'Row') -> dict[str, Any]:
        """The numbers; the ratio is to another row's times in the same rounds, with its quartiles."""
        ratios = [own / other for own, other in zip(self.milliseconds, first.milliseconds, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        start = time.perf_counter()
        size = self.save() / 2**20 if self.save else None
        return dict(
            name=self.name,
            milliseconds=self.milliseconds,
            median=self.median,
            per_second=1000 * self.images / self.median,
            ratio=middle,
            quartiles=[low, high],
            megabytes=self.megabytes,
            held=self.held,
            checkpoint=size,
            save_milliseconds=1000 * (time.perf_counter() - start) if self.save else None,
        )


class Subject:
    """A config to measure, on one batch and with random weights.

    Args:
        name: Name of the config.
        cfg: Config of a plain model or of a distillation.
        setting: The settings that all rows share.

    Raises:
        ConfigError: If the data preprocessor changes the size of the images.
    """

    def __init__(self, name: str, cfg: Config, setting: Setting) -> None:
        torch.manual_seed(0)
        self.name, self.cfg, self.setting = name, copy.deepcopy(cfg), setting
        self.data = random_batch(cfg, setting.count, setting.size) if setting.size else real_batch(cfg, setting.count)
        self.model: Any = build(self.cfg, self.data, setting.size, setting.device)

    @property
    def parts(self) -> list[str]:
        """The parts of this config that can be measured, without MMRazor's engine."""
        alone = [STUDENT] if hasattr(self.model, 'student') else []
        teaches = getattr(self.model, 'taught', None) and not self.model.regions
        losses = [LOSSES] if hasattr(self.model, 'distiller') else []
        return [*alone, *([TEACHER] if teaches else []), *losses, STEP]

    def row(self, part: str = STEP) -> Row:
        """A part as a row. STUDENT and MMRAZOR train copies of the networks.

        Raises:
            ConfigError: If the part is MMRAZOR, which has no equivalent of this config.
        """
        name = f'{self.name}: {part}' if part else self.name
        if part == TEACHER:
            return Row(name, self._teach, self.setting.count)
        if part == LOSSES:
            return Row(name, self._compare(), self.setting.count)
        if part == STUDENT:
            trained = copy.deepcopy(self.model.student).train()
        else:
            trained = mmrazors(self.cfg.model, self.model) if part == MMRAZOR else self.model
        optim: Any = build_optim_wrapper(trained, self.cfg.optim_wrapper)
        for group in optim.param_groups:
            group['lr'] = 0.0  # the optimiser runs, but a random network would soon be all NaN

        def step() -> object:
            with self.cast():
                prepared = trained.data_preprocessor(self.data, True)
                losses, logs = trained.parse_losses(trained._run_forward(prepared, mode='loss'))
            optim.update_params(losses)
            return logs

        return Row(name, step, self.setting.count, lambda: checkpoint(trained, optim))

    def _teach(self) -> None:
        inputs = self.model.data_preprocessor(self.data, True)
        with self.cast():
            self.model.run_teachers(**inputs)
        self.model.distiller.clear()

    def _compare(self) -> Callable[[], object]:
        """Connectors and losses, forward and backward, on the records of one step; no network runs again."""
        distiller = self.model.distiller
        recorders = [*distiller.student_recorders.recorders.values(), *distiller.teacher_recorders.recorders.values()]
        inputs = self.model.data_preprocessor(self.data, True)
        with self.cast(), self.model.recorded(**inputs):
            recorded: list[Any] = [map_tensors(_leaf, recorder.records) for recorder in recorders]
        trained = [tensor for tensor in [*tensors_in(recorded), *distiller.parameters()] if tensor.requires_grad]

        def step() -> object:
            for recorder, records in zip(recorders, recorded, strict=True):
                recorder.records = records
            losses = distiller.compute_distill_losses()
            distiller.clear()
            torch.autograd.grad(sum(losses.values()), trained, allow_unused=True)
            return losses

        return step

    def cast(self) -> Any:
        """The context of mixed precision."""
        amp = self.setting.amp
        return torch.autocast(self.setting.device, getattr(torch, amp)) if amp else nullcontext()


def _leaf(tensor: Tensor) -> Tensor:
    """A copy of a tensor without its graph."""
    return tensor.detach().requires_grad_(tensor.requires_grad)


def checkpoint(model: BaseModel, optim: Any) -> int:
    """Make a checkpoint in memory; returns its size in bytes."""
    file = io.BytesIO()
    torch.save(dict(state_dict=model.state_dict(), optimizer=optim.state_dict()), file)
    return file.tell()


def measure(rows: list[Row], rounds: int, device: str, clock: str = 'wall') -> None:
    """Measure all rows in turn, round by round, so that other jobs on the machine slow down all rows alike.

    Args:
        rows: The rows to measure; the times are added to them.
        rounds: Number of rounds.
        device: The device that they run on.
        clock: 'wall', or 'cpu' for the CPU time of this process, which depends less on other jobs.
    """
    for i in range(rounds + WARM_UP):
        for row in rows:
            if device != 'cpu':
                torch.cuda.reset_peak_memory_stats()
                held = torch.cuda.memory_allocated()
            taken = timed(row.step, device, clock)
            if device != 'cpu':
                row.megabytes = max(row.megabytes or 0, (torch.cuda.max_memory_allocated() - held) / 2**20)
            if i >= WARM_UP:
                row.milliseconds.append(taken)


def timed(step: Callable[[], object], device: str, clock: str = 'wall') -> float:
    """Milliseconds of one step."""
    now = CLOCKS[clock]
    if device != 'cpu':
        torch.cuda.synchronize()
    start = now()
    step()
    if device != 'cpu':
        torch.cuda.synchronize()
    return 1000 * (now() - start)
