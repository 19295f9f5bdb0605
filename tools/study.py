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

from mmkd_ext import cli, identity
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


def check_run(run: Run, config: Config, out: Path) -> None:
    """Raise ConfigError where the run's folder is that of another config, other options or another seed."""
    there = identity.read(out / run.name)
    config = Config(config.to_dict())
    config.merge_from_dict({'randomness.seed': run.seed})
    cli.complete(config)
    found = identity.differences(there, identity.settings(config), length=True) if there else []
    if found:
        raise ConfigError(f'{out / run.name} is of another run: {identity.listed(found)}; name another --out.')


def train(run: Run, out: Path) -> None:
    """Train, or go on training, unless it is done.

    Raises:
        ConfigError: If it fails.
    """
    work_dir = out / run.name
    done = work_dir / 'done'
    if done.exists():
        print(f'{run.name}: done before', flush=True)
        return
    words = [sys.executable, str(ROOT / 'tools/train.py'), run.config, '--work-dir', str(work_dir)]
    if (work_dir / 'last_checkpoint').exists():
        words.append('--resume')
    words += ['--cfg-options', f'randomness.seed={run.seed}', *run.options]
    status, last = call(words, out / f'{run.name}.log', run.name, append=True)
    if status and 'nothing is left to do' not in last:  # stopped between the last checkpoint and here
        raise ConfigError(f'training {run.name} failed ({last}); see {out / run.name}.log.')
    done.touch()


def test(name: str, config: Config, checkpoint: str, out: Path) -> None:
    """Test a checkpoint by the test.py of the config's toolbox, unless this config was tested with this very file.

    Raises:
        ConfigError: If it fails.
    """
    folder = out / 'test' / name
    tested, file = folder / 'tested', Path(checkpoint)
    what = f'{checkpoint} {file.stat().st_mtime_ns if file.exists() else ""}\n{config.pretty_text}'
    if tested.exists() and tested.read_text() == what:
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
    tested.write_text(what)


def teachers(configs: dict[str, Config]) -> dict[str, tuple[Config, str]]:
    """The teachers of the configs that name a config file and a checkpoint that is there, by name of a row.

    Raises:
        ConfigError: If two would be one row.
    """
    found: dict[str, tuple[Config, str]] = {}
    sources: dict[str, tuple[str, str]] = {}
    for config in configs.values():
        source, checkpoint = config.model.get('teacher'), config.model.get('teacher_ckpt')
        if isinstance(source, str) and checkpoint and Path(source).is_file() and Path(checkpoint).is_file():
            name, what = Path(source).stem, (source, str(checkpoint))
            if sources.setdefault(name, what) != what:
                raise ConfigError(
                    f'two teachers would be the row {name}, {sources[name]} and {what}; run their configs with another '
                    '--out each.'
                )
            found[name] = (Config.fromfile(source), str(checkpoint))
    return found


def names_of(paths: list[str]) -> list[str]:
    """A name for each config: the file's, with the method's folder in front where two files have the same.

    Raises:
        ConfigError: If two are the same even so.
    """
    stems = [Path(path).stem for path in paths]
    names = [
        f'{Path(path).resolve().parent.name}_{stem}' if stems.count(stem) > 1 else stem
        for path, stem in zip(paths, stems, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'two configs would be the row {name}; run them with another --out each.')
    return names


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
    for name, path in zip(names_of(args.configs), args.configs, strict=True):
        config = cli.read_config(path, options)
        own = options_of(options)
        if args.teacher_ckpt and 'teacher' in config.model:
            config.model.teacher_ckpt = args.teacher_ckpt
            own.append(f'model.teacher_ckpt={args.teacher_ckpt}')
        cli.check_data(config)
        configs[name] = config
        made = [Run(f'{name}_seed{seed}', path, seed, own) for seed in range(args.seeds)]
        for run in made:
            check_run(run, config, args.out)
        runs += made
    runs.sort(key=lambda run: run.seed)
    taught = teachers(configs)
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
        jobs += [pool.submit(test, name, *teacher, args.out) for name, teacher in taught.items()]
        failed = [str(job.exception()) for job in as_completed(jobs) if job.exception()]
    if failed:
        raise ConfigError(' '.join(failed))
    report = [sys.executable, str(ROOT / 'tools/report.py')]
    tested = [str(args.out / 'test' / name) for name in (*(run.name for run in runs), *taught)]
    table = subprocess.run([*report, *tested], check=True, capture_output=True, text=True).stdout
    (args.out / 'table.md').write_text(table)
    print(f'\n{table}')
    curves = [*report, *(str(args.out / run.name) for run in runs), '--out', str(args.out)]
    subprocess.run(curves, check=True, capture_output=True)
    print(f'table: {args.out / "table.md"}\ncurves: {args.out / "curves.png"}')


if __name__ == '__main__':
    cli.run(main)
