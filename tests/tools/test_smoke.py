"""Commands that have no test of their own start, and CONTRIBUTING.md says where every other is tested."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support import MINI, ROOT

STUDENT, FOLDER = MINI / 'resnet_student.py', 'a folder that cannot be made'


@pytest.mark.parametrize('name', ['benchmark_nd', 'check_env', 'config_tables', 'report'])
def test_help_begins_with_what_the_command_is_for(command: Callable, name: str) -> None:
    done = command(f'tools/{name}.py', '--help')
    assert done.returncode == 0, done.stderr
    assert f'tools/{name}.py' in done.stdout


def test_a_report_on_a_folder_that_is_missing_names_it(command: Callable, tmp_path: Path) -> None:
    done = command('tools/report.py', tmp_path / 'nowhere')
    assert done.returncode == 2
    assert f'there is no work dir {tmp_path}/nowhere' in done.stderr


@pytest.mark.parametrize(
    ('words', 'option'),
    [
        (['train', STUDENT, '--work-dir', FOLDER], '--work-dir'),
        (['train', STUDENT, '--distill', 'tfd', '--work-dir', FOLDER], '--work-dir'),
        (['preflight', STUDENT, '--json', FOLDER], '--json'),
        (['make_config', STUDENT, '--distill', 'tfd', '--out', FOLDER], '--out'),
        (['class_means', STUDENT, '--out', FOLDER], '--out'),
        (['teacher_outputs', STUDENT, '--out', FOLDER], '--out'),
        (['export_student', STUDENT, 'nowhere.pth', FOLDER, '--no-check'], 'OUT_DIR'),
        (['test', STUDENT, 'nowhere.pth', '--work-dir', FOLDER], '--work-dir'),
        (['study', STUDENT, '--out', FOLDER], 'the study in'),
        (['benchmark', STUDENT, '--json', FOLDER], '--json'),
        (['feature_stats', STUDENT, f'a={__file__}', '--out', FOLDER], '--out'),
        (['report', ROOT, '--out', FOLDER], '--out'),
        (['convert_mdistiller', 'nowhere.pth', FOLDER, '--arch', 'resnet8'], 'DST'),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else '',
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    words: list, option: str, command: Callable, digits: Path, tmp_path: Path
) -> None:
    (tmp_path / 'file').touch()
    name, *rest = [tmp_path / 'file' / 'x' if word is FOLDER else word for word in words]
    roots = [f'{field}_dataloader.dataset.data_root={digits}/classification/' for field in ('train', 'val')]
    options = ['--cfg-options', *roots] if name in ('train', 'preflight', 'class_means', 'teacher_outputs') else []
    done = command(f'tools/{name}.py', *rest, *options)
    assert done.returncode == 2, done.stderr
    *_, last = done.stderr.splitlines()
    assert last == f'error: {option} {tmp_path}/file/x cannot be written: {tmp_path}/file: Not a directory.'
    assert done.stdout == ''


def test_this_environment_is_whole(command: Callable) -> None:
    done = command('tools/check_env.py')
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(', ok\n')


def test_every_command_is_tested_where_contributing_says() -> None:
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    (paragraph,) = [part for part in text.split('\n\n') if part.startswith('`tests/tools/test_NAME.py`')]
    named = set(re.findall(r'`(\w+\.py)`', paragraph))
    own = {path.name.removeprefix('test_') for path in (ROOT / 'tests' / 'tools').glob('test_*.py')}
    tools = {path.name for path in (ROOT / 'tools').rglob('*.py')}
    assert named | own >= tools
    assert named & own == set()
    assert named <= tools


SCRIPTS = [path for path in (ROOT / 'tools').rglob('*') if path.suffix in ('.py', '.sh')]


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_called_by_its_path(path: Path) -> None:
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith('#!/usr/bin/env ')
