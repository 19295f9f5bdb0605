"""A step of any config can be timed: with a teacher that is not there, with masks, with class means."""

from collections.abc import Callable

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from support import MINI, load_tool

from mmkd_ext.errors import ConfigError

benchmark = load_tool('benchmark')


@pytest.mark.parametrize('name', ['mask_rcnn_cwt', 'pspnet_tfd', 'resnet_nd'])
def test_a_step_of_each_task(name: str) -> None:
    cfg = Config.fromfile(MINI / f'{name}.py')
    step: Callable[[], dict] = benchmark.step_of(cfg, 2, 64, 'cpu')
    losses = step()
    assert {'mask_rcnn_cwt': 'student.loss_mask', 'pspnet_tfd': 'distill.loss_tfd', 'resnet_nd': 'distill.loss_nd'}[
        name
    ] in losses
    assert all(value.isfinite().all() for value in losses.values())


def test_labels_are_those_of_the_model() -> None:
    data = benchmark.random_batch(Config.fromfile(MINI / 'mask_rcnn_student.py'), 3, 64)
    labels = torch.cat([sample.gt_instances.labels for sample in data['data_samples']])
    assert labels.max() < 10


def test_a_step_is_of_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The segmentor's preprocessor pads to 128, the detector's to multiples of 32."""
    seen = []
    monkeypatch.setattr(BaseModel, '_run_forward', lambda self, data, mode: seen.append(data['inputs'].shape) or {})
    monkeypatch.setattr(BaseModel, 'parse_losses', lambda self, losses: (next(self.parameters()).sum(), {}))
    benchmark.step_of(Config.fromfile(MINI / 'pspnet_student.py'), 2, 64, 'cpu')()
    assert seen == [(2, 3, 64, 64)]
    with pytest.raises(ConfigError, match='^--size 72: the data preprocessor makes images of 96x96 of it; give --size'):
        benchmark.step_of(Config.fromfile(MINI / 'faster_rcnn_student.py'), 2, 72, 'cpu')
