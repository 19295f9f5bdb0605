#!/usr/bin/env python
"""Train with several seeds, test each student as a plain model, and compare: tools/study.py STUDY | CONFIG...

STUDY is a file that assigns `study = dict(runs=dict(alone='alone.py', kd='kd.py'), seeds=5)`; its results go next to
it. CONFIGs are compared as they are, with the first one; their results go to --out.

Each run is trained by `tools/train.py`. Its student is exported, and tested by its toolbox's own test.py; teachers are
tested, too. Each result is a line of results.jsonl (metrics, seconds per step, peak memory, a hash of the settings,
versions). Runs that have a line are not repeated, and a study that was stopped at any point is continued by the same
command. table.md has the means, and the differences paired by seed with their standard error and 95 % interval;
gains.png shows the differences.

With torchrun or srun each process takes its share of the runs.
"""

import argparse
from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError
from mmkd_ext.studies import report, results, tables
from mmkd_ext.studies.execute import carry_out
from mmkd_ext.studies.plan import Study, is_study, read_study, study_of_configs


def main() -> None:
    """Train, test, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='STUDY|CONFIG')
    parser.add_argument('--seeds', type=int, help="seeds 0 to SEEDS - 1 (default: the study's, or 3)")
    parser.add_argument('--jobs', type=int, default=2, help='trainings at the same time (default: 2)')
    parser.add_argument('--only', nargs='+', default=(), metavar='RUN', help='rows of the study to run now')
    parser.add_argument('--out', type=Path, help='folder for the results of CONFIGs (default: work_dirs/study)')
    parser.add_argument('--teacher-ckpt', help="another checkpoint of the configs' teacher")
    cli.add_cfg_options(parser, 'override settings in all runs')
    args = parser.parse_args()
    if args.seeds is not None and args.seeds < 1:
        raise ConfigError(f'--seeds must be at least 1, got {args.seeds}.')
    if any(map(is_study, args.configs)):
        if len(args.configs) > 1 or args.out or args.teacher_ckpt:
            raise ConfigError('a study file must be the only config, without --out and --teacher-ckpt.')
        study = read_study(args.configs[0], args.seeds, args.only, args.cfg_options)
    else:
        if args.only:
            raise ConfigError('--only is for the rows of a study file; leave out the other configs instead.')
        out = args.out or Path('work_dirs/study')
        study = study_of_configs(args.configs, args.seeds or 3, out, args.cfg_options, args.teacher_ckpt)
    carry_out(study, args.jobs)
    if cli.rank() == 0:
        show(study)


def show(study: Study) -> None:
    """Print the table, and write it, the plot and the curves."""
    order = [entry.name for entry in study.entries] + list(study.teachers)
    lines = [line for line in results.read(study.folder) if line['run'] in order]
    lines.sort(key=lambda line: (order.index(line['run']), line['seed'] or 0))
    print(f'\n{tables.write(study.folder, lines, study.pairs)}\ntable: {study.folder / "table.md"}')
    dirs = [study.work_dirs / run.name for run in study.runs() if (study.work_dirs / run.name).is_dir()]
    if dirs:
        curves = study.work_dirs / 'curves.png'
        report.draw(report.read_runs(dirs), curves)
        if curves.exists():
            print(f'curves: {curves}')


if __name__ == '__main__':
    cli.run(main)
