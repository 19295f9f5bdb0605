"""Going on with a run: with its own newest whole checkpoint and no other."""

import os
from pathlib import Path

import pytest
import torch
from commands import arguments, data_options
from mmengine.config import Config
from support import MINI

from mmkd_ext import cli, identity
from mmkd_ext.errors import ConfigError


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
        ConfigError, match=r'^--resume: .*epoch_1\.pth belongs to another run, other: randomness\.seed is 9 '
    ):
        resume(own, 'randomness.seed=4')
    with pytest.raises(
        ConfigError, match=r'belongs to another run, other: model\..* there and .* settings more differ;'
    ):
        resume("model = dict(type='RetinaNet', backbone=dict(depth=18))\n")


def test_resume_with_another_number_of_processes_is_refused(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--launcher', 'pytorch', '--work-dir', tmp_path]
    monkeypatch.setenv('WORLD_SIZE', '2')
    own = cli.train_config(arguments(*words, *data_options(digits)))

    def resume(processes: str, cfg: str) -> Config:
        monkeypatch.setenv('WORLD_SIZE', processes)
        torch.save(dict(meta=dict(iter=6, epoch=1, cfg=cfg), optimizer={}, state_dict={}), tmp_path / 'epoch_1.pth')
        return cli.train_config(arguments(*words, '--resume', *data_options(digits)))

    resume('2', own.pretty_text)
    with pytest.raises(
        ConfigError, match='another run, unnamed: the number of processes is 2 there and 4 here; resume'
    ):
        resume('4', own.pretty_text)
    own.pop('processes')
    resume('4', own.pretty_text)  # of a version that did not note it


def test_a_fresh_start_among_another_runs_checkpoints_is_said(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = [MINI / 'faster_rcnn_cwt.py', '--work-dir', tmp_path, *data_options(digits)]
    identity.write(cli.train_config(arguments(*words)), 'faster_rcnn_cwt.py', None)
    (tmp_path / 'epoch_1.pth').touch()
    cli.train_config(arguments(*words))
    assert 'another run' not in capsys.readouterr().err
    cli.train_config(arguments(*words, 'optim_wrapper.optimizer.lr=0.5'))
    said = capsys.readouterr().err
    assert 'another run (optim_wrapper.optimizer.lr is' in said
    assert 'those with the same names will be overwritten; use another --work-dir' in said


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
