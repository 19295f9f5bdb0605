"""How a command speaks and ends."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.registry import LOOPS

from mmkd_ext import cli
from mmkd_ext.cli import launch
from mmkd_ext.errors import ConfigError


@pytest.mark.parametrize('variable', ['RANK', 'SLURM_PROCID'])
def test_of_several_processes_the_first_speaks_and_another_one_only_where_the_first_goes_on(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail() -> None:
        raise ConfigError('so it is.')

    waited: list[float] = []
    monkeypatch.setattr(launch.time, 'sleep', waited.append)
    for rank in (0, 1):
        monkeypatch.setenv(variable, str(rank))
        cli.say('a note')
        with pytest.raises(SystemExit):
            cli.run(fail)
    assert waited == [cli.PATIENCE]  # in which the launcher ends it, if the first has ended
    assert capsys.readouterr().err.splitlines() == ['note: a note', 'error: so it is.', 'error: so it is.']


def test_what_mmengine_refuses_to_build_is_said_and_a_bug_shows_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail() -> None:
        LOOPS.build(dict(type='EpochBasedTrainLoop', runner=None, dataloader={}, max_epoch=1))

    with pytest.raises(SystemExit):
        cli.run(fail)
    said = "error: type='EpochBasedTrainLoop': max_epoch is unknown to it; the nearest is 'max_epochs'.\n"
    assert capsys.readouterr().err == said
    monkeypatch.setenv('MMKD_EXT_TRACEBACK', '1')
    with pytest.raises(TypeError):
        cli.run(fail)
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 / 0)


@pytest.mark.slow
def test_the_command_prints_one_line_and_fails(command: Callable, tmp_path: Path) -> None:
    done = command('tools/train.py', 'nowhere.py')
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    assert 'Traceback' not in done.stderr
    assert lines[0].startswith('error: there is no config file nowhere.py')


@pytest.mark.slow
def test_a_command_leaves_no_thread_of_its_process_group(tmp_path: Path) -> None:
    """In a process of its own: a module that is imported later than here may hold the group."""
    script = tmp_path / 'script.py'
    script.write_text("""
import os
import torch
from pathlib import Path
from mmkd_ext import cli

def threads():
    names = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]
    return sum('gloo' in name for name in names)

def main():
    store = Path(__file__).with_name('store').as_uri()
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 3))
    model.itself = [model]
    model(torch.rand(4, 2)).sum().backward()
    assert threads() > 0

cli.run(main)
assert threads() == 0
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
