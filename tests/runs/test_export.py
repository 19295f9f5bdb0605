"""Students are trained, exported, and evaluated by their toolbox in a process that cannot import this package."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import MINI, stock_tool

pytestmark = pytest.mark.slow

METRICS = {
    'resnet_norm_kd': ('mmpretrain', 'accuracy/top1'),
    'pspnet_norm': ('mmseg', 'mIoU'),
    'faster_rcnn_norm': ('mmdet', 'coco/bbox_mAP'),
    'mask_rcnn_cwt': ('mmdet', 'coco/segm_mAP'),
}


def data_options(name: str, digits: Path, fields: tuple[str, ...]) -> list[str]:
    root = f'{digits}/classification/' if name.startswith('resnet') else f'{digits}/'
    options = [f'{field}_dataloader.dataset.data_root={root}' for field in fields]
    if 'rcnn' in name:
        annotations = f'{digits}/annotations/instances_val.json'
        options += [f'{field}_evaluator.ann_file={annotations}' for field in fields if field != 'train']
    return options


def found(done: subprocess.CompletedProcess, metric: str) -> str:
    """The metric as it is printed, to the last digit."""
    assert done.returncode == 0, done.stderr
    return re.findall(rf'{metric}: +(\S+)', done.stdout + done.stderr)[-1]


@pytest.mark.parametrize('name', METRICS)
def test_the_exported_student_is_evaluated_without_this_package(
    name: str, command: Callable, teacher_ckpt: Callable, digits: Path, tmp_path: Path
) -> None:
    scope, metric = METRICS[name]
    config, averaged = MINI / f'{name}.py', name.startswith('resnet')
    if averaged:
        config = tmp_path / f'{name}.py'
        hooks = "custom_hooks = [dict(type='EMAHook', momentum=0.05)]"
        config.write_text(f"_base_ = '{MINI / name}.py'\n{hooks}\n")
    run, out = tmp_path / 'run', tmp_path / 'out'
    train = data_options(name, digits, ('train', 'val'))
    teacher = teacher_ckpt(re.split('_norm|_cwt', name)[0] + '_teacher')
    train += [f'model.teacher_ckpt={teacher}', 'train_cfg.max_epochs=1']
    train += ['train_dataloader.batch_size=8', 'train_cfg.val_interval=1']
    done = command('tools/train.py', config, '--work-dir', run, '--cfg-options', *train)
    assert done.returncode == 0, done.stderr
    checkpoint = run / 'epoch_1.pth'
    options = ['--cfg-options', *data_options(name, digits, ('val', 'test'))]

    ours = found(command('tools/test.py', config, checkpoint, '--work-dir', tmp_path / 'ours', *options), metric)
    done = command('tools/export_student.py', config, checkpoint, out, *options)
    assert done.returncode == 0, done.stderr
    assert ('folded into' in done.stdout) == ('_norm' in name)
    assert 'equal outputs on' in done.stdout
    assert ('averaged (EMA) weights' in done.stdout) == averaged

    assert sorted(path.name for path in out.iterdir()) == [f'{name}.pth', f'{name}.py']
    assert sorted(torch.load(out / f'{name}.pth', weights_only=True)) == ['meta', 'state_dict']
    words = [out / f'{name}.py', out / f'{name}.pth', '--work-dir', tmp_path / 'stock']
    done = command(stock_tool(scope, 'test.py'), *words, hidden=['mmkd_ext'])
    assert found(done, metric) == ours


class TestRefusals:
    def test_a_checkpoint_of_another_config(self, command: Callable, teacher_ckpt: Callable, tmp_path: Path) -> None:
        checkpoint = teacher_ckpt('resnet_teacher')
        done = command('tools/export_student.py', MINI / 'resnet_norm.py', checkpoint, tmp_path / 'out', '--no-check')
        assert done.returncode == 2
        assert re.match(
            r'error: \S+ does not belong to this config: .* missing .*\n$', done.stderr.splitlines(True)[-1]
        )
        assert not (tmp_path / 'out').exists()

    def test_data_that_is_not_there(self, command: Callable, tmp_path: Path) -> None:
        options = ['--cfg-options', 'val_dataloader.dataset.data_root=nowhere/']
        done = command('tools/export_student.py', MINI / 'resnet_norm.py', 'x.pth', tmp_path, *options)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith('error: val_dataloader.dataset.data_root')
        assert done.stderr.splitlines()[-1].endswith('--no-check exports without.')
