"""One batch for a benchmark: random images with annotations, or the first batch of a config's training data."""

import copy
from importlib import import_module
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmkd_ext.build import model_config
from mmkd_ext.errors import ConfigError


def random_batch(cfg: Config, count: int, size: int | tuple[int, int]) -> dict:
    """Random images and annotations in the form of the config's toolbox.

    Args:
        cfg: A config of a plain model or of a distillation.
        count: Images in the batch.
        size: Their height and width.
    """
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


def real_batch(cfg: Config, count: int) -> dict:
    """The first batch of the config's training data, with seed 0.

    Args:
        cfg: A config with `train_dataloader`.
        count: Images in the batch.
    """
    loader = dict(cfg.train_dataloader, batch_size=count, num_workers=0, persistent_workers=False)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        batch: dict = next(iter(Runner.build_dataloader(loader, seed=0)))
    return batch


def check_size(pixels: Any, data: dict, size: tuple[int, int]) -> None:
    """Make a preprocessor that pads to its own size (mmseg's) pad to this one.

    Raises:
        ConfigError: If the images still have another size, for example if it is not a multiple of the divisor.
    """
    if getattr(pixels, 'size', None):
        pixels.size = size
    height, width = pixels(copy.deepcopy(data), True)['inputs'].shape[-2:]
    if (height, width) != size:
        asked = ' '.join(map(str, dict.fromkeys(size)))
        given = ' '.join(map(str, dict.fromkeys((height, width))))
        raise ConfigError(f'--size {asked}: the data preprocessor turns it into {height}x{width}; give --size {given}.')


def _first(cfg: Any, key: str) -> Any:
    """The first value under a key anywhere in a config, or None."""
    if isinstance(cfg, dict):
        return cfg[key] if key in cfg else _first(list(cfg.values()), key)
    found = (_first(part, key) for part in cfg) if isinstance(cfg, (list, tuple)) else ()
    return next((value for value in found if value is not None), None)
