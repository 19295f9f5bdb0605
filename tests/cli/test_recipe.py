"""`--distill` as a user types it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import arguments
from mmengine.config import Config
from support import MINI

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError

STUDENT, TEACHER = MINI / 'resnet_student.py', MINI / 'resnet_teacher.py'
WEIGHTS = MINI / 'checkpoints' / 'resnet_teacher.pth'
PAIR = ('--teacher', TEACHER, '--teacher-ckpt', WEIGHTS)


def made(*words: Any) -> Path:
    args = arguments(*words)
    return Path(cli.recipe_config(args))


def test_without_a_method_the_config_is_the_one_given() -> None:
    assert cli.recipe_config(arguments(STUDENT)) == str(STUDENT)
    with pytest.raises(ConfigError, match='--teacher and --teacher-ckpt go with --distill'):
        cli.recipe_config(arguments(STUDENT, '--teacher', TEACHER))


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--distill', 'kdd', *PAIR], "--distill kdd: there is no such method; the nearest are 'kd', 'pkd', 'dkd'"),
        (['--distill', 'kd', '--teacher', TEACHER], '--distill kd needs --teacher-ckpt'),
        (['--distill', 'tfd', *PAIR], '--distill tfd has no teacher: .* leave out --teacher and --teacher-ckpt'),
        (['--distill', 'kd', *PAIR, '--teacher-ckpt', 'no.pth'], '--teacher-ckpt: there is no file no.pth'),
        (['--distill', 'kd', *PAIR, '--teacher', 'no.py'], '--teacher: there is no config file no.py'),
        (['--distill', 'cwd', *PAIR], '--distill cwd: CWD needs maps of a dense prediction, .*; what fits: cwt, '),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(words: list, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        made(STUDENT, *words, '--work-dir', tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_distillation_config_is_no_student(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'resnet_kd\.py distils already; give the config that trains its student'):
        made(MINI / 'resnet_kd.py', '--distill', 'kd', *PAIR, '--work-dir', tmp_path)


def test_it_is_written_into_the_work_dir_and_runs_there_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(MINI)
    words = ['resnet_student.py', '--distill', 'kd', '--teacher', 'resnet_teacher.py']
    words += ['--teacher-ckpt', 'checkpoints/resnet_teacher.pth', '--work-dir', tmp_path / 'run']
    path = made(*words)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "KD: the student follows the teacher's class scores"
    assert said[-1] == f'config: {path}'
    assert path == tmp_path / 'run' / 'recipe' / 'resnet_student_kd.py'
    (tmp_path / 'run').rename(tmp_path / 'moved')
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(tmp_path / 'moved' / 'recipe' / path.name)
    assert (cfg.model.teacher, cfg.model.teacher_ckpt) == (str(TEACHER), str(WEIGHTS))
    assert os.path.samefile(cfg.work_dir, tmp_path / 'moved')


def test_the_same_command_takes_what_is_there_and_another_is_refused(tmp_path: Path) -> None:
    words = [STUDENT, '--distill', 'kd', *PAIR, '--work-dir', tmp_path]
    path = made(*words)
    before = path.stat().st_mtime_ns
    assert made(*words) == path
    assert path.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=r'resnet_student_kd\.py exists with different content'):
        made(*words, '--teacher-ckpt', shutil.copy(WEIGHTS, tmp_path))


def test_weights_of_another_model_are_refused_before_the_config_is_written(tmp_path: Path) -> None:
    torch.save({'head.fc.bias': torch.zeros(10)}, tmp_path / 'other.pth')
    words = [STUDENT, '--distill', 'kd', *PAIR, '--work-dir', tmp_path / 'run']
    with pytest.raises(
        ConfigError, match=r'^--teacher-ckpt: .*other\.pth does not belong to this teacher: \d+ missing'
    ):
        made(*words, '--teacher-ckpt', tmp_path / 'other.pth')
    assert not (tmp_path / 'run').exists()
    made(*words, '--teacher-ckpt', tmp_path / 'other.pth', '--cfg-options', 'model.teacher_strict=False')


def test_weights_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(WEIGHTS.parent))
    path = made(STUDENT, '--distill', 'kd', *PAIR, '--teacher-ckpt', f'~/{WEIGHTS.name}', '--work-dir', tmp_path)
    assert Config.fromfile(path).model.teacher_ckpt == str(WEIGHTS)


def test_the_work_dir_names_student_and_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    args = arguments(STUDENT, '--distill', 'tfd')
    cli.recipe_config(args)
    assert args.work_dir == './work_dirs/mini/resnet_student_tfd'


def test_options_count_for_what_is_chosen(tmp_path: Path) -> None:
    words = [STUDENT, '--distill', 'norm', *PAIR, '--cfg-options', f'work_dir={tmp_path}/own']
    path = made(*words, 'train_cfg.max_epochs=100')
    assert path.parent.parent == tmp_path / 'own'
    (hook,) = (hook for hook in Config.fromfile(path).custom_hooks if hook.type == 'mmkd_ext.LossWeightHook')
    assert hook.milestones[-1] > 50
    with pytest.raises(
        ConfigError, match=r'^--cfg-options model\.backbone\.depth: .* change the student in .*student\.py'
    ):
        made(*words, 'model.backbone.depth=34')
    made(*words[:-1], f'work_dir={tmp_path}/other', 'model.distiller.distill_losses.loss_norm.loss_weight=2')


@pytest.mark.slow
def test_one_line_makes_class_means_trains_and_resumes(command: Callable, digits: Path, tmp_path: Path) -> None:
    roots = [f'{field}_dataloader.dataset.data_root={digits}/classification/' for field in ('train', 'val')]
    line = ['tools/train.py', STUDENT, '--distill', 'nd', *PAIR, '--work-dir', tmp_path]
    for epochs, resume in ((1, []), (2, ['--resume'])):
        done = command(*line, *resume, '--cfg-options', *roots, f'train_cfg.max_epochs={epochs}')
        assert done.returncode == 0, done.stderr
        assert 'distill.loss_nd: ' in done.stdout + done.stderr or epochs == 2
    assert (tmp_path / 'recipe' / 'resnet_student_nd_means.safetensors').is_file()
    weights = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['state_dict']
    assert any(name.startswith('distiller.connectors.embedding') for name in weights)


@pytest.mark.slow
def test_make_config_writes_the_config_alone(command: Callable, tmp_path: Path) -> None:
    out = tmp_path / 'made.py'
    done = command('tools/make_config.py', STUDENT, '--distill', 'norm', *PAIR, '--out', out)
    assert done.returncode == 0, done.stderr
    cfg = Config.fromfile(out)
    assert cfg.model.architecture.neck.type == 'mmkd_ext.NORMNeck'
    assert 'work_dir' not in cfg
