from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from mmkd_ext.errors import ConfigError
from mmkd_ext.export.config import student_config

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
CROP, FLIP = dict(type='RandomCrop', crop_size=9, padding=1), dict(type='RandomFlip', prob=0.5, direction='horizontal')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three 9x9 images of two classes."""
    rng = np.random.default_rng(0)
    for name in ('a/0.png', 'b/0.png', 'b/1.png'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(1, 256, (9, 9, 3), np.uint8)).save(path)
    return tmp_path


def build(folder: Path, *steps: dict, wrapped: bool = True) -> Any:
    stock = dict(type='CustomDataset', data_root=str(folder), pipeline=[LOAD, *steps, PACK])
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(dict(type='mmkd_ext.InMemoryImages', dataset=stock) if wrapped else stock)


def test_without_random_steps_items_are_those_of_the_data_set(folder: Path) -> None:
    ours, stock = build(folder), build(folder, wrapped=False)
    assert len(ours) == 3
    assert ours.metainfo == stock.metainfo
    for i in (2, 0):
        assert torch.equal(ours[i]['inputs'], stock[i]['inputs'])
        assert ours[i]['data_samples'].gt_label == stock[i]['data_samples'].gt_label
    first = ours[1]['data_samples']
    first.set_field(7, 'changed')
    assert 'changed' not in ours[1]['data_samples']


def outcomes(image: Tensor) -> list[bytes]:
    """All 18 that cropping 9x9 of 11x11 and flipping can give."""
    padded = pad(image, [1] * 4)
    crops = [padded[:, y : y + 9, x : x + 9] for y in range(3) for x in range(3)]
    return [crop.numpy().tobytes() for crop in [*crops, *(crop.flip(-1) for crop in crops)]]


@pytest.mark.parametrize('wrapped', [True, False], ids=['wrapped', 'stock'])
def test_each_crop_and_flip_is_as_likely_as_in_the_stock_pipeline(folder: Path, wrapped: bool) -> None:
    data, plain = build(folder, CROP, FLIP, wrapped=wrapped), build(folder, wrapped=False)
    np.random.seed(3)
    indices = [1, 0, 1] * 600
    batch = data.__getitems__(indices) if wrapped else [data[i] for i in indices]
    for i, times in ((0, 600), (1, 1200)):
        expected = outcomes(plain[i]['inputs'])
        assert len(set(expected)) == 18
        found = [item['inputs'].numpy().tobytes() for item, j in zip(batch, indices, strict=True) if j == i]
        counts = np.array([found.count(outcome) for outcome in expected])
        assert counts.sum() == times
        chi_square = ((counts - times / 18) ** 2 / (times / 18)).sum()
        assert chi_square < 40.8  # 17 degrees of freedom: one in a thousand


def test_a_loader_asks_for_whole_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = build(folder, CROP, FLIP)
    asked: list[list[int]] = []
    real = type(data).__getitems__
    monkeypatch.setattr(type(data), '__getitems__', lambda self, indices: asked.append(indices) or real(self, indices))
    sampler = dict(type='DefaultSampler', shuffle=False)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        loader = Runner.build_dataloader(dict(dataset=data, sampler=sampler, batch_size=2, num_workers=0))
    sizes = [len(batch['inputs']) for batch in loader]
    assert sizes == [2, 1]
    assert asked == [[0, 1], [2]]


def test_a_plain_config_holds_the_wrapped_data_set(folder: Path) -> None:
    inner = dict(type='CustomDataset', data_root=str(folder), pipeline=[LOAD, CROP, FLIP, PACK])
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(type='ImageClassifier', backbone=dict(type='LeNet5', num_classes=2)),
            train_dataloader=dict(batch_size=2, dataset=dict(type='mmkd_ext.InMemoryImages', dataset=inner)),
            custom_imports=dict(imports=['mmkd_ext']),
        )
    )
    plain = student_config(cfg)
    assert plain.train_dataloader.dataset == inner
    assert 'custom_imports' not in plain


@pytest.mark.parametrize(
    ('steps', 'words'),
    [
        ([dict(CROP, crop_size=(8, 9))], 'RandomCrop.* integer crop_size'),
        ([dict(CROP, padding_mode='reflect')], 'RandomCrop'),
        ([CROP, CROP], 'expected one RandomCrop with'),
        ([dict(FLIP, direction='vertical')], 'expected one horizontal RandomFlip'),
        ([dict(CROP, crop_size=12)], 'crop_size=12 is larger'),
    ],
)
def test_other_random_steps_are_refused(folder: Path, steps: list[dict], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(folder, *steps)[0]


def test_images_of_two_sizes_are_refused(folder: Path) -> None:
    Image.fromarray(np.zeros((7, 9, 3), np.uint8)).save(folder / 'a' / '1.png')
    with pytest.raises(ConfigError, match=r'expected images of one size, got \(3, 7, 9\) and \(3, 9, 9\)'):
        build(folder)[0]
