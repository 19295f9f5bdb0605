"""A step of any config can be timed: with a teacher that is not there, with masks, with class means."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from support import MINI

from mmkd_ext import benchmark
from mmkd_ext.errors import ConfigError


def rows(name: str, count: int, size: int, **options: object) -> list[benchmark.Row]:
    cfg = Config.fromfile(MINI / f'{name}.py')
    cfg.merge_from_dict(options.pop('settings', {}))
    return list(benchmark.rows_of(name, cfg, count, (size, size), 'cpu', **options))


@pytest.mark.parametrize(
    ('name', 'loss'),
    [('mask_rcnn_cwt', 'student.loss_mask'), ('pspnet_tfd', 'distill.loss_tfd'), ('resnet_nd', 'distill.loss_nd')],
)
def test_a_step_of_each_task(name: str, loss: str) -> None:
    (row,) = rows(name, 2, 64)
    losses = row.step()
    assert loss in losses
    assert all(value.isfinite().all() for value in losses.values())


def test_student_and_teacher_are_measured_beside_the_whole() -> None:
    made = rows('resnet_cwt', 2, 32, split=True)
    assert [row.name for row in made] == ['resnet_cwt: student alone', 'resnet_cwt: teacher', 'resnet_cwt']
    benchmark.measure(made, 3, 'cpu')
    assert [len(row.milliseconds) for row in made] == [3, 3, 3]
    assert all(time > 0 for row in made for time in row.milliseconds)
    alone = made[0].step()
    assert set(alone) == {'loss'}
    assert 'distill.loss_cwt' in made[2].step()


def test_the_ratio_is_of_the_same_rounds() -> None:
    first, row = benchmark.Row('a', print, [10.0, 20.0, 40.0]), benchmark.Row('b', print, [11.0, 24.0, 52.0])
    assert row.result(first)['ratio'] == pytest.approx(1.2)  # of 1.1, 1.2 and 1.3
    assert row.median == 24


@pytest.mark.slow
def test_settings_behind_a_config_and_numbers_in_a_file(command: Callable, tmp_path: Path) -> None:
    config = MINI / 'resnet_cwt.py'
    words = ['--size', 32, '--batch-size', 2, '--rounds', 2, '--json', tmp_path / 'times.json']
    done = command('tools/benchmark.py', config, f'{config}@model.teacher_dtype=bfloat16', *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2].startswith('resnet_cwt@model.teacher_dtype=bfloat16 ')
    found = json.loads((tmp_path / 'times.json').read_text())
    assert found['size'] == [32, 32]
    assert [len(row['milliseconds']) for row in found['rows']] == [2, 2]


def test_mixed_precision_is_of_the_step() -> None:
    (row,) = rows('resnet_cwt', 2, 32, amp='bfloat16')
    assert row.step()['distill.loss_cwt'].dtype == torch.float32


def test_labels_are_those_of_the_model() -> None:
    data = benchmark.random_batch(Config.fromfile(MINI / 'mask_rcnn_student.py'), 3, 64)
    labels = torch.cat([sample.gt_instances.labels for sample in data['data_samples']])
    assert labels.max() < 10


def test_a_step_is_of_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The segmentor's preprocessor pads to 128, the detector's to multiples of 32."""
    seen = []
    monkeypatch.setattr(BaseModel, '_run_forward', lambda self, data, mode: seen.append(data['inputs'].shape) or {})
    monkeypatch.setattr(BaseModel, 'parse_losses', lambda self, losses: (next(self.parameters()).sum(), {}))
    monkeypatch.setattr(benchmark, 'settle', lambda *_: None)
    rows('pspnet_student', 2, 64)[0].step()
    assert seen == [(2, 3, 64, 64)]
    with pytest.raises(ConfigError, match='^--size 72: the data preprocessor turns it into 96x96; give --size'):
        rows('faster_rcnn_student', 2, 72)
