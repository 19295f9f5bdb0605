"""The processes that a study starts."""

import os
import sys
from pathlib import Path

import pytest

from mmkd_ext.studies import processes


def test_a_child_of_several_processes_sees_its_gpu_and_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in dict(RANK='5', WORLD_SIZE='8', LOCAL_RANK='1', CUDA_VISIBLE_DEVICES='4,7').items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with processes.ours_alone():
        assert os.environ['CUDA_VISIBLE_DEVICES'] == '7'
        assert not os.environ.keys() & {'RANK', 'WORLD_SIZE', 'LOCAL_RANK'}
    assert dict(os.environ) == before


def test_a_command_gives_its_status_last_line_and_memory(tmp_path: Path) -> None:
    program = (
        'import sys, time; x = bytearray(200 * 2**20); print("Epoch"); print("the end"); print(flush=True); '
        'time.sleep(0.5); sys.exit(3)'
    )
    status, last, memory = processes.call([sys.executable, '-c', program], tmp_path / 'log.txt', 'a run')
    assert (status, last) == (3, 'the end')
    assert 200 < memory < 400
    _, _, memory = processes.call(['echo', 'memory: 812  loss: 1'], tmp_path / 'log.txt', 'a run')
    assert memory == 812  # of a GPU, as mmengine logs it


def test_gpus_that_are_hidden_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    with processes.ours_alone():
        assert os.environ['CUDA_VISIBLE_DEVICES'] == ''
