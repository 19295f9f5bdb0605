"""A mistake in a config is named in one sentence, when the model is built or in its first step."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import arguments, data_options
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import MINI

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError, sentence


@pytest.fixture(scope='module')
def weights(teacher_ckpt: Callable) -> Path:
    return teacher_ckpt('faster_rcnn_teacher')


def build(weights: Any, **overrides: Any) -> torch.nn.Module:
    """The mini CWT Faster R-CNN with keys of `model` replaced, as `a.b.c` or `a__b__c`."""
    cfg = Config.fromfile(MINI / 'faster_rcnn_cwt.py')
    cfg.merge_from_dict({'model.teacher_ckpt': str(weights)})
    model = cfg.model.to_dict()
    for key, value in overrides.items():
        *path, last = key.split('__')
        place = model
        for part in path:
            place = place[part]
        place[last] = value
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(model)


MISTAKES = [
    ({'distiller__student_recorders__fpn__source': 'nek'}, r"student_recorders\.fpn\.source='nek'.*nearest.*'neck'"),
    ({'distiller__teacher_recorders__fpn__source': 'neck.fpn'}, r"teacher_recorders\.fpn\.source='neck.fpn'.*nearest"),
    ({'distiller__distill_losses__loss_cwt__type': 'CWT'}, r"distill_losses\.loss_cwt\.type='CWT'.*'CWTLoss'"),
    ({'distiller__distill_losses__loss_cwt__alfa': 1}, r'distill_losses\.loss_cwt.*alfa'),
    ({'distiller__connectors__fpn__levels': 2}, r'loss_cwt\.student.*connectors\.fpn\.levels=2.* 3 levels'),
    ({'teacher': 7}, r'model\.teacher must be a package path.*config file.*dict.*7'),
    ({'teacher': 'nowhere.py'}, r'model\.teacher: there is no config file nowhere\.py'),
    ({'teacher': 'mmdet::faster_rcnn/no-such.py'}, r'model\.teacher: mmdet::faster_rcnn/no-such\.py cannot be read'),
    ({'teacher_ckpt': 'nowhere.pth'}, r'model\.teacher_ckpt: the checkpoint nowhere\.pth does not exist'),
    (
        {'teacher': str(MINI / 'mask_rcnn_teacher.py'), 'teacher_ckpt': 'nowhere/mask_rcnn_teacher/epoch_1.pth'},
        r'model\.teacher_ckpt: .*epoch_1\.pth does not exist; .* mmkd_ext train .*mask_rcnn_teacher\.py makes it\.$',
    ),
    ({'teacher_ckpt': None}, r'model\.teacher_ckpt is missing'),
    ({'teacher': str(MINI / 'faster_rcnn_student.py')}, r'model\.teacher_ckpt: .* does not belong to this teacher'),
    ({'architecture': dict(type='ResNet', depth=18)}, r'model\.architecture must be a whole model.*ResNet'),
]


@pytest.mark.parametrize(('overrides', 'message'), MISTAKES, ids=lambda v: next(iter(v)) if isinstance(v, dict) else '')
def test_a_mistake_in_the_config_is_named_when_the_model_is_built(weights: Path, overrides: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(weights, **overrides)
    text = sentence(error.value)
    assert re.search(message, text), text
    assert '\n' not in text
    assert text.endswith('.')


def test_a_teacher_of_other_classes_is_refused_with_the_hint(weights: Path, tmp_path: Path) -> None:
    content = torch.load(weights, weights_only=True)
    content['state_dict']['roi_head.bbox_head.fc_cls.weight'] = torch.zeros(81, 256)
    torch.save(content, tmp_path / 'coco.pth')
    with pytest.raises(
        ConfigError, match=r'fc_cls\.weight is \(81, 256\).*\(11, 256\).*another number of classes'
    ) as error:
        build(tmp_path / 'coco.pth')
    assert 'model.teacher_ckpt' in sentence(error.value)


def loss_of(model: torch.nn.Module) -> dict:
    from mmdet.testing import demo_mm_inputs

    model.train()
    data = model.data_preprocessor(demo_mm_inputs(1, [[3, 64, 64]], num_classes=10), True)
    return model(**data, mode='loss')


def in_mappings(key: str, value: Any) -> dict:
    levels = dict(from_student=True, recorder='fpn', data_idx=[0, 1, 2], connector='fpn')
    teacher = dict(from_student=False, recorder='fpn', data_idx=[0, 1, 2])
    return {'distiller__loss_forward_mappings': dict(loss_cwt=dict(student=levels | {key: value}, teacher=teacher))}


FIRST_STEP = [
    (in_mappings('data_idx', [0, 1, 9]), r'loss_forward_mappings\.loss_cwt\.student: .*data_idx=9.* 3 items'),
    (in_mappings('record_idx', 3), r'loss_cwt\.student: .*record_idx=3.* 1 times'),
    (in_mappings('data_idx', [1, 2, 2]), r'distill_losses\.loss_cwt: the maps differ in shape: .*bilinear'),
    (
        {'distiller__connectors__fpn__in_channels': 48},
        r"connectors\.fpn\.in_channels=48, but student recorder 'fpn'\[0\] has 32 channels, \(1, 32",
    ),
    (
        {'distiller__connectors__fpn__out_channels': 48},
        r"connectors\.fpn\.out_channels=48, but teacher recorder 'fpn'\[0\] has 64 channels, \(1, 64",
    ),
    ({'distiller__student_recorders__fpn__source': 'roi_head.bbox_roi_extractor'}, r'student: .*data_idx=0'),
]


@pytest.mark.parametrize(('overrides', 'message'), FIRST_STEP, ids=range(len(FIRST_STEP)))
def test_a_mistake_that_shapes_reveal_is_named_in_the_first_step(weights: Path, overrides: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        loss_of(build(weights, **overrides))
    text = sentence(error.value)
    assert re.search(message, text), text
    assert text.startswith('model.distiller.')


@pytest.mark.slow
def test_shapes_are_looked_at_before_the_first_step(
    command: Callable, digits: Path, weights: Path, tmp_path: Path
) -> None:
    options = ['model.distiller.connectors.fpn.in_channels=48', f'model.teacher_ckpt={weights}', 'val_cfg=None']
    options += ['val_dataloader=None', 'val_evaluator=None']
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, *data_options(digits), *options]
    done = command('tools/train.py', *words, MMKD_EXT_TRACEBACK='1')
    assert "connectors.fpn.in_channels=48, but student recorder 'fpn'[0] has 32 channels" in done.stderr
    assert 'dry_run_hook.py' in done.stderr
    assert 'run_iter' not in done.stderr


def test_a_recorder_that_the_forward_never_reaches_is_named(weights: Path) -> None:
    """`loss_mask` heads and the like exist but do not run; here a part that only prediction uses."""
    model = build(weights, distiller__student_recorders__fpn__source='data_preprocessor')
    with pytest.raises(ConfigError, match=r'student_recorders\.fpn: data_preprocessor was not reached'):
        loss_of(model)


class Evil:
    """Would leave a file behind if it were unpickled."""

    def __reduce__(self) -> tuple:
        import os

        return os.system, (f'touch {self.target}',)


def test_a_checkpoint_with_code_is_refused_and_not_run(digits: Path, tmp_path: Path) -> None:
    evil = Evil()
    evil.target = tmp_path / 'executed'
    torch.save(dict(meta=evil), tmp_path / 'evil.pth')
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, '--resume', tmp_path / 'evil.pth']
    with pytest.raises(ConfigError, match=r'--resume: the checkpoint .*evil\.pth holds pickled code \(posix\.system\)'):
        cli.train_config(arguments(*words, *data_options(digits)))
    with pytest.raises(ConfigError, match=r'model\.teacher_ckpt: .*holds pickled code \(posix\.system\)'):
        build(tmp_path / 'evil.pth')
    assert not evil.target.exists()


def test_a_truncated_checkpoint_is_refused(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / 'half.pth'
    path.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ConfigError, match=r'model\.teacher_ckpt: the checkpoint .*half\.pth is truncated') as error:
        build(path)
    assert '\n' not in sentence(error.value)
