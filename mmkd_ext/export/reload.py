"""Load exported files as their toolbox does; `export.student` runs it as a program to check that they stand alone.

This file needs nothing of this package. As a program, it gets the paths of the config, the checkpoint, and a file of
batches, which it replaces by the outputs.
"""

import copy
import sys
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor


def load(config: str, checkpoint: str) -> Any:
    """The model of a plain config with exactly the checkpoint's weights, in eval mode."""
    cfg = Config.fromfile(config)
    if cfg.get('data_preprocessor'):
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(checkpoint, map_location='cpu', weights_only=True)['state_dict'])
    return model


@torch.no_grad()
def outputs(model: Any, data: dict, dense: bool) -> list[Tensor]:
    """A model's outputs for a batch; `dense` stops a detector before it selects boxes, which rounding may change."""
    data = model.data_preprocessor(copy.deepcopy(data), False)
    return list(_tensors(model.extract_feat(data['inputs']) if dense else model(**data, mode='tensor')))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def main(config: str, checkpoint: str, exchange: str) -> None:
    """Load the model, and run it on the batches of the file `exchange`."""
    work = torch.load(exchange, weights_only=False)  # written by the parent process
    torch.set_num_threads(work['threads'])  # or sums are added in another order
    model = load(config, checkpoint)
    torch.save([outputs(model, data, work['dense']) for data in work['batches']], exchange)


if __name__ == '__main__':
    main(*sys.argv[1:])
