"""The launchers hand over what they are given."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def stubs(tmp_path: Path) -> str:
    """A PATH on which `srun` and `python` print their arguments."""
    for name in ('srun', 'python'):
        stub = tmp_path / name
        stub.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        stub.chmod(0o755)
    return f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'


def test_slurm_asks_for_the_gpus_and_passes_the_options_on(command: Callable, stubs: str) -> None:
    words = ['tools/slurm_train.sh', 'gpu', 'job', 'config.py', 'out dir', '--amp', '--cfg-options', 'a=1 2']
    done = command(*words, PATH=stubs, PYTHON='python', GPUS='16')
    assert done.returncode == 0, done.stderr
    assert '-p gpu --job-name=job --gres=gpu:8 --ntasks=16 --ntasks-per-node=8' in done.stdout
    assert done.stdout.strip().endswith(
        'train.py config.py --work-dir out dir --launcher slurm --amp --cfg-options a=1 2'
    )


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['tools/dist_train.sh', 'c.py', 4, '--amp'], 'train.py c.py --launcher pytorch --amp'),
        (['tools/dist_test.sh', 'c.py', 'w.pth', 4, '--tta'], 'test.py c.py w.pth --launcher pytorch --tta'),
    ],
)
def test_torchrun_gets_the_processes_and_the_options(command: Callable, stubs: str, words: list, expected: str) -> None:
    done = command(*words, PATH=stubs, PYTHON='python', NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='29999')
    assert done.returncode == 0, done.stderr
    assert '--nnodes=2 --node_rank=1 --nproc_per_node=4 --master_addr=10.0.0.1 --master_port=29999' in done.stdout
    assert done.stdout.strip().endswith(expected)


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_without_arguments_the_usage_is_printed(command: Callable, script: str) -> None:
    done = command(f'tools/{script}')
    assert done.returncode == 2
    assert f'tools/{script} ' in done.stderr


@pytest.mark.slow
def test_two_processes_say_one_error(command: Callable) -> None:
    done = command('tools/dist_train.sh', 'nowhere.py', 2, PORT='29541')
    assert done.returncode
    assert sum(line.startswith('error: ') for line in done.stderr.splitlines()) == 1, done.stderr
