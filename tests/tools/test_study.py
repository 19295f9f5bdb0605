"""tools/study.py trains, tests with the stock test.py, tabulates, and does nothing twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import MINI

pytestmark = pytest.mark.slow


def test_two_seeds_are_trained_tested_and_tabulated_once(command: Callable, digits: Path, tmp_path: Path) -> None:
    options = [f'{field}_dataloader.dataset.data_root={digits}/classification/' for field in ('train', 'val', 'test')]
    options += [f'{field}_dataloader.num_workers=0' for field in ('train', 'val', 'test')]
    options += [f'{field}_dataloader.persistent_workers=False' for field in ('train', 'val', 'test')]
    words = ['--seeds', 2, '--out', tmp_path, '--cfg-options', *options, 'train_cfg.max_epochs=1']
    done = command('tools/study.py', MINI / 'resnet_student.py', *words)
    assert done.returncode == 0, done.stdout + done.stderr
    row = next(line for line in done.stdout.splitlines() if 'resnet_student ' in line)
    assert row.split('|')[2].strip() == '2'
    assert '±' in row
    assert row in (tmp_path / 'table.md').read_text()
    again = command('tools/study.py', MINI / 'resnet_student.py', *words)
    assert again.stdout.count('done before') == 2
    assert row in again.stdout
    other = command('tools/study.py', MINI / 'resnet_student.py', *words, 'optim_wrapper.optimizer.lr=0.1')
    assert other.returncode == 2
    assert 'name another --out' in other.stderr.splitlines()[-1]


def test_a_config_that_cannot_be_trained_is_named_with_its_log(command: Callable, digits: Path, tmp_path: Path) -> None:
    options = [f'{field}_dataloader.dataset.data_root={digits}/classification/' for field in ('train', 'val', 'test')]
    options += ['model.backbone.depth=19']
    done = command(
        'tools/study.py', MINI / 'resnet_student.py', '--seeds', 1, '--out', tmp_path, '--cfg-options', *options
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith('error: training resnet_student_seed0 failed')
    assert 'depth' in last
    assert last.endswith('resnet_student_seed0.log.')
