"""What a user gets wrong ends in one sentence that names the key, before anything is written."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import MINI

from mmkd_ext import cli, identity
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
    ({'distiller__connectors__fpn__levels': 3}, r'loss_cwt\.student.*connectors\.fpn\.levels=3.* 4 levels'),
    ({'teacher': 7}, r'model\.teacher must be a package path.*config file.*dict.*7'),
    ({'teacher': 'nowhere.py'}, r'model\.teacher: there is no config file nowhere\.py'),
    ({'teacher': 'mmdet::faster_rcnn/no-such.py'}, r'model\.teacher: mmdet::faster_rcnn/no-such\.py cannot be read'),
    ({'teacher_ckpt': 'nowhere.pth'}, r'model\.teacher_ckpt: the checkpoint nowhere\.pth does not exist'),
    (
        {'teacher': str(MINI / 'mask_rcnn_teacher.py'), 'teacher_ckpt': 'nowhere/mask_rcnn_teacher/epoch_1.pth'},
        r'model\.teacher_ckpt: .*epoch_1\.pth does not exist; .* mmkd_ext train .*mask_rcnn_teacher\.py makes it\.$',
    ),
    ({'teacher_ckpt': None}, r'model\.teacher_ckpt is missing'),
    ({'teacher': str(MINI / 'faster_rcnn_student.py')}, r'model\.teacher_ckpt: .* is not of this teacher'),
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
    levels = dict(from_student=True, recorder='fpn', data_idx=[0, 1, 2, 3], connector='fpn')
    teacher = dict(from_student=False, recorder='fpn', data_idx=[0, 1, 2, 3])
    return {'distiller__loss_forward_mappings': dict(loss_cwt=dict(student=levels | {key: value}, teacher=teacher))}


FIRST_STEP = [
    (in_mappings('data_idx', [0, 1, 2, 9]), r'loss_forward_mappings\.loss_cwt\.student: .*data_idx=9.* 4 items'),
    (in_mappings('record_idx', 3), r'loss_cwt\.student: .*record_idx=3.* 1 times'),
    (in_mappings('data_idx', [1, 2, 3, 3]), r'distill_losses\.loss_cwt: the maps differ in shape: .*bilinear'),
    ({'distiller__connectors__fpn__in_channels': 48}, r'connectors\.fpn: in_channels=48 expects .* got \(1, 32'),
    ({'distiller__connectors__fpn__out_channels': 48}, r'distill_losses\.loss_cwt: .*\(1, 48.*\(1, 64'),
    ({'distiller__student_recorders__fpn__source': 'roi_head.bbox_roi_extractor'}, r'student: .*data_idx=0'),
]


@pytest.mark.parametrize(('overrides', 'message'), FIRST_STEP, ids=range(len(FIRST_STEP)))
def test_a_mistake_that_shapes_reveal_is_named_in_the_first_step(weights: Path, overrides: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        loss_of(build(weights, **overrides))
    text = sentence(error.value)
    assert re.search(message, text), text
    assert text.startswith('model.distiller.')


def test_a_recorder_that_the_forward_never_reaches_is_named(weights: Path) -> None:
    """`loss_mask` heads and the like exist but do not run; here a part that only prediction uses."""
    model = build(weights, distiller__student_recorders__fpn__source='data_preprocessor')
    with pytest.raises(ConfigError, match=r'student_recorders\.fpn: data_preprocessor was not reached'):
        loss_of(model)


def arguments(*words: object) -> Any:
    return cli.train_parser().parse_args([str(word) for word in words])


def data_options(digits: Path) -> list[str]:
    roots = [f'{field}_dataloader.dataset.data_root={digits}/' for field in ('train', 'val', 'test')]
    return ['--cfg-options', *roots]


def test_a_data_path_that_does_not_exist_is_named_before_anything_is_written(digits: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / 'work'
    options = [*data_options(digits), 'val_dataloader.dataset.ann_file=annotations/none.json']
    with pytest.raises(ConfigError, match=r'^val_dataloader\.dataset\.ann_file: .*none\.json does not exist'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', '--work-dir', work_dir, *options))
    assert not work_dir.exists()


def test_class_means_that_are_not_there_are_made_by_a_command_that_is_named(digits: Path, tmp_path: Path) -> None:
    path, config = tmp_path / 'means.safetensors', MINI / 'faster_rcnn_nd.py'
    options = [*data_options(digits), f'model.distiller.distill_losses.loss_nd.class_means={path}']
    with pytest.raises(ConfigError) as error:
        cli.train_config(arguments(config, *options))
    assert str(error.value).startswith('model.distiller.distill_losses.loss_nd.class_means: there is no')
    assert f'python -m mmkd_ext class_means {config} --out {path} and the same --cfg-options' in str(error.value)
    asked = cli.train_config(arguments(config, *options, 'make_class_means=True'))
    assert cli.missing_class_means(asked) == [('model.distiller.distill_losses.loss_nd.class_means', str(path))]
    path.touch()
    assert not cli.missing_class_means(asked)


def test_a_config_file_that_does_not_exist_or_parse_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='there is no config file nowhere.py'):
        cli.train_config(arguments('nowhere.py'))
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(\n')
    with pytest.raises(ConfigError, match=r'broken\.py cannot be read'):
        cli.train_config(arguments(broken))


def test_resume_without_a_checkpoint_is_refused(digits: Path, tmp_path: Path) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, '--resume']
    with pytest.raises(ConfigError, match='--resume: .*holds no checkpoint'):
        cli.train_config(arguments(*words, *data_options(digits)))
    assert list(tmp_path.iterdir()) == []


def test_resume_goes_on_from_the_newest_whole_checkpoint_where_a_kill_left_half_a_file(
    digits: Path, tmp_path: Path
) -> None:
    for epoch in (1, 2):
        torch.save(
            dict(meta=dict(iter=6 * epoch, epoch=epoch), optimizer={}, state_dict={}), tmp_path / f'epoch_{epoch}.pth'
        )
        os.utime(tmp_path / f'epoch_{epoch}.pth', (10**9, 10**9))  # in one moment
    (tmp_path / 'epoch_3.pth').write_bytes((tmp_path / 'epoch_2.pth').read_bytes()[:100])
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, '--resume', *data_options(digits)]
    assert cli.train_config(arguments(*words)).load_from == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'epoch_3.pth').unlink()
    assert cli.train_config(arguments(*words)).load_from == str(tmp_path / 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    assert cli.train_config(arguments(*words)).load_from is None  # mmengine finds that one itself


def test_resume_of_another_run_is_refused_by_name_and_of_the_same_one_takes_its_seed(
    digits: Path, tmp_path: Path
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path / 'own', *data_options(digits), 'randomness.seed=None']
    own = cli.train_config(arguments(*words)).pretty_text

    def resume(cfg: str, *more: str) -> Config:
        meta = dict(iter=6, epoch=1, cfg=cfg, seed=9, experiment_name='other_20260101_120000')
        torch.save(dict(meta=meta, optimizer={}, state_dict={}), tmp_path / 'epoch_1.pth')
        return cli.train_config(arguments(*words, *more, '--resume', tmp_path / 'epoch_1.pth'))

    assert resume(own, 'train_cfg.max_epochs=40').randomness.seed == 9
    with pytest.raises(
        ConfigError, match=r'^--resume: .*epoch_1\.pth is of another run, other: randomness\.seed is 9 '
    ):
        resume(own, 'randomness.seed=4')
    with pytest.raises(ConfigError, match=r'is of another run, other: model\..* there and .* settings more differ; go'):
        resume("model = dict(type='RetinaNet', backbone=dict(depth=18))\n")


def test_a_fresh_start_among_another_runs_checkpoints_is_said(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, *data_options(digits)]
    identity.write(cli.train_config(arguments(*words)), 'faster_rcnn_cwt.py', None)
    (tmp_path / 'epoch_1.pth').touch()
    cli.train_config(arguments(*words))
    assert 'another run' not in capsys.readouterr().err
    cli.train_config(arguments(*words, 'optim_wrapper.optimizer.lr=0.5'))
    assert 'another run (optim_wrapper.optimizer.lr is' in capsys.readouterr().err


def test_an_option_that_nothing_reads_is_refused(digits: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--cfg-options: .*has no `trian_cfg`.*'train_cfg'"):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *data_options(digits), 'trian_cfg.max_epochs=3'))


@pytest.mark.parametrize('variable', ['RANK', 'SLURM_PROCID'])
def test_of_several_processes_the_first_speaks_and_another_one_only_where_the_first_goes_on(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail() -> None:
        raise ConfigError('so it is.')

    waited: list[float] = []
    monkeypatch.setattr(cli.time, 'sleep', waited.append)
    for rank in (0, 1):
        monkeypatch.setenv(variable, str(rank))
        cli.say('a note')
        with pytest.raises(SystemExit):
            cli.run(fail)
    assert waited == [cli.PATIENCE]  # in which the launcher ends it, if the first has ended
    assert capsys.readouterr().err.splitlines() == ['note: a note', 'error: so it is.', 'error: so it is.']


def test_data_behind_a_storage_client_is_not_looked_for(digits: Path) -> None:
    options = [*data_options(digits), 'val_dataloader.dataset.backend_args.backend=petrel']
    cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *options, 'val_dataloader.dataset.data_root=cluster/'))


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


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(meta=dict(iter=1500, epoch=10), optimizer={}, state_dict={}), 'nothing is left to do.*epoch 10 of 10'),
        (dict(state_dict={}), 'holds weights only'),
    ],
)
def test_resume_of_a_finished_run_or_of_bare_weights_is_refused(
    digits: Path, tmp_path: Path, content: dict, message: str
) -> None:
    path = tmp_path / 'epoch_10.pth'
    torch.save(content, path)
    before = path.read_bytes()
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, '--resume', path, *data_options(digits)]
    with pytest.raises(ConfigError, match=message):
        cli.train_config(arguments(*words, 'train_cfg.max_epochs=10'))
    assert path.read_bytes() == before


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


@pytest.mark.skipif(torch.cuda.is_available(), reason='--amp is possible here')
def test_amp_without_a_gpu_is_refused(digits: Path) -> None:
    with pytest.raises(ConfigError, match='--amp needs a GPU'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', '--amp', *data_options(digits)))


def test_auto_scale_lr_without_a_base_batch_size_is_refused(digits: Path) -> None:
    with pytest.raises(ConfigError, match='--auto-scale-lr: .*base_batch_size'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', '--auto-scale-lr', *data_options(digits)))


def test_a_batch_size_that_the_learning_rate_is_not_for_is_said(
    digits: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', *data_options(digits), 'auto_scale_lr.base_batch_size=32']
    cli.train_config(arguments(*words))
    assert 'note: 1 x 8 images a step, but the learning rate is for 32' in capsys.readouterr().err
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


def test_the_command_prints_one_line_and_fails(command: Callable, tmp_path: Path) -> None:
    done = command('tools/train.py', 'nowhere.py')
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    assert 'Traceback' not in done.stderr
    assert lines[0].startswith('error: there is no config file nowhere.py')


def test_a_command_leaves_no_thread_of_its_process_group(tmp_path: Path) -> None:
    """In a process of its own: a module that is imported later than here may hold the group."""
    script = tmp_path / 'script.py'
    script.write_text("""
import os
import torch
from pathlib import Path
from mmkd_ext import cli

def threads():
    names = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]
    return sum('gloo' in name for name in names)

def main():
    store = Path(__file__).with_name('store').as_uri()
    torch.distributed.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 3))
    model.itself = [model]
    model(torch.rand(4, 2)).sum().backward()
    assert threads() > 0

cli.run(main)
assert threads() == 0
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_config_may_be_a_package_path() -> None:
    cfg = cli.read_config('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', {'model.bbox_head.num_classes': 7})
    assert (cfg.model.type, cfg.model.bbox_head.num_classes) == ('RetinaNet', 7)
    with pytest.raises(ConfigError, match=r'^mmdet::no/such\.py cannot be read'):
        cli.read_config('mmdet::no/such.py')


@pytest.mark.parametrize('with_bn', [True, False])
def test_a_transform_that_will_not_fold_is_said_before_training(with_bn: bool, digits: Path) -> None:
    """By the runner's logger, which is made after what is said of the environment."""
    data = [f'{field}_dataloader.dataset.data_root={digits}/' for field in ('train', 'val', 'test')]
    words = [MINI / 'pspnet_norm.py', '--cfg-options', *data, f'model.architecture.neck.with_bn={with_bn}']
    cfg = cli.train_config(arguments(*words))
    log = Mock()
    cli.say_what_will_not_fold(Mock(cfg=cfg, logger=log))
    said = 'the student will train, but not export to a plain one: model.neck cannot be folded: the convolution pads'
    assert [said in call.args[0] for call in log.warning.call_args_list] == [True] * with_bn
