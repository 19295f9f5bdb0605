"""Each task's mini pair trains through the engine, and the stock test.py of its toolbox evaluates what was saved."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support import MINI, stock_tool

pytestmark = pytest.mark.slow

TASKS = {
    'faster_rcnn_cwt': ('mmdet', 'faster_rcnn', 'coco/bbox_mAP', {'distill.loss_cwt'}),
    'faster_rcnn_nd': ('mmdet', 'faster_rcnn', 'coco/bbox_mAP', {'distill.loss_kd', 'distill.loss_nd'}),
    'mask_rcnn_cwt': ('mmdet', 'mask_rcnn', 'coco/segm_mAP', {'distill.loss_cwt', 'student.loss_mask'}),
    'pspnet_cwt': ('mmseg', 'pspnet', 'mIoU', {'distill.loss_cwt', 'student.aux.loss_ce'}),
    'resnet_cwt_kd': ('mmpretrain', 'resnet', 'accuracy/top1', {'distill.loss_cwt', 'distill.loss_kd'}),
    'resnet_tffd': ('mmpretrain', 'resnet', 'accuracy/top1', {'distill.loss_tfd', 'distill.loss_intra'}),
}


def data_options(name: str, digits: Path, fields: tuple[str, ...]) -> list[str]:
    root = f'{digits}/classification/' if name.startswith('resnet') else f'{digits}/'
    options = [f'{field}_dataloader.dataset.data_root={root}' for field in fields]
    if 'rcnn' in name:
        annotations = f'{digits}/annotations/instances_val.json'
        options += [f'{field}_evaluator.ann_file={annotations}' for field in fields if field != 'train']
    return options


@pytest.mark.parametrize('name', [name for name in TASKS if name != 'faster_rcnn_cwt'])  # see test_detector_runs.py
def test_a_mini_pair_trains_resumes_and_is_evaluated_by_the_stock_tools(
    name: str, command: Callable, teacher_ckpt: Callable, digits: Path, tmp_path: Path
) -> None:
    scope, family, metric, losses = TASKS[name]
    train = data_options(name, digits, ('train', 'val'))
    if not name.endswith(('_nd', '_tffd')):  # ND's class means are of the teacher that is shipped, Tf-FD has none
        train.append(f'model.teacher_ckpt={teacher_ckpt(family + "_teacher")}')
    train += ['train_dataloader.batch_size=8', 'default_hooks.logger.interval=1', 'train_cfg.val_interval=1']
    config = MINI / f'{name}.py'
    for epochs, resume in ((1, []), (2, ['--resume'])):
        options = ['--work-dir', tmp_path, *resume, '--cfg-options', *train, f'train_cfg.max_epochs={epochs}']
        done = command('tools/train.py', config, *options)
        assert done.returncode == 0, done.stderr
        for loss in losses:
            assert f'{loss}: ' in done.stdout + done.stderr
        trained = {int(epoch) for epoch in re.findall(r'Epoch\(train\) +\[(\d+)\]', done.stdout + done.stderr)}
        assert trained == {epochs}  # the second run goes on
    test = ['--work-dir', tmp_path / 'test', '--cfg-options', *data_options(name, digits, ('test',))]
    student = MINI / f'{family}_student.py'
    done = command(stock_tool(scope, 'test.py'), student, tmp_path / 'epoch_2.pth', *test, hidden=['mmkd_ext'])
    assert done.returncode == 0, done.stderr
    assert f'{metric}: ' in done.stdout + done.stderr
    weights = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['state_dict']
    assert any(key.startswith('distiller.') for key in weights) == ('_cwt' in name)  # the connectors
    assert not any(key.startswith(('teacher', 'architecture')) for key in weights)
