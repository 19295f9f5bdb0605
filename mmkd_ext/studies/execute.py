"""Carry out a study: train, export and test each run once, and append its result."""

import json
import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_ext import cli, identity
from mmkd_ext.distributed import rank, started_count
from mmkd_ext.errors import ConfigError
from mmkd_ext.export.student import export_student
from mmkd_ext.files import check_writable
from mmkd_ext.studies import results
from mmkd_ext.studies.plan import Run, Study
from mmkd_ext.studies.processes import call, ours_alone, stop
from mmkd_ext.studies.report import read_run

EXPORTING = threading.Lock()  # building a model sets a default scope for the whole process


def carry_out(study: Study, jobs: int) -> None:
    """Train, export and test every run that results.jsonl does not have; test the teachers.

    If torchrun or SLURM started several processes, each takes its share of the runs.

    Args:
        study: The study.
        jobs: How many runs this process makes at the same time.

    Raises:
        ConfigError: If data is missing, a run's folder or result has other settings, or runs failed; the other runs are
            finished first.
    """
    if jobs < 1:
        raise ConfigError(f'--jobs must be at least 1, got {jobs}.')
    check(study)
    study.work_dirs.mkdir(parents=True, exist_ok=True)
    os.environ |= {'OMP_NUM_THREADS': os.environ.get('OMP_NUM_THREADS', '1'), 'PYTHONWARNINGS': 'ignore'}
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    lines = results.read(study.folder)
    done: list[Run] = []
    wanted: list[Run] = []
    for run in study.runs():
        cfg = run.config()
        settings, data = results.hash_of(cfg), results.data_of(cfg)
        there = results.find(lines, run.entry.name, run.seed, settings, study.folder, data)
        (done if there else wanted).append(run)
    for run in done:
        print(f'{run.name}: done before', flush=True)
    processes = started_count()
    number = rank() if processes > 1 else 0
    if processes > 1:
        whole, wanted = len(wanted), wanted[number::processes]
        print(f'process {number} of {processes} takes {len(wanted)} of {whole} runs', flush=True)
    clock = Clock(len(wanted), jobs)
    with ThreadPoolExecutor(jobs) as pool, ours_alone():
        waiting = [pool.submit(_whole, study, run, clock) for run in wanted]
        if number == 0:
            waiting += [pool.submit(_teacher, study, name, lines) for name in study.teachers]
        failed = [str(job.exception()) for job in as_completed(waiting) if job.exception()]
    if failed:
        raise ConfigError(' '.join(failed))


def check(study: Study) -> None:
    """Raise ConfigError if a folder cannot be written, data is missing, or a run's folder has other settings."""
    for folder in (study.folder, study.work_dirs):
        check_writable('the study in', folder, folder=True)
    for run in study.runs():
        cli.check_data(run.config())
        check_run(run, study.work_dirs / run.name)


def check_run(run: Run, work_dir: Path) -> None:
    """Raise ConfigError if a run's folder has a run with other settings."""
    there = identity.read(work_dir)
    found = identity.differences(there, identity.settings(run.cfg()), length=True) if there else []
    if found:
        raise ConfigError(
            f'{work_dir} belongs to another run: {identity.difference_list(found)}; remove that folder, or use another '
            '--out.'
        )


class Clock:
    """Estimates how long the rest of a study will take.

    Args:
        count: The number of runs that are left.
        jobs: How many run at the same time.
    """

    def __init__(self, count: int, jobs: int) -> None:
        self.count, self.jobs, self.done, self.began = count, jobs, 0, time.monotonic()
        self.lock = threading.Lock()

    def tick(self) -> str:
        """Count a finished run; returns how many are done, and the time left at the rate so far."""
        with self.lock:
            self.done += 1
            left = (time.monotonic() - self.began) / self.done * (self.count - self.done)
        return f'{self.done} of {self.count} done, about {left // 3600:.0f} h {left % 3600 // 60:.0f} min left'


def _whole(study: Study, run: Run, clock: Clock) -> None:
    """Train, export, test, and append the result."""
    work_dir, cfg = study.work_dirs / run.name, run.config()
    settings, data = results.hash_of(cfg), results.data_of(cfg)  # of the files that it is trained with
    memory = _train(run, work_dir)
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    folder = study.work_dirs / 'test' / run.name
    metrics = test(run.name, cfg, checkpoint, folder, study.metrics)
    times = [time for folder in work_dir.glob('*/vis_data/scalars.json') for time in _times(folder)]
    line = dict(
        run=run.entry.name,
        seed=run.seed,
        metrics=metrics,
        seconds_per_step=round(statistics.median(times), 4) if times else None,
        peak_memory_mib=memory,
        settings=settings,
        **(dict(data=data) if data else {}),
        date=date.today().isoformat(),
        **results.provenance(),
    )
    results.append(study.folder, line)
    print(f'{run.name}: {_said(metrics)}; {clock.tick()}', flush=True)


def _teacher(study: Study, name: str, lines: list[dict[str, Any]]) -> None:
    """Test a teacher, and append the result."""
    cfg, checkpoint = study.teachers[name]
    if not Path(checkpoint).is_file():
        raise ConfigError(f'study.teachers.{name}: there is no checkpoint {checkpoint}.')
    tested = Config(
        {key: value for key, value in cfg.to_dict().items() if key != 'load_from'}
    )  # only training needs it
    settings = identity.digest(f'{results.hash_of(tested)} {identity.digest_of(Path(checkpoint))}'.encode())
    if results.find(lines, name, None, settings, study.folder):
        return
    metrics = test(name, cfg, checkpoint, study.work_dirs / 'test' / name, study.metrics)
    line = dict(run=name, seed=None, metrics=metrics, settings=settings, date=date.today().isoformat())
    results.append(study.folder, line | results.provenance())
    print(f'{name}: {_said(metrics)}', flush=True)


def _said(metrics: dict[str, float]) -> str:
    return ', '.join(f'{name} {value:.4g}' for name, value in metrics.items())


def _times(scalars: Path) -> list[float]:
    records = [json.loads(line) for line in scalars.read_text().splitlines()]
    return [record['time'] for record in records if 'time' in record and 'loss' in record]


def _train(run: Run, work_dir: Path) -> float | None:
    """Train, or resume training, unless it is done.

    Returns:
        The peak memory in MiB: of the process or, on CUDA, of its allocations. None if the training was done before.

    Raises:
        ConfigError: If it fails.
    """
    done = work_dir / 'done'
    if done.exists():
        return json.loads(done.read_text() or 'null')
    words = [sys.executable, '-m', 'mmkd_ext', 'train', run.entry.config, '--work-dir', str(work_dir)]
    if (work_dir / 'last_checkpoint').exists():
        words.append('--resume')
    words += ['--cfg-options', f'randomness.seed={run.seed}', *_options(run.options)]
    log = work_dir.parent / f'{run.name}.log'
    status, last, memory = call(words, log, run.name, append=True)
    if status and 'nothing is left to do' not in last:  # was stopped after the last checkpoint
        raise ConfigError(f'training {run.name} failed ({last}); see {log}.')
    done.write_text(json.dumps(memory))
    return memory


def _options(values: dict[str, Any]) -> list[str]:
    """Turn options, as parsed by argparse or a study file, into `--cfg-options` again."""
    return [f'{key}={str(value).replace(" ", "")}' for key, value in values.items()]


def test(name: str, cfg: Config, checkpoint: str, folder: Path, wanted: Sequence[str]) -> dict[str, float]:
    """Export the student, and test it with the test.py of the config's toolbox.

    A model with the same config and checkpoint that was tested before is not tested again.

    Args:
        name: Name of the run, for messages.
        cfg: The config that the checkpoint was trained with, distillation or plain.
        checkpoint: The checkpoint.
        folder: The folder for the plain config, the plain weights, the log and the predictions.
        wanted: The metrics to return; the usual ones if empty.

    Returns:
        The metrics, by name.

    Raises:
        ConfigError: If it fails.
    """
    tested, file = folder / 'tested', Path(checkpoint)
    what = f'{checkpoint} {file.stat().st_mtime_ns if file.exists() else ""}\n{cfg.pretty_text}'
    if tested.exists() and tested.read_text() == what:
        return read_run(folder, wanted).final
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*/*.json'):
        old.unlink()
    with EXPORTING:
        exported = export_student(cfg, checkpoint, folder, 'student', check=False, reload=False)
    script = cli.stock_test(cfg.get('default_scope'))
    predictions = folder / ('predictions' if cfg.default_scope == 'mmseg' else 'predictions.pkl')
    words = [sys.executable, str(script), str(exported.config), str(exported.checkpoint), '--work-dir', str(folder)]
    status, last, _ = call([*words, '--out', str(predictions)], folder / 'log.txt', f'{name} test')
    if status:
        raise ConfigError(f'testing {name} failed ({last}); see {folder}/log.txt.')
    tested.write_text(what)
    return read_run(folder, wanted).final
