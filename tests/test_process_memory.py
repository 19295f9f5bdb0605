"""The most memory of a process: of this one since it was forgotten, and of another one."""

import os
import subprocess
import sys

import pytest

from mmkd_ext.process_memory import peak_memory

FRESH = """
import torch
from mmkd_ext.process_memory import forget_peak, peak_memory
before = torch.ones(100 * 2**18)  # 100 MiB
del before
forget_peak()
start = peak_memory()
during = torch.ones(60 * 2**18)
print(peak_memory() - start)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux can reset the peak')
def test_only_what_comes_after_the_reset() -> None:
    # In a process of its own, as `peak` runs it: one that has run tests may have 60 MiB that are free, and still its.
    done = subprocess.run([sys.executable, '-c', FRESH], capture_output=True, text=True, check=True)
    assert 55 < float(done.stdout) < 90, done.stdout


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells the peak of other processes')
def test_of_another_process_and_of_none() -> None:
    assert peak_memory(os.getpid()) == pytest.approx(peak_memory(), rel=0.01)
    assert peak_memory(2**22 + 1) == 0
