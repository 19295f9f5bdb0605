"""Two processes on one machine equal one process with the doubled batch, where no batch statistics stand between."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

CONFIG = """
norm = dict(type='GN', num_groups=4)
def classifier(width):
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='ResNet', depth=18, base_channels=width, stem_channels=width, norm_cfg=norm,
                      frozen_stages=-1, norm_eval=False, out_indices=(2, 3)),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=10, in_channels=8 * width, loss=dict(type='CrossEntropyLoss')))
student, teacher = classifier(8), classifier(12)
del classifier
default_scope = 'mmpretrain'
custom_imports = dict(imports=['mmkd_ext', 'run_hooks'])
data_preprocessor = dict(type='ClsDataPreprocessor', mean=[120] * 3, std=[60] * 3, to_rgb=True)
model = dict(
    type='mmkd_ext.SingleTeacherDistill',
    architecture=student, teacher=teacher, teacher_strict=False,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(map=dict(type='ModuleOutputs', source='backbone'),
                               logits=dict(type='ModuleOutputs', source='head.fc')),
        teacher_recorders=dict(map=dict(type='ModuleOutputs', source='backbone'),
                               logits=dict(type='ModuleOutputs', source='head.fc')),
        connectors=dict(map=dict(type='ChannelMLPConnector', in_channels=64, out_channels=96)),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=2.0), loss_cwt=dict(type='CWTLoss', alpha=1e-3)),
        loss_forward_mappings=dict(
            loss_kd=dict(student=dict(from_student=True, recorder='logits'),
                         teacher=dict(from_student=False, recorder='logits')),
            loss_cwt=dict(student=dict(from_student=True, recorder='map', data_idx=1, connector='map'),
                          teacher=dict(from_student=False, recorder='map', data_idx=1)))))
train_dataloader = dict(
    batch_size={batch}, num_workers=0, drop_last=True, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='{data}', data_prefix='train', with_label=True,
                 pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')]))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9))
train_cfg = dict(by_epoch=True, max_epochs=1)
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
custom_hooks = [dict(type='WriteLossesHook', path='{losses}')]
randomness = dict(seed=1)
"""


def config(folder: Path, data: Path, batch: int) -> Path:
    path = folder / 'config.py'
    text = CONFIG.replace('{batch}', str(batch)).replace('{data}', f'{data}/classification/')
    path.write_text(text.replace('{losses}', str(folder / 'losses.json')))
    return path


def test_two_processes_equal_one_with_the_doubled_batch(command: Callable, digits: Path, tmp_path: Path) -> None:
    one, two = tmp_path / 'one', tmp_path / 'two'
    one.mkdir()
    two.mkdir()
    single = command('tools/train.py', config(one, digits, 8), '--work-dir', one / 'run')
    assert single.returncode == 0, single.stderr
    double = command('tools/dist_train.sh', config(two, digits, 4), 2, '--work-dir', two / 'run', PORT='29517')
    assert double.returncode == 0, double.stderr
    expected, found = (json.loads((folder / 'losses.json').read_text()) for folder in (one, two))
    assert len(expected) == len(found) == 5
    for step, (a, b) in enumerate(zip(expected, found, strict=True)):
        assert {'distill.loss_kd', 'distill.loss_cwt', 'student.loss', 'loss'} <= set(a) == set(b)
        for name in a:
            assert b[name] == pytest.approx(a[name], rel=2e-5, abs=1e-6), f'step {step}, {name}'
    assert expected[0]['loss'] != pytest.approx(expected[-1]['loss'], rel=1e-3), 'nothing was learned'
    weights = [torch.load(f / 'run' / 'epoch_1.pth', weights_only=True)['state_dict'] for f in (one, two)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f'{n}: {m}')
