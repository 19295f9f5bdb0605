"""Memory is of the steps: what was freed before them does not count, what they take does."""

import torch
from mmengine.config import Config
from support import MINI

from mmkd_ext.benchmark import memory
from mmkd_ext.benchmark.rows import Setting, Subject


def test_the_teachers_weights_and_what_is_recorded() -> None:
    cfg = Config.fromfile(MINI / 'resnet_cwt.py')
    whole = Subject('', cfg, Setting(2, (32, 32)))
    held = memory._held(whole.model)
    weights = held()
    teacher = next(iter(whole.model.taught.values())).teacher.model
    assert weights == sum(value.nbytes for value in teacher.state_dict().values())
    whole.row().step()
    assert held() > weights
    assert memory._held(torch.nn.Linear(1, 1))() == 0
