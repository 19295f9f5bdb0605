"""The command on a real pair."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support import MINI


@pytest.mark.slow
def test_a_real_pair_before_and_after(command: Callable, teacher_ckpt: Callable, digits: Path, tmp_path: Path) -> None:
    teacher, student = teacher_ckpt('resnet_teacher'), teacher_ckpt('resnet_student')
    options = [f'{field}_dataloader.dataset.data_root={digits}/classification/' for field in ('train', 'val')]
    options += [f'{field}_dataloader.num_workers=0' for field in ('train', 'val')]
    options += [f'{field}_dataloader.persistent_workers=False' for field in ('train', 'val')]
    means = tmp_path / 'means.safetensors'
    options += [f'model.teacher_ckpt={teacher}', f'model.distiller.distill_losses.loss_nd.class_means={means}']
    config = MINI / 'resnet_nd.py'
    train = [*options, 'train_cfg.max_epochs=1', 'make_class_means=True', 'train_dataloader.batch_size=20']
    done = command('tools/train.py', config, '--work-dir', tmp_path / 'run', '--cfg-options', *train)
    assert done.returncode == 0, done.stderr
    assert means.exists()
    runs = [f'alone={student}', f'nd={tmp_path / "run" / "epoch_1.pth"}']
    done = command('tools/feature_stats.py', config, *runs, '--out', tmp_path, '--cfg-options', *options)
    assert done.returncode == 0, done.stderr
    lines = [line.split('|')[1:-1] for line in done.stdout.splitlines() if '|' in line]
    rows = {name.strip(): cells for name, *cells in lines if name.strip('-')}
    assert {name.strip() for name in rows} == {'network', 'alone', 'nd', 'teacher'}
    assert rows['alone'][2].strip() == '-'  # it has no connector to the teacher's width
    assert all(float(cell) > 0 for cell in rows['nd'][:2])
    assert float(rows['teacher'][1]) > 0.5
    assert (tmp_path / 'feature_stats.png').stat().st_size > 10_000
