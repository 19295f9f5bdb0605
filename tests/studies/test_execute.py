"""The parts of a study's run; tests/tools/test_study.py runs whole ones."""

from pathlib import Path

import pytest
import torch
from support import MINI

from mmkd_ext import cli, identity
from mmkd_ext.errors import ConfigError
from mmkd_ext.studies import execute, results
from mmkd_ext.studies.plan import Entry, Run, Study


def run_of(name: str, seed: int, **options: object) -> Run:
    path = str(MINI / f'{name}.py')
    return Run(Entry('row', path, options, cli.read_config(path, options)), seed)


def test_a_folder_of_another_run_is_named(tmp_path: Path) -> None:
    run = run_of('resnet_student', 1)
    work_dir = tmp_path / run.name
    execute.check_run(run, work_dir)  # nothing is there
    cfg = run.cfg()
    cfg.work_dir = str(work_dir)
    identity.write(cfg, 'resnet_student.py', None)  # killed before its first checkpoint
    execute.check_run(run, work_dir)
    for other in (
        run_of('resnet_student', 2),
        run_of('resnet_kd', 1),
        run_of('resnet_student', 1, **{'optim_wrapper.optimizer.lr': 1.0}),
    ):
        with pytest.raises(ConfigError, match='row_seed1 belongs to another run: .* there and .* here'):
            execute.check_run(other, work_dir)


def test_a_run_that_is_done_is_not_taken_for_that_of_a_teacher_trained_since(tmp_path: Path) -> None:
    weights = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict={'a': torch.zeros(2)}), weights)
    run = run_of('resnet_kd', 0, **{'model.teacher_ckpt': str(weights)})
    cfg = run.cfg()
    cfg.work_dir = str(tmp_path / run.name)
    identity.write(cfg, 'resnet_kd.py', None)
    (tmp_path / run.name / 'done').touch()
    torch.save(dict(state_dict={'a': torch.ones(2)}), weights)
    with pytest.raises(ConfigError, match=r'another run: the content of model\.teacher_ckpt is .* remove that folder'):
        execute.check_run(run, tmp_path / run.name)


def test_a_teachers_line_stays_whether_what_it_started_from_is_there_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = tmp_path / 'start.pth'
    cfg = cli.read_config(str(MINI / 'resnet_teacher.py'), {'load_from': str(start)})
    teachers = {'teacher': (cfg, str(MINI / 'checkpoints' / 'resnet_teacher.pth'))}
    study = Study([], range(1), tmp_path, tmp_path, teachers)
    monkeypatch.setattr(execute, 'test', lambda *_: {'accuracy/top1': 1.0})
    for _ in range(2):
        execute._teacher(study, 'teacher', results.read(tmp_path))
        torch.save(dict(state_dict={}), start)
    assert len(results.read(tmp_path)) == 1


def test_the_time_left_is_at_the_rate_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 700.0, 1900.0])
    monkeypatch.setattr(execute.time, 'monotonic', lambda: next(now))
    clock = execute.Clock(8, jobs=2)
    assert clock.tick() == '1 of 8 done, about 1 h 10 min left'
    assert clock.tick() == '2 of 8 done, about 1 h 30 min left'


def test_a_job_script_takes_all_runs_and_what_srun_starts_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    made: list[str] = []
    monkeypatch.setattr(execute, 'check', lambda study: None)
    monkeypatch.setattr(execute, '_whole', lambda study, run, clock: made.append(run.name))
    monkeypatch.setattr(execute.signal, 'signal', lambda *_: None)
    study = Study([run_of('resnet_student', 0).entry], range(5), tmp_path, tmp_path)
    for name, value in dict(SLURM_NTASKS='2', SLURM_PROCID='0').items():
        monkeypatch.setenv(name, value)
    execute.carry_out(study, 1)
    assert len(made) == 5
    assert 'takes' not in capsys.readouterr().out
    made.clear()
    for name, value in dict(SLURM_STEP_NUM_TASKS='2', SLURM_PROCID='1').items():
        monkeypatch.setenv(name, value)
    execute.carry_out(study, 1)
    assert made == ['row_seed1', 'row_seed3']
    assert capsys.readouterr().out == 'process 1 of 2 takes 2 of 5 runs\n'


def test_at_least_one_run_at_a_time(tmp_path: Path) -> None:
    study = Study([run_of('resnet_student', 0).entry], range(1), tmp_path / 'out', tmp_path / 'out')
    with pytest.raises(ConfigError, match='^--jobs must be at least 1, got 0'):
        execute.carry_out(study, 0)
    assert not (tmp_path / 'out').exists()
