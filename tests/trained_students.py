"""Students of the mini configs as after training, and their outputs."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmdet.models  # noqa: F401  # what their scopes hold
import mmpretrain.models  # noqa: F401
import mmseg.models  # noqa: F401
import torch
from mmengine.config import Config
from support import MINI
from torch import Tensor, nn

from mmkd_ext.build import build_model, model_config
from mmkd_ext.export.config import student_config
from mmkd_ext.recorders.base import tensors_in


def read(name: str) -> Config:
    return Config.fromfile(MINI / f'{name}.py')


def without_scope(model: dict) -> dict:
    """A student names its toolbox only if it is not that of the config."""
    return {key: value for key, value in model.items() if key != '_scope_'}


def build(cfg: Config) -> Any:
    """The model of a plain config, in eval mode, with weights and batch norms as after training."""
    torch.manual_seed(2)
    cfg = copy.deepcopy(cfg)
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    cfg.model.setdefault('_scope_', cfg.default_scope)
    model = build_model(model_config(cfg.model, 'model'), 'model').eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.uniform_(0.5, 1.5)
            for values in (module.bias.data, module.running_mean):
                values.normal_(0, 0.3)
    return model


def trained(cfg: Config) -> Any:
    return build(student_config(cfg))


@torch.no_grad()
def outputs(model: Any) -> Iterator[Tensor]:
    """Of random images: logits, or the features of a detector."""
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)).to(next(model.parameters()))
    detector = hasattr(model, 'roi_head')
    yield from tensors_in(model.extract_feat(images) if detector else model(images, None, mode='tensor'))


def largest_difference(first: Any, second: Any) -> float:
    pairs = list(zip(outputs(first), outputs(second), strict=True))
    return max(((a - b).abs().max() / a.abs().max()).item() for a, b in pairs)


def checkpoint(path: Path, model: Any, **more: Any) -> str:
    """As a distillation run writes it."""
    weights = {**model.state_dict(), 'distiller.connectors.mlp.weight': torch.ones(2)}
    torch.save(
        dict(meta=dict(epoch=3, dataset_meta=dict(classes=('a', 'b')), cfg='x'), state_dict=weights, **more), path
    )
    return str(path)
