"""tools/study.py trains, exports, tests with the stock test.py, tabulates, and does nothing twice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import MINI

pytestmark = pytest.mark.slow


def options(digits: Path) -> dict[str, object]:
    found: dict[str, object] = {'train_cfg.max_epochs': 1}
    for field in ('train', 'val', 'test'):
        found[f'{field}_dataloader.dataset.data_root'] = f'{digits}/classification/'
        found[f'{field}_dataloader.num_workers'] = 0
        found[f'{field}_dataloader.persistent_workers'] = False
    return found


def test_a_study_is_trained_exported_tested_and_tabulated_once(command: Callable, digits: Path, tmp_path: Path) -> None:
    runs = dict(alone=str(MINI / 'resnet_student.py'), norm=str(MINI / 'resnet_norm_alone.py'))
    file = tmp_path / 'digits' / 'study.py'
    file.parent.mkdir()
    file.write_text(f'study = dict(runs={runs}, seeds=1, options={options(digits)}, work_dirs={str(tmp_path)!r})\n')
    done = command('tools/study.py', file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '2 of 2 done, about 0 h 0 min left' in done.stdout
    lines = [json.loads(line) for line in (file.parent / 'results.jsonl').read_text().splitlines()]
    assert {(line['run'], line['seed']) for line in lines} == {('alone', 0), ('norm', 0)}
    for line in lines:
        assert line['metrics'].keys() == {'accuracy/top1'}
        assert line['seconds_per_step'] > 0
        assert line['peak_memory_mib'] > 100
    plain = tmp_path / 'test/norm_seed0/student.py'
    assert 'mmkd_ext' not in plain.read_text()  # the transform is folded away
    row = next(line for line in done.stdout.splitlines() if line.startswith('| norm '))
    assert row in (file.parent / 'table.md').read_text()
    again = command('tools/study.py', file)
    assert again.stdout.count('done before') == 2
    assert row in again.stdout
    other = command('tools/study.py', file, '--cfg-options', 'optim_wrapper.optimizer.lr=0.1')
    assert other.returncode == 2
    assert 'belongs to another run: optim_wrapper.optimizer.lr' in other.stderr.splitlines()[-1]


def test_a_config_that_cannot_be_trained_is_named_with_its_log(command: Callable, digits: Path, tmp_path: Path) -> None:
    words = [f'{key}={value}' for key, value in options(digits).items()] + ['model.backbone.depth=19']
    done = command(
        'tools/study.py', MINI / 'resnet_student.py', '--seeds', 1, '--out', tmp_path, '--cfg-options', *words
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith('error: training resnet_student_seed0 failed')
    assert 'depth' in last
    assert last.endswith('resnet_student_seed0.log.')


def test_no_seed_is_refused(command: Callable, tmp_path: Path) -> None:
    done = command('tools/study.py', MINI / 'resnet_student.py', '--seeds', 0, '--out', tmp_path / 'out')
    assert (done.returncode, done.stderr) == (2, 'error: --seeds must be at least 1, got 0.\n')
    assert not (tmp_path / 'out').exists()
