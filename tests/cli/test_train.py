"""The config of a training run: what is added to it, and what is said or refused before it starts."""

from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from commands import arguments, data_options
from support import MINI

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError


def test_the_validation_loop_and_the_visualisation_of_mmrazor_are_brought_to_our_model(digits: Path) -> None:
    options = [*data_options(digits), 'val_cfg.type=mmrazor.SingleTeacherDistillValLoop']
    hook = 'default_hooks.visualization'
    options += [f'{hook}.recorders.neck.source=architecture.neck', f'{hook}.recorders.out.source=roi_head']
    cfg = cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *options))
    assert cfg.val_cfg.type == 'mmkd_ext.SingleTeacherDistillValLoop'
    sources = {name: recorder.source for name, recorder in cfg.default_hooks.visualization.recorders.items()}
    assert sources == dict(neck='neck', out='roi_head')


def test_a_best_checkpoint_by_the_teachers_metrics_is_refused(digits: Path) -> None:
    options = [*data_options(digits), 'default_hooks.checkpoint.save_best=teacher.coco/bbox_mAP']
    with pytest.raises(ConfigError, match=r"^save_best='teacher.*name the student's, 'coco/bbox_mAP'"):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *options))


@pytest.mark.skipif(torch.cuda.is_available(), reason='--amp is possible here')
def test_amp_without_a_gpu_is_refused(digits: Path) -> None:
    with pytest.raises(ConfigError, match='--amp needs a GPU'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', '--amp', *data_options(digits)))


def test_a_missing_file_to_start_from_is_named(digits: Path) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', *data_options(digits), 'load_from=nowhere.pth']
    with pytest.raises(ConfigError, match=r'^load_from: there is no file nowhere\.pth'):
        cli.train_config(arguments(*words))


def test_auto_scale_lr_without_a_base_batch_size_is_refused(digits: Path) -> None:
    with pytest.raises(ConfigError, match='--auto-scale-lr: .*base_batch_size'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', '--auto-scale-lr', *data_options(digits)))
    with pytest.raises(ConfigError, match=r'^auto_scale_lr\.enable=True needs auto_scale_lr\.base_batch_size'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *data_options(digits), 'auto_scale_lr.enable=True'))


def test_a_batch_size_that_the_learning_rate_is_not_for_is_said(
    digits: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', *data_options(digits), 'auto_scale_lr.base_batch_size=32']
    cli.train_config(arguments(*words))
    assert 'note: 1 x 8 images per step, but the learning rate is meant for 32' in capsys.readouterr().err
    monkeypatch.setenv('WORLD_SIZE', '4')
    cli.train_config(arguments(*words, 'auto_scale_lr.enable=False', '--launcher', 'pytorch'))
    assert 'note' not in capsys.readouterr().err


def test_the_options_reach_the_config(digits: Path, tmp_path: Path) -> None:
    options = [*data_options(digits), 'auto_scale_lr.enable=False', 'auto_scale_lr.base_batch_size=16']
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, '--auto-scale-lr', '--launcher', 'none', *options]
    cfg = cli.train_config(arguments(*words))
    assert cfg.auto_scale_lr.enable is True
    assert cfg.work_dir == str(tmp_path)
    assert cfg.launcher == 'none'
    assert [hook['type'] for hook in cfg.custom_hooks] == ['mmkd_ext.ExactResumeHook']
    waits = cli.train_config(arguments(*words, 'optim_wrapper.accumulative_counts=4'))
    assert waits.auto_scale_lr.base_batch_size == 16 / 4  # an update is of four steps' images
    assert cli.train_config(arguments(*words, 'work_dir=x')).work_dir == str(tmp_path)


@pytest.mark.parametrize('with_bn', [True, False])
def test_a_transform_that_will_not_fold_is_said_before_training(with_bn: bool, digits: Path) -> None:
    """By the runner's logger, which is made after what is said of the environment."""
    data = [f'{field}_dataloader.dataset.data_root={digits}/' for field in ('train', 'val', 'test')]
    words = [MINI / 'pspnet_norm.py', '--cfg-options', *data, f'model.architecture.neck.with_bn={with_bn}']
    cfg = cli.train_config(arguments(*words))
    log = Mock()
    cli.say_what_will_not_fold(Mock(cfg=cfg, logger=log))
    said = 'the student will train, but cannot be exported to a plain one: model.neck cannot be folded: the conv'
    assert [said in call.args[0] for call in log.warning.call_args_list] == [True] * with_bn
