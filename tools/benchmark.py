#!/usr/bin/env python
"""What a training step of each config costs, in milliseconds and against the first: tools/benchmark.py CONFIG...

Whole steps (preprocessing, forward, backward, optimiser) on random data, one of each config in turn, so that a machine
that other jobs slow down slows all alike. Teachers get random weights; class means are read from their file. Times are
wall-clock time on a GPU and CPU time of this process on a CPU. Prints medians, in milliseconds, and their ratio to the
first config's.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope

from mmkd_ext import cli
from mmkd_ext.build import model_config
from mmkd_ext.class_means import ClassMeans
from mmkd_ext.errors import ConfigError


def random_batch(cfg: Config, count: int, size: int) -> dict:
    """Images and annotations as a data loader of the config's toolbox gives them."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=generator) for _ in range(count)]
    student = model_config(cfg.model.get('architecture', cfg.model), 'model')
    classes = _first(student, 'num_classes') or 2
    if cfg.default_scope == 'mmdet':
        with_mask = _first(student, 'mask_head') is not None
        sizes = [[3, size, size]] * count
        return import_module('mmdet.testing').demo_mm_inputs(count, sizes, num_classes=classes, with_mask=with_mask)
    if cfg.default_scope == 'mmseg':
        pixels = import_module('mmengine.structures').PixelData
        samples = [import_module('mmseg.structures').SegDataSample() for _ in images]
        for sample in samples:
            sample.gt_sem_seg = pixels(data=torch.randint(0, classes, (1, size, size), generator=generator))
            sample.set_metainfo(dict(img_shape=(size, size), ori_shape=(size, size), pad_shape=(size, size)))
    else:
        samples = [import_module('mmpretrain.structures').DataSample().set_gt_label(i % classes) for i in range(count)]
    return dict(inputs=images, data_samples=samples)


def _first(cfg: Any, key: str) -> Any:
    """The first value under a key anywhere in a config, or None."""
    if isinstance(cfg, dict):
        return cfg[key] if key in cfg else _first(list(cfg.values()), key)
    found = (_first(part, key) for part in cfg) if isinstance(cfg, (list, tuple)) else ()
    return next((value for value in found if value is not None), None)


def step_of(cfg: Config, count: int, size: int, device: str) -> Callable[[], object]:
    """A function that takes one training step."""
    torch.manual_seed(0)
    data = random_batch(cfg, count, size)
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    if 'teacher' in cfg.model:
        cfg.model.update(teacher_ckpt=None, teacher_strict=False)
    for loss in (cfg.model.get('distiller') or {}).get('distill_losses', {}).values():
        if isinstance(loss.get('class_means'), str):  # which are not of this teacher
            loss.class_means = ClassMeans.load(loss.class_means).means
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model: BaseModel = revert_sync_batchnorm(MODELS.build(cfg.model)).to(device).train()
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    _check_size(model.data_preprocessor, data, size)
    return lambda: model.train_step(data, optimizer)


def _check_size(pixels: Any, data: dict, size: int) -> None:
    """Let a preprocessor that pads to a size of its own (mmseg's) pad to this one.

    Raises:
        ConfigError: If it makes images of another size anyway, as of one that is no multiple of its divisor.
    """
    if getattr(pixels, 'size', None):
        pixels.size = (size, size)
    height, width = pixels(copy.deepcopy(data), True)['inputs'].shape[-2:]
    if (height, width) != (size, size):
        raise ConfigError(
            f'--size {size}: the data preprocessor makes images of {height}x{width} of it; give --size {height}.'
        )


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


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--size', type=int, default=224, help='height and width of the images (default: 224)')
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    steps = [step_of(cli.read_config(path), args.batch_size, args.size, args.device) for path in args.configs]
    times: list[list[float]] = [[] for _ in steps]
    for i in range(args.rounds + 2):
        for step, spent in zip(steps, times, strict=True):
            one = timed(step, args.device)
            if i > 1:  # the first rounds warm up
                spent.append(one)
    threads = f', {torch.get_num_threads()} threads' if args.device == 'cpu' else ''
    print(f'{args.batch_size} images of {args.size}x{args.size}, {args.device}{threads}, {args.rounds} rounds')
    medians = [statistics.median(spent) for spent in times]
    width = max(len(Path(path).stem) for path in args.configs)
    for path, median in zip(args.configs, medians, strict=True):
        print(f'{Path(path).stem:{width}} {median:9.1f} ms  {median / medians[0]:.3f}')


if __name__ == '__main__':
    cli.run(main)
