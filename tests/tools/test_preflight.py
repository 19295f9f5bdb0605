"""The command on the mini detector, alone and in front of a training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import data_options
from support import MINI

pytestmark = pytest.mark.slow


def test_the_mini_detector_passes_and_its_teacher_is_better_than_chance(
    command: Callable, digits: Path, tmp_path: Path
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--batches', '1', '--val-images', '8', '--json', tmp_path / 'a.json']
    done = command('tools/preflight.py', *words, '--work-dir', tmp_path / 'work', *data_options(digits))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / 'a.json').read_text())
    assert len(found['records']) == 6
    assert found['scores'][0]['metrics']['coco/bbox_mAP'] > 0.3
    assert found['cost']['steps'] == 20 * 3
    assert done.stdout.startswith(str(MINI / 'faster_rcnn_cwt.py'))
    assert len(done.stdout.splitlines()) < 30
    assert not (tmp_path / 'work').exists()


def test_a_random_teacher_fails_and_training_does_not_begin(
    command: Callable, digits: Path, teacher_ckpt: Callable, tmp_path: Path
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, '--preflight', *data_options(digits)]
    done = command('tools/train.py', *words, f'model.teacher_ckpt={teacher_ckpt("faster_rcnn_teacher")}')
    assert done.returncode == 2
    assert 'error: the teacher is no better than chance (coco/bbox_mAP 0' in done.stdout
    assert 'error: --preflight found an error (see above); nothing was trained.' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['run.json']
