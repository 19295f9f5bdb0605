"""A data set, sample by sample in order, each augmented with its own random numbers."""

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from mmkd_ext.config_walk import innermost
from mmkd_ext.distillers.classes import class_names
from mmkd_ext.errors import ConfigError

SEED = 0


def reseed(*numbers: int) -> None:
    """Seed Python, numpy and torch from all of these numbers together."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class SeededDataset(Dataset):
    """Some samples of a data set; the random numbers of a sample depend only on the seed and its index.

    Args:
        dataset: The data set.
        indices: Which of its samples.
        seed: The seed.
    """

    def __init__(self, dataset: Any, indices: Sequence[int], seed: int) -> None:
        self.dataset = dataset
        self.indices = indices
        self.seed = seed
        self.metainfo = getattr(dataset, 'metainfo', {})

    def __len__(self) -> int:
        """How many samples."""
        return len(self.indices)

    def __getitem__(self, position: int) -> Any:
        """A sample, through its pipeline."""
        index = self.indices[position]
        reseed(self.seed, 0, index)
        return self.dataset[index]


def seeded_set(
    cfg: Config, pipeline: str, limit: int | None, seed: int, split: str = 'train'
) -> tuple[SeededDataset, dict[str, str]]:
    """A data set of the config with its annotations, and its entries for a file's header.

    Args:
        cfg: The config; it is not changed.
        pipeline: `train` for the data set's own pipeline, `test` for that of the validation set.
        limit: Use that many samples, evenly spread, because many data sets are sorted by class; None for all.
        seed: Seed of the random numbers.
        split: Which loader's data set to use: `train` or `val`.

    Raises:
        ConfigError: If the config has no such data set or pipeline, or there is no sample.
    """
    if pipeline not in ('train', 'test'):
        raise ConfigError(f"--pipeline must be 'train' or 'test', got {pipeline!r}.")
    if limit is not None and limit < 1:
        raise ConfigError(f'--limit must be at least 1, got {limit}.')
    source = dataset_config(cfg, split)
    if pipeline == 'test':
        source = _with_pipeline(source, _test_pipeline(cfg, split))
    first = _first(source)
    dataset: Any = DATASETS.build(copy.deepcopy(source))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    if not len(dataset):
        raise ConfigError(f'{split}_dataloader.dataset holds no sample.')
    count = min(limit or len(dataset), len(dataset))
    files = first.get('ann_file') or first.get('data_prefix')
    steps = ', '.join(str(step.get('type')) for step in first.get('pipeline') or [])
    about = dict(
        dataset=f'{first.get("type")}{f" {files}" if files else ""}, {len(dataset)} samples',
        images=str(count),
        pipeline=f'{pipeline}: {steps}',
    )
    classes = class_names(getattr(dataset, 'metainfo', None))
    if classes:
        about['classes'] = json.dumps(classes)
    return SeededDataset(dataset, [i * len(dataset) // count for i in range(count)], seed), about


def dataset_config(cfg: Config, split: str) -> dict:
    """The config of a loader's data set.

    Raises:
        ConfigError: If there is none.
    """
    source = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
    if not isinstance(source, dict):
        raise ConfigError(f'the config has no {split}_dataloader with a dataset.')
    return source


def _first(dataset: dict) -> dict:
    return next(innermost(dataset))[0]


def _test_pipeline(cfg: Config, split: str) -> list[dict]:
    """The validation pipeline, with annotations loaded as in `split`: before images are resized, or not at all."""
    validation, annotated = (_first(dataset_config(cfg, name)).get('pipeline') or [] for name in ('val', split))
    steps = [step for step in validation if not _annotates(step)]
    return [*steps[:1], *(step for step in annotated if _annotates(step)), *steps[1:]]


def _annotates(step: dict) -> bool:
    return str(step['type']).endswith('Annotations') and 'Load' in str(step['type'])


def _with_pipeline(dataset: dict, pipeline: list[dict]) -> dict:
    """The data set with this pipeline inside; a wrapper that mixes images (with its own pipeline) is removed."""
    if isinstance(dataset.get('dataset'), dict):
        inner = _with_pipeline(dataset['dataset'], pipeline)
        return inner if 'pipeline' in dataset else {**dataset, 'dataset': inner}
    if dataset.get('datasets'):
        return {**dataset, 'datasets': [_with_pipeline(entry, pipeline) for entry in dataset['datasets']]}
    return {**dataset, 'pipeline': pipeline}
