"""Memory is of the steps: what was freed before them does not count, what they take does."""

import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from support import MINI

from mmkd_ext.benchmark import memory
from mmkd_ext.benchmark.rows import Setting, Subject

FRESH = """
import torch
from mmkd_ext.benchmark import memory
before = torch.ones(100 * 2**18)  # 100 MiB
del before
memory._reset()
start = memory._most()
during = torch.ones(60 * 2**18)
print(memory._most() - start)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='a system that cannot forget what there was at most')
def test_only_what_comes_after_the_reset() -> None:
    # In a process of its own, as `peak` runs it: one that has run tests may have 60 MiB that are free, and still its.
    done = subprocess.run([sys.executable, '-c', FRESH], capture_output=True, text=True, check=True)
    assert 55 < float(done.stdout) < 90, done.stdout


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
