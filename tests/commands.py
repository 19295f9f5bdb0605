"""The options of tools/train.py as a user types them."""

from pathlib import Path
from typing import Any

from mmkd_ext import cli


def arguments(*words: object) -> Any:
    return cli.train_parser().parse_args([str(word) for word in words])


def data_options(digits: Path) -> list[str]:
    roots = [f'{field}_dataloader.dataset.data_root={digits}/' for field in ('train', 'val', 'test')]
    return ['--cfg-options', *roots, f'val_evaluator.ann_file={digits}/annotations/instances_val.json']
