"""A batch is of the model's classes and of the size that was asked for."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from support import MINI

from mmkd_ext.benchmark import networks
from mmkd_ext.benchmark.data import random_batch, real_batch
from mmkd_ext.benchmark.rows import Setting, Subject
from mmkd_ext.errors import ConfigError


def test_labels_are_those_of_the_model() -> None:
    data = random_batch(Config.fromfile(MINI / 'mask_rcnn_student.py'), 3, 64)
    labels = torch.cat([sample.gt_instances.labels for sample in data['data_samples']])
    assert labels.max() < 10


def test_a_step_is_of_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The segmentor's preprocessor pads to 128, the detector's to multiples of 32."""
    seen = []
    monkeypatch.setattr(BaseModel, '_run_forward', lambda self, data, mode: seen.append(data['inputs'].shape) or {})
    monkeypatch.setattr(BaseModel, 'parse_losses', lambda self, losses: (next(self.parameters()).sum(), {}))
    monkeypatch.setattr(networks, 'settle', lambda *_: None)
    Subject('', Config.fromfile(MINI / 'pspnet_student.py'), Setting(2, (64, 64))).row().step()
    assert seen == [(2, 3, 64, 64)]
    with pytest.raises(ConfigError, match='^--size 72: the data preprocessor turns it into 96x96; give --size'):
        Subject('', Config.fromfile(MINI / 'faster_rcnn_student.py'), Setting(2, (72, 72)))


def test_the_first_batch_of_the_training_data(digits: Path) -> None:
    cfg = Config.fromfile(MINI / 'resnet_student.py')
    cfg.train_dataloader.dataset.data_root = str(digits / 'classification')
    first, second = (real_batch(cfg, 3) for _ in range(2))
    assert len(first['inputs']) == len(first['data_samples']) == 3
    assert all(torch.equal(a, b) for a, b in zip(first['inputs'], second['inputs'], strict=True))
