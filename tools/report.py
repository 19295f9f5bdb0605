#!/usr/bin/env python
"""Compare runs: tools/report.py WORK_DIR... [--out DIR].

Prints a table of each run's last metrics and draws DIR/curves.png (validation metric and distillation losses over the
steps). A run is the output of tools/train.py or of a toolbox's test.py; interrupted runs are joined, and the last
evaluation counts. Runs in one folder whose names differ only in `_seedN` are one row: mean, standard error and number
of seeds; `(1 of 3)` means that not all of them have the metric.
"""

import argparse
from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import check_writable
from mmkd_ext.studies.report import draw, read_runs, table


def main() -> None:
    """Read, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dirs', nargs='+', type=Path, metavar='WORK_DIR')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/report'), help='folder for the picture (default: work_dirs/report)'
    )
    args = parser.parse_args()
    for path in args.work_dirs:
        if not path.is_dir():
            raise ConfigError(f'there is no work dir {path} (looked from {Path.cwd()}).')
    check_writable('--out', args.out, folder=True)
    runs = read_runs(args.work_dirs)
    print(table(runs))
    if any(run.curves for run in runs):
        args.out.mkdir(parents=True, exist_ok=True)
        draw(runs, args.out / 'curves.png')
        print(f'curves: {args.out / "curves.png"}')


if __name__ == '__main__':
    cli.run(main)
