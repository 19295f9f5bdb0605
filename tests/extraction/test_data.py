import random
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader, Dataset

from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.data import SeededDataset, seeded_set


@DATASETS.register_module()
class NoisySamples(Dataset):
    """Each sample is its index and one number of each generator."""

    metainfo = dict(classes=('a', 'b'))

    def __init__(self, pipeline: Any = None, length: int = 10) -> None:
        self.pipeline = pipeline
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[float, ...]:
        return index, torch.rand(()).item(), float(np.random.rand()), random.random()  # noqa: NPY002


@DATASETS.register_module()
class Wrapper(NoisySamples):
    """Stands for RepeatDataset and, with a pipeline, for MultiImageMixDataset."""

    def __init__(self, dataset: dict, pipeline: Any = None) -> None:
        super().__init__(pipeline)
        self.dataset = DATASETS.build(dataset)


@pytest.fixture(autouse=True)
def _random_state() -> Any:
    """Other tests go on with their own random numbers."""
    state = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    yield
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    random.setstate(state[2])


def test_a_sample_depends_on_the_seed_and_its_index_alone() -> None:
    data = SeededDataset(NoisySamples(), range(10), seed=0)
    whole = [data[i] for i in range(10)]
    assert [data[i] for i in reversed(range(10))] == whole[::-1]
    assert SeededDataset(NoisySamples(), [7, 3], seed=0)[1] == whole[3]
    assert SeededDataset(NoisySamples(), range(10), seed=1)[3] != whole[3]
    for drawn in zip(*whole, strict=True):
        assert len(set(drawn)) == 10
    loader = DataLoader(data, batch_sampler=[range(4, 8), range(8, 10)], num_workers=1, collate_fn=list)
    assert [sample for batch in loader for sample in batch] == whole[4:]


LOAD, BOXES, FLIP, PACK = (dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'Flip', 'Pack'))
RESIZE = dict(type='mmdet.Resize')


def config(dataset: dict, validation: list | None = None) -> Config:
    loaders = dict(train_dataloader=dict(dataset=dataset))
    if validation is not None:
        loaders['val_dataloader'] = dict(dataset=dict(type='NoisySamples', pipeline=validation))
    return Config(loaders)


def steps(data: Any) -> list[str]:
    return [step['type'] for step in data.pipeline]


@pytest.mark.parametrize('validation', [[LOAD, RESIZE, BOXES, PACK], [LOAD, RESIZE, PACK]])
def test_the_test_pipeline_loads_boxes_before_images_are_resized(validation: list) -> None:
    cfg = config(dict(type='NoisySamples', pipeline=[LOAD, BOXES, FLIP, PACK]), validation)
    before = cfg.to_dict()
    data, about = seeded_set(cfg, 'test', None, 0)
    assert steps(data.dataset) == ['LoadImageFromFile', 'LoadAnnotations', 'mmdet.Resize', 'Pack']
    assert about['pipeline'] == 'test: LoadImageFromFile, LoadAnnotations, mmdet.Resize, Pack'
    data, about = seeded_set(cfg, 'train', None, 0)
    assert steps(data.dataset) == ['LoadImageFromFile', 'LoadAnnotations', 'Flip', 'Pack']
    assert about['pipeline'].startswith('train: ')
    assert cfg.to_dict() == before


def test_the_test_pipeline_reaches_into_wrappers_and_takes_off_those_that_mix_images() -> None:
    inner = dict(type='NoisySamples', pipeline=[LOAD, FLIP, PACK])
    mixed = dict(type='Wrapper', dataset=dict(type='Wrapper', dataset=inner, pipeline=[dict(type='Mosaic')]))
    data, _ = seeded_set(config(mixed, [LOAD, RESIZE, PACK]), 'test', None, 0)
    assert type(data.dataset) is Wrapper
    assert type(data.dataset.dataset) is NoisySamples
    assert steps(data.dataset.dataset) == ['LoadImageFromFile', 'mmdet.Resize', 'Pack']


def test_a_limit_spreads_evenly_and_repeats_nothing() -> None:
    cfg = config(dict(type='NoisySamples', length=10))
    data, about = seeded_set(cfg, 'train', 4, 0)
    assert [data[i][0] for i in range(len(data))] == [0, 2, 5, 7]
    assert about['images'] == '4'
    assert about['dataset'] == 'NoisySamples, 10 samples'
    assert seeded_set(cfg, 'train', 99, 0)[0].indices == list(range(10))


@pytest.mark.parametrize(
    ('cfg', 'options', 'message'),
    [
        (Config({}), {}, 'the config has no train_dataloader with a dataset'),
        (config(dict(type='NoisySamples')), dict(pipeline='test'), 'the config has no val_dataloader'),
        (config(dict(type='NoisySamples')), dict(pipeline='val'), "--pipeline must be 'train' or 'test', got 'val'"),
        (config(dict(type='NoisySamples')), dict(limit=0), '--limit must be at least 1, got 0'),
        (config(dict(type='NoisySamples', length=0)), {}, 'holds no sample'),
    ],
    ids=range(5),
)
def test_what_cannot_be_read_is_refused(cfg: Config, options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seeded_set(cfg, **{'pipeline': 'train', 'limit': None, 'seed': 0, **options})
