"""A step of any config can be timed: with a teacher that is not there, with masks, with class means."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from support import MINI

from mmkd_ext.benchmark import rows


def subject(name: str, count: int, size: int, amp: str | None = None, **settings: object) -> rows.Subject:
    cfg = Config.fromfile(MINI / f'{name}.py')
    cfg.merge_from_dict(settings)
    return rows.Subject(name, cfg, rows.Setting(count, (size, size), amp=amp))


@pytest.mark.parametrize(
    ('name', 'loss'),
    [('mask_rcnn_cwt', 'student.loss_mask'), ('pspnet_tfd', 'distill.loss_tfd'), ('resnet_nd', 'distill.loss_nd')],
)
def test_a_step_of_each_task(name: str, loss: str) -> None:
    losses = subject(name, 2, 64).row().step()
    assert loss in losses
    assert all(value.isfinite().all() for value in losses.values())


def test_student_and_teacher_are_measured_beside_the_whole() -> None:
    whole = subject('resnet_cwt', 2, 32)
    made = [whole.row(part) for part in whole.parts]
    names = ['resnet_cwt: student alone', 'resnet_cwt: teacher', 'resnet_cwt: losses', 'resnet_cwt']
    assert [row.name for row in made] == names
    rows.measure(made, 3, 'cpu')
    assert [len(row.milliseconds) for row in made] == [3] * 4
    assert all(time > 0 for row in made for time in row.milliseconds)
    alone = made[0].step()
    assert set(alone) == {'loss'}
    assert 'distill.loss_cwt' in made[3].step()


def test_a_teacher_of_sampled_regions_has_no_row_of_its_own() -> None:
    assert subject('faster_rcnn_kd', 2, 64).parts == ['student alone', 'losses', '']
    assert subject('resnet_student', 2, 32).parts == ['']


@pytest.mark.parametrize('name', ['resnet_norm', 'resnet_tfd', 'faster_rcnn_kd'])
def test_the_losses_alone_are_those_of_the_step(name: str) -> None:
    whole = subject(name, 2, 64)
    torch.manual_seed(0)  # regions are sampled at random
    expected = whole.row(rows.STEP).step()
    torch.manual_seed(0)
    step = whole.row(rows.LOSSES).step
    for _ in range(2):
        found = step()
        assert set(found) == {key.removeprefix('distill.') for key in expected if key.startswith('distill.')}
        assert all(value.item() == pytest.approx(expected[f'distill.{key}'].item()) for key, value in found.items())
    assert all(parameter.grad is None for parameter in whole.model.parameters())


def test_the_ratio_is_of_the_same_rounds() -> None:
    first = rows.Row('a', print, milliseconds=[10.0, 20.0, 40.0])
    row = rows.Row('b', print, images=6, milliseconds=[11.0, 24.0, 52.0])
    assert row.result(first)['ratio'] == pytest.approx(1.2)  # of 1.1, 1.2 and 1.3
    assert row.median == 24
    assert row.result(first)['per_second'] == pytest.approx(250)


def test_a_checkpoint_of_distillation_is_the_student_and_its_connectors() -> None:
    whole = subject('resnet_cwt', 2, 32)
    alone, distilled = whole.row(rows.STUDENT), whole.row()
    for row in (alone, distilled):
        row.step()  # the optimiser gets its state
    connectors = sum(parameter.nbytes for parameter in whole.model.distiller.parameters())
    more = distilled.save() - alone.save()
    assert 3 * connectors <= more <= 3 * connectors + 40_000  # with AdamW's two moments, and some names
    assert whole.row(rows.TEACHER).save is None


def test_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rows.CLOCKS, 'cpu', iter([1.0, 1.5]).__next__)
    assert rows.timed(lambda: None, 'cpu', 'cpu') == 500


@pytest.mark.slow
def test_settings_behind_a_config_and_numbers_in_a_file(command: Callable, tmp_path: Path) -> None:
    config = MINI / 'resnet_cwt.py'
    file = tmp_path / 'new' / 'times.json'
    words = ['--size', 32, '--batch-size', 2, '--rounds', 2, '--json', file, '--memory', '--mmrazor']
    done = command('tools/benchmark.py', config, f'{config}@model.teacher_dtype=bfloat16', *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    setting = '@model.teacher_dtype=bfloat16'
    assert [row['name'] for row in found['rows']] == [
        'resnet_cwt', 'resnet_cwt: MMRazor', f'resnet_cwt{setting}', f'resnet_cwt{setting}: MMRazor',
    ]  # fmt: skip
    assert f'| resnet_cwt{setting} ' in done.stdout
    assert found['size'] == [32, 32]
    for row in found['rows']:
        assert len(row['milliseconds']) == 2
        assert 50 < row['megabytes'] < 5000
        assert row['checkpoint'] > 0


@pytest.mark.parametrize('option', ['--rounds', '--batch-size'])
def test_no_round_and_no_image_are_refused(option: str, command: Callable) -> None:
    done = command('tools/benchmark.py', MINI / 'resnet_student.py', option, 0)
    assert done.returncode == 2
    assert f'{option} 0' in done.stderr.splitlines()[-1]


def test_mixed_precision_is_of_the_step() -> None:
    step = subject('resnet_cwt', 2, 32, amp='bfloat16').row().step
    assert str(step()['distill.loss_cwt'].dtype) == 'torch.float32'
