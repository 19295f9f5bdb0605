"""A real mmdet detector distilled, killed, resumed, saved, and evaluated by the stock tools."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import MINI, ROOT

pytestmark = pytest.mark.slow
STOCK = Path(importlib.util.find_spec('mmdet').origin).parent / '.mim' / 'tools'
TRAIN, CONFIG = 'tools/train.py', MINI / 'faster_rcnn_cwt.py'
EMA = dict(type='EMAHook', momentum=0.1)


def data_options(digits: Path, evaluator: str) -> list[str]:
    return [
        f'{evaluator}_dataloader.dataset.data_root={digits}/',
        f'{evaluator}_evaluator.ann_file={digits}/annotations/instances_val.json',
    ]


def config_with(path: Path, *hooks: dict) -> Path:
    """The mini config with these hooks, as a file."""
    imports = "custom_imports = dict(imports=['mmkd_ext', 'run_hooks'])"
    path.write_text(f'_base_ = {str(CONFIG)!r}\n{imports}\ncustom_hooks = {list(hooks)!r}\n')
    return path


def train_options(digits: Path, teacher: Path | None = None) -> list[str]:
    options = [
        f'train_dataloader.dataset.data_root={digits}/',
        'train_dataloader.batch_size=4',
        'default_hooks.logger.interval=1',
        *data_options(digits, 'val'),
    ]
    return options + ([f'model.teacher_ckpt={teacher}'] if teacher else [])


@pytest.fixture(scope='module')
def teacher(teacher_ckpt: Callable) -> Path:
    return teacher_ckpt('faster_rcnn_teacher')


@pytest.fixture(scope='module')
def whole_run(command: Callable, digits: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs without a stop, with EMA."""
    work_dir = tmp_path_factory.mktemp('whole')
    options = [*train_options(digits, teacher), 'train_cfg.max_epochs=3', 'train_cfg.val_interval=3']
    config = config_with(work_dir / 'config.py', EMA)
    done = command(TRAIN, config, '--work-dir', work_dir, '--cfg-options', *options)
    assert done.returncode == 0, done.stderr
    return work_dir


def load(path: Path) -> dict:
    """Read with the safe loader and nothing allowed, as a process without this package does."""
    script = f'import torch; torch.load({str(path)!r}, map_location="cpu", weights_only=True)'
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return torch.load(path, map_location='cpu', weights_only=True)


def mean_ap(output: str) -> list[str]:
    return re.findall(r'coco/bbox_mAP: ([\d.-]+)', output)


def test_a_killed_and_resumed_run_ends_with_the_same_bits(
    whole_run: Path, command: Callable, digits: Path, teacher: Path, tmp_path: Path
) -> None:
    options = [*train_options(digits, teacher), 'train_cfg.max_epochs=3', 'train_cfg.val_interval=3']
    config = config_with(tmp_path / 'config.py', EMA, dict(type='KillHook'))
    killed = command(TRAIN, config, '--work-dir', tmp_path, '--cfg-options', *options, KILL_AT='9')
    assert killed.returncode == -9, killed.stderr
    assert (tmp_path / 'last_checkpoint').read_text().endswith('epoch_1.pth')
    resumed = command(TRAIN, config, '--work-dir', tmp_path, '--resume', '--cfg-options', *options)
    assert resumed.returncode == 0, resumed.stderr
    expected, found = load(whole_run / 'epoch_3.pth'), load(tmp_path / 'epoch_3.pth')
    for part in ('state_dict', 'ema_state_dict'):
        assert expected[part].keys() == found[part].keys()
        for name, value in expected[part].items():
            assert torch.equal(found[part][name], value), f'{part}: {name}'
    for i, state in expected['optimizer']['state'].items():
        assert torch.equal(found['optimizer']['state'][i]['exp_avg'], state['exp_avg'])
    kept = expected['message_hub']['log_scalars']['train/loss']['log']
    assert torch.equal(kept, found['message_hub']['log_scalars']['train/loss']['log'])


def test_the_checkpoint_is_the_students_and_the_stock_tools_evaluate_it(
    whole_run: Path, digits: Path, tmp_path: Path
) -> None:
    checkpoint = load(whole_run / 'epoch_3.pth')
    from mmkd_ext.build import build_model, model_config

    student = build_model(model_config(str(MINI / 'faster_rcnn_student.py'), 'model'), 'model')
    extra = {name for name in checkpoint['state_dict'] if name not in student.state_dict()}
    assert extra
    assert all(name.startswith('distiller.connectors.fpn.') for name in extra)
    student.load_state_dict({k: v for k, v in checkpoint['state_dict'].items() if k not in extra}, strict=True)
    # mmdet's own test.py, in a process that cannot import this package
    arguments = [str(MINI / 'faster_rcnn_student.py'), str(whole_run / 'epoch_3.pth'), '--work-dir', str(tmp_path)]
    arguments += ['--cfg-options', *data_options(digits, 'test')]
    script = 'import runpy, sys; sys.modules["mmkd_ext"] = None; sys.argv = sys.argv[1:]; '
    script += 'runpy.run_path(sys.argv[0], run_name="__main__")'
    done = subprocess.run(
        [sys.executable, '-c', script, str(STOCK / 'test.py'), *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'unexpected key in source state_dict: distiller.' in done.stdout + done.stderr
    assert mean_ap(done.stdout + done.stderr) == mean_ap(next(whole_run.glob('*/*.log')).read_text())


def test_our_test_tool_evaluates_a_distillation_config_without_its_teacher(
    whole_run: Path, command: Callable, digits: Path, tmp_path: Path
) -> None:
    options = [*data_options(digits, 'test'), 'model.teacher_ckpt=nowhere.pth']
    done = command(
        'tools/test.py', CONFIG, whole_run / 'epoch_3.pth', '--work-dir', tmp_path, '--cfg-options', *options
    )
    assert done.returncode == 0, done.stderr
    assert mean_ap(done.stdout + done.stderr) == mean_ap(next(whole_run.glob('*/*.log')).read_text())


def test_our_test_tool_refuses_the_teachers_checkpoint(
    command: Callable, digits: Path, teacher: Path, tmp_path: Path
) -> None:
    done = command(
        'tools/test.py',
        CONFIG,
        teacher,
        '--work-dir',
        tmp_path / 'test',
        *['--cfg-options', *data_options(digits, 'test')],
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f'error: {teacher} does not belong to this config: ')
    assert ' in the file and ' in done.stderr.splitlines()[-1]
    assert not (tmp_path / 'test').exists()


def test_the_stock_train_py_of_mmdet_trains_our_config(
    command: Callable, digits: Path, teacher: Path, tmp_path: Path
) -> None:
    options = [*train_options(digits, teacher), 'train_cfg.max_epochs=1']
    done = command(STOCK / 'train.py', CONFIG, '--work-dir', tmp_path, '--cfg-options', *options, fresh=True)
    assert done.returncode == 0, done.stderr
    assert 'distill.loss_cwt' in done.stdout + done.stderr
    assert any(name.startswith('distiller.') for name in load(tmp_path / 'epoch_1.pth')['state_dict'])
