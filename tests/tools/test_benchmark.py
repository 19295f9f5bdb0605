"""A step of any config can be timed: with a teacher that is not there, with masks, with class means."""

from collections.abc import Callable

import pytest
import torch
from mmengine.config import Config
from support import MINI, load_tool

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
