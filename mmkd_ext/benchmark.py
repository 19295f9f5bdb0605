"""What a training step costs: of the student alone, with distillation, and the teacher's part, measured in turn."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmkd_ext.build import model_config
from mmkd_ext.class_means import ClassMeans
from mmkd_ext.errors import ConfigError

WARM_UP = 2  # rounds that do not count


@dataclass
class Row:
    """One thing that is measured.

    Attributes:
        name: The config's, and which part of it.
        step: Does it once.
        milliseconds: What it took, round by round.
        megabytes: The most that it had allocated on the GPU beyond what all rows hold; None on a CPU.
    """

    name: str
    step: Callable[[], object]
    milliseconds: list[float] = field(default_factory=list)
    megabytes: float | None = None

    @property
    def median(self) -> float:
        """Of the times, in milliseconds."""
        return statistics.median(self.milliseconds)

    def result(self, first: 'Row') -> dict[str, Any]:
        """As numbers; the ratio is of the same rounds' times to those of another row, with its quartiles."""
        ratios = [own / other for own, other in zip(self.milliseconds, first.milliseconds, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        kept = {key: value for key, value in asdict(self).items() if key != 'step'}
        return dict(kept, median=self.median, ratio=middle, quartiles=[low, high])


def rows_of(
    name: str, cfg: Config, count: int, size: tuple[int, int], device: str, split: bool = False, amp: str | None = None
) -> Iterator[Row]:
    """What is measured of a config, on one random batch and with random weights.

    Args:
        name: Of the config.
        cfg: Of a plain model or of a distillation. Class means are read from their file.
        count: Images in the batch.
        size: Their height and width.
        device: 'cpu' or 'cuda'.
        split: Measure the step of the student alone, with the same weights, and the teacher's forward as well.
        amp: Dtype of mixed precision, such as 'bfloat16'.

    Raises:
        ConfigError: If the data preprocessor makes images of another size.
    """
    torch.manual_seed(0)
    data = random_batch(cfg, count, size)
    model = build(cfg, data, size, device)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    cast = (lambda: torch.autocast(device, getattr(torch, amp))) if amp else nullcontext

    def step(trained: BaseModel, optim: Any) -> Callable[[], object]:
        def run() -> object:
            with cast():
                prepared = trained.data_preprocessor(data, True)
                losses, logs = trained.parse_losses(trained._run_forward(prepared, mode='loss'))
            optim.update_params(losses)
            return logs

        return run

    if split and hasattr(model, 'student'):
        plain = copy.deepcopy(model.student).train()
        yield Row(f'{name}: student alone', step(plain, build_optim_wrapper(plain, cfg.optim_wrapper)))
    if split and hasattr(model, 'taught') and not model.regions:
        inputs = model.data_preprocessor(data, True)

        def teach() -> None:
            with cast():
                model._run_teachers(**inputs, sampled_regions=False)
            model.distiller.clear()

        yield Row(f'{name}: teacher', teach)
    yield Row(name, step(model, optimizer))


def build(cfg: Config, data: dict, size: tuple[int, int], device: str) -> BaseModel:
    """The model of a config with random weights, and with batch norms that have seen the batch."""
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    for entry in [cfg.model] if 'teacher' in cfg.model else (cfg.model.get('teachers') or {}).values():
        # A random network enlarges rounding as a trained one does not.
        entry.update(teacher_ckpt=None, teacher_strict=False)
        if entry.get('teacher_fold', True):
            entry.teacher_fold = 0.1
    for loss in (cfg.model.get('distiller') or {}).get('distill_losses', {}).values():
        if isinstance(loss.get('class_means'), str):  # which are not of this teacher
            loss.class_means = ClassMeans.load(loss.class_means).means
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model: BaseModel = revert_sync_batchnorm(MODELS.build(cfg.model)).to(device)
    check_size(model.data_preprocessor, data, size)
    inputs = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    settle(getattr(model, 'student', model), inputs)
    for taught in getattr(model, 'taught', {}).values():
        settle(taught.teacher.model, taught.teacher.pixels(inputs, None))
    return model.train()


def settle(model: nn.Module, inputs: Tensor) -> None:
    """Give batch norms the statistics of a batch: in eval mode the maps of a random network vanish otherwise.

    Numbers that nearly vanish (denormal ones) also take a CPU many times as long.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    model.eval()
    for norm in norms:
        if norm.track_running_stats:
            norm.reset_running_stats()
            norm.train().momentum = None
    with torch.no_grad():
        model.extract_feat(inputs)  # type: ignore[operator]
    for norm in norms:
        norm.momentum = 0.1
    model.eval()


def measure(rows: list[Row], rounds: int, device: str) -> None:
    """Measure all rows in turn, round by round, so that a machine that other jobs slow down slows all alike.

    Args:
        rows: What to measure; the times are added to them.
        rounds: How often.
        device: On a CPU the time is that of this process, on a GPU that of the clock.
    """
    for i in range(rounds + WARM_UP):
        for row in rows:
            if device != 'cpu':
                torch.cuda.reset_peak_memory_stats()
                held = torch.cuda.memory_allocated()
            taken = timed(row.step, device)
            if device != 'cpu':
                row.megabytes = max(row.megabytes or 0, (torch.cuda.max_memory_allocated() - held) / 2**20)
            if i >= WARM_UP:
                row.milliseconds.append(taken)


def timed(step: Callable[[], object], device: str) -> float:
    """Milliseconds of one step."""
    clock = time.process_time if device == 'cpu' else time.perf_counter
    if device != 'cpu':
        torch.cuda.synchronize()
    start = clock()
    step()
    if device != 'cpu':
        torch.cuda.synchronize()
    return 1000 * (clock() - start)


def random_batch(cfg: Config, count: int, size: int | tuple[int, int]) -> dict:
    """Images and annotations as a data loader of the config's toolbox gives them."""
    height, width = (size, size) if isinstance(size, int) else size
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator) for _ in range(count)]
    student = model_config(cfg.model.get('architecture', cfg.model), 'model')
    classes = _first(student, 'num_classes') or 2
    if cfg.default_scope == 'mmdet':
        with_mask = _first(student, 'mask_head') is not None
        sizes = [[3, height, width]] * count
        return import_module('mmdet.testing').demo_mm_inputs(count, sizes, num_classes=classes, with_mask=with_mask)
    if cfg.default_scope == 'mmseg':
        pixels = import_module('mmengine.structures').PixelData
        samples = [import_module('mmseg.structures').SegDataSample() for _ in images]
        for sample in samples:
            sample.gt_sem_seg = pixels(data=torch.randint(0, classes, (1, height, width), generator=generator))
            sample.set_metainfo(dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape'), (height, width)))
    else:
        samples = [import_module('mmpretrain.structures').DataSample().set_gt_label(i % classes) for i in range(count)]
    return dict(inputs=images, data_samples=samples)


def _first(cfg: Any, key: str) -> Any:
    """The first value under a key anywhere in a config, or None."""
    if isinstance(cfg, dict):
        return cfg[key] if key in cfg else _first(list(cfg.values()), key)
    found = (_first(part, key) for part in cfg) if isinstance(cfg, (list, tuple)) else ()
    return next((value for value in found if value is not None), None)


def check_size(pixels: Any, data: dict, size: tuple[int, int]) -> None:
    """Let a preprocessor that pads to a size of its own (mmseg's) pad to this one.

    Raises:
        ConfigError: If it makes images of another size anyway, as of one that is not a multiple of its divisor.
    """
    if getattr(pixels, 'size', None):
        pixels.size = size
    height, width = pixels(copy.deepcopy(data), True)['inputs'].shape[-2:]
    if (height, width) != size:
        asked = ' '.join(map(str, dict.fromkeys(size)))
        given = ' '.join(map(str, dict.fromkeys((height, width))))
        raise ConfigError(f'--size {asked}: the data preprocessor turns it into {height}x{width}; give --size {given}.')
