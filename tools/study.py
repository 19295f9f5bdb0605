#!/usr/bin/env python
"""Train configs over several seeds, test each as a plain student, and compare: tools/study.py CONFIG... --seeds 3.

Each run is `tools/train.py`; each test is the toolbox's own test.py with the student's plain config. Teachers are
tested too. Stopped at any point, the same command goes on from there: what is done is not done again. The table goes to
the screen and to OUT/table.md, the curves to OUT/curves.png.
"""

import argparse
import importlib.util
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config, DictAction

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError
from mmkd_ext.export.config import student_config

ROOT = Path(__file__).resolve().parents[1]
PROGRESS = (
    r'Epoch\(train\) *(\[[0-9]+\]\[[ 0-9]+/[0-9]+\]).*(eta: [0-9:]+).*?( loss: [0-9.]+)',
    r'Iter\(train\) *(\[[ 0-9]+/[0-9]+\]).*(eta: [0-9:]+).*?( loss: [0-9.]+)',
    r'\((?:val)\) *(\[[0-9]+\])\[([0-9]+)/\2\].*?((?:bbox_mAP|accuracy/top1|mIoU): [0-9.]+)',
    r'^(error: .*)()()',
)
RUNNING: set[subprocess.Popen] = set()


class Run(NamedTuple):
    """One config with one seed."""

    name: str
    config: str
    seed: int
    options: list[str]


def options_of(values: dict) -> list[str]:
    """`--cfg-options` again, from what argparse made of it."""
    return [f'{key}={str(value).replace(" ", "")}' for key, value in values.items()]


def call(words: list[str], log: Path, name: str, append: bool = False) -> tuple[int, str]:
    """Run a command: everything to the log, progress to the screen. Its exit status and its last line."""
    last = ''
    with log.open('a' if append else 'w') as file:
        # A session of its own, so that a stop reaches its data loaders too.
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', start_new_session=True
        )
        RUNNING.add(process)
        for line in process.stdout or []:
            file.write(line)
            last = line.strip() or last
            for pattern in PROGRESS:
                found = re.search(pattern, line)
                if found:
                    print(f'{name}: {found[1]} {found[2] if "eta" in found[2] else ""}{found[3]}', flush=True)
                    break
        status = process.wait()
        RUNNING.discard(process)
    return status, last


def train(run: Run, out: Path) -> None:
    """Train, or go on training, unless it is done.

    Raises:
        ConfigError: If it fails.
    """
    work_dir = out / run.name
    done, what = work_dir / 'done', f'{run.config} {" ".join(run.options)}'.strip()
    if done.exists():
        if done.read_text() not in ('', what):
            raise ConfigError(f'{work_dir} is a run of {done.read_text()!r}, not of {what!r}; name another --out.')
        print(f'{run.name}: done before', flush=True)
        return
    words = [sys.executable, str(ROOT / 'tools/train.py'), run.config, '--work-dir', str(work_dir)]
    if (work_dir / 'last_checkpoint').exists():
        words.append('--resume')
    words += ['--cfg-options', f'randomness.seed={run.seed}', *run.options]
    status, last = call(words, out / f'{run.name}.log', run.name, append=True)
    if status and 'nothing is left to do' not in last:  # stopped between the last checkpoint and here
        raise ConfigError(f'training {run.name} failed ({last}); see {out / run.name}.log.')
    done.write_text(what)


def test(name: str, config: Config, checkpoint: str, out: Path) -> None:
    """Test a checkpoint by the test.py of the config's toolbox, unless that is done.

    Raises:
        ConfigError: If it fails.
    """
    folder = out / 'test' / name
    if (folder / 'predictions.pkl').exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*/*.json'):
        old.unlink()
    plain = folder / 'config.py'
    config.dump(plain)
    scope = importlib.util.find_spec(config.get('default_scope', 'mmengine'))
    if scope is None or scope.origin is None:
        raise ConfigError(f'{plain}: default_scope names no toolbox that is installed.')
    script = str(Path(scope.origin).parent / '.mim' / 'tools' / 'test.py')
    predictions = folder / ('predictions' if scope.name == 'mmseg' else 'predictions.pkl')
    words = [sys.executable, script, str(plain), checkpoint, '--work-dir', str(folder), '--out', str(predictions)]
    status, last = call(words, folder / 'log.txt', f'{name} test')
    if status:
        raise ConfigError(f'testing {name} failed ({last}); see {folder}/log.txt.')
    (folder / 'predictions.pkl').touch()


def teachers(configs: dict[str, Config]) -> dict[str, tuple[Config, str]]:
    """The teachers of the configs that name a config file and a checkpoint that is there."""
    found = {}
    for config in configs.values():
        source, checkpoint = config.model.get('teacher'), config.model.get('teacher_ckpt')
        if isinstance(source, str) and checkpoint and Path(source).is_file() and Path(checkpoint).is_file():
            found[Path(source).stem] = (Config.fromfile(source), str(checkpoint))
    return found


def stop(*_: object) -> None:
    """Stop all that runs."""
    for process in list(RUNNING):
        os.killpg(process.pid, signal.SIGKILL)
    os._exit(130)


def main() -> None:
    """Train, test, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    parser.add_argument('--seeds', type=int, default=3, help='seeds 0 to SEEDS - 1 (default: 3)')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at the same time (default: 2)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/study'), help='folder (default: work_dirs/study)')
    parser.add_argument('--teacher-ckpt', help="another checkpoint of the configs' teacher")
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='of all runs: key=value ...')
    args = parser.parse_args()
    options = args.cfg_options or {}
    configs: dict[str, Config] = {}
    runs = []
    for path in args.configs:
        config = cli.read_config(path, options)
        own = options_of(options)
        if args.teacher_ckpt and 'teacher' in config.model:
            config.model.teacher_ckpt = args.teacher_ckpt
            own.append(f'model.teacher_ckpt={args.teacher_ckpt}')
        cli.check_data(config)
        name = Path(path).stem
        if name in configs:
            raise ConfigError(
                f'two configs are named {name}, which would be one row; run them with another --out each.'
            )
        configs[name] = config
        runs += [Run(f'{name}_seed{seed}', path, seed, own) for seed in range(args.seeds)]
    runs.sort(key=lambda run: run.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    os.environ |= {'OMP_NUM_THREADS': os.environ.get('OMP_NUM_THREADS', '1'), 'PYTHONWARNINGS': 'ignore'}
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    def whole(run: Run) -> None:
        train(run, args.out)
        checkpoint = (args.out / run.name / 'last_checkpoint').read_text().strip()
        test(run.name, student_config(configs[run.name.rpartition('_seed')[0]]), checkpoint, args.out)

    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(whole, run) for run in runs]
        jobs += [pool.submit(test, name, *teacher, args.out) for name, teacher in teachers(configs).items()]
        failed = [str(job.exception()) for job in as_completed(jobs) if job.exception()]
    if failed:
        raise ConfigError(' '.join(failed))
    report = [sys.executable, str(ROOT / 'tools/report.py')]
    tested = [str(args.out / 'test' / name) for name in (*(run.name for run in runs), *teachers(configs))]
    table = subprocess.run([*report, *tested], check=True, capture_output=True, text=True).stdout
    (args.out / 'table.md').write_text(table)
    print(f'\n{table}')
    curves = [*report, *(str(args.out / run.name) for run in runs), '--out', str(args.out)]
    subprocess.run(curves, check=True, capture_output=True)
    print(f'table: {args.out / "table.md"}\ncurves: {args.out / "curves.png"}')


if __name__ == '__main__':
    cli.run(main)
