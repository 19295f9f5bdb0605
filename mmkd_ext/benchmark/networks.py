"""The networks of a benchmark, with random weights: student, teacher, and the algorithm."""

import copy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmkd_ext.benchmark.data import check_size
from mmkd_ext.build import build_model, model_config
from mmkd_ext.class_means import ClassMeans


def build(cfg: Config, data: dict, size: tuple[int, int] | None, device: str) -> BaseModel:
    """The model of a config with random weights, and with batch norms that have seen the batch.

    Class means are read from their file; if it does not exist, they are random, too.

    Args:
        cfg: Config of a plain model or of a distillation. It is changed.
        data: The batch, in the form of a data loader.
        size: The height and width that its images must have in the model; None for any.
        device: 'cpu' or 'cuda'.
    """
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    for entry in [cfg.model] if 'teacher' in cfg.model else (cfg.model.get('teachers') or {}).values():
        # A random network amplifies rounding, unlike a trained one.
        entry.update(teacher_ckpt=None, teacher_strict=False)
        if entry.get('teacher_fold', True):
            entry.teacher_fold = 0.1
    for name, loss in (cfg.model.get('distiller') or {}).get('distill_losses', {}).items():
        if isinstance(loss.get('class_means'), str):  # they are not from this teacher
            file = Path(loss.class_means)
            loss.class_means = ClassMeans.load(file).means if file.is_file() else _random_means(cfg.model, name)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model: BaseModel = revert_sync_batchnorm(MODELS.build(cfg.model)).to(device)
    if size:
        check_size(model.data_preprocessor, data, size)
    inputs = model.data_preprocessor(copy.deepcopy(data), True)['inputs']
    settle(getattr(model, 'student', model), inputs)
    for taught in getattr(model, 'taught', {}).values():
        settle(taught.teacher.model, taught.teacher.pixels(inputs, None))
    return model.train()


def _random_means(model: Any, loss: str) -> Tensor:
    """Class means for the layer at which a loss's `teacher` is recorded, (classes, channels)."""
    mapping = model.distiller.loss_forward_mappings[loss]
    source = model.distiller.teacher_recorders[mapping.teacher.recorder].source
    layer: Any = build_model(model_config(model.teacher, 'model.teacher'), 'model.teacher').get_submodule(source)
    return torch.randn(layer.out_features, layer.in_features)


def settle(model: nn.Module, inputs: Tensor) -> None:
    """Give batch norms the statistics of a batch: otherwise the maps of a random network vanish in eval mode.

    Very small (denormal) numbers also make a CPU many times slower.
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
