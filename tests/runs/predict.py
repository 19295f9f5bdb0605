"""What a toolbox predicts of three images of the validation set: predict.py CONFIG CHECKPOINT OUT."""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope
from torch import Tensor


def numbers(value: Any) -> Iterator[Tensor]:
    """All tensors in what a model predicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from numbers(item)
    elif hasattr(value, 'items'):
        yield from numbers([item for _, item in sorted(value.items())])


def predict(config: str, checkpoint: str, out: str) -> None:
    """Load all of the weights but the distiller's, predict, and save all numbers."""
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
        model = MODELS.build(cfg.model).eval()
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        weights = torch.load(checkpoint, weights_only=True)['state_dict']
        weights = {name: value for name, value in weights.items() if not name.startswith('distiller.')}
        model.load_state_dict(weights)
        with torch.no_grad():
            torch.save([*numbers(model.test_step(pseudo_collate([dataset[i] for i in range(3)])))], out)


if __name__ == '__main__':
    predict(*sys.argv[1:])
