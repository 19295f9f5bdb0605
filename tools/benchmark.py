#!/usr/bin/env python
"""Measure the time of a training step of each config, also relative to the first: tools/benchmark.py CONFIG...

Measures whole steps (preprocessing, forward, backward, optimiser) on one batch, one step of each config in turn, so
that other jobs on the machine slow down all configs alike. Networks have random weights. Class means are read from
their file, or are random if it does not exist.

    --split     also measures the student alone with the same weights, the teacher's forward, and the losses with their
                connectors (forward and backward)
    --mmrazor   also measures the same networks and losses in MMRazor's engine, if it can run them
    --memory    also measures the peak memory of a process that only trains, and how much of it is the teacher's weights
                and the recorded tensors

Settings may follow a config, to compare them: configs/cwt/faster_rcnn_r101_r50_coco.py@model.teacher_fold=0.

The ratio is the median over the rounds of a row's time relative to that of the first row or, with --split, of its own
student, with the quartiles.
"""

import argparse
import json
from pathlib import Path

import torch

from mmkd_ext import cli
from mmkd_ext.benchmark.memory import peak
from mmkd_ext.benchmark.rows import CLOCKS, MMRAZOR, STUDENT, Row, Setting, Subject, measure
from mmkd_ext.benchmark.table import table
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import check_writable


def settings_of(text: str) -> tuple[str, dict]:
    """Split `CONFIG@key=value@key=value` into the config and its settings."""
    path, *pairs = text.split('@')
    return path, cli.parse_options(pairs)


def rows_of(text: str, setting: Setting, args: argparse.Namespace, known: dict[str, Row]) -> list[Row]:
    """The rows of a config to measure; memory is measured here.

    Args:
        text: The config, as on the command line.
        setting: The settings that all rows share.
        args: The options.
        known: The rows of students alone, by file; other settings of a file share its row.
    """
    path, settings = settings_of(text)
    cfg = cli.read_config(path, settings)
    subject = Subject('@'.join([Path(path).stem, *text.split('@')[1:]]), cfg, setting)
    parts = subject.parts if args.split else ['']
    rows = []
    for part in [*parts, MMRAZOR] if args.mmrazor else parts:
        if part == STUDENT and path in known:
            continue
        try:
            row = subject.row(part)
            if part == MMRAZOR:
                row.step()
        except Exception as error:
            if part != MMRAZOR:
                raise
            why = str(error) if isinstance(error, ConfigError) else f'{type(error).__name__}: {error}'
            print(f'{subject.name}: not in MMRazor ({why})')
            continue
        if args.memory and setting.device == 'cpu':
            row.megabytes, row.held = peak(cfg, setting, part)
        if part == STUDENT:
            known[path] = row
        rows.append(row)
    return rows


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG[@KEY=VALUE...]')
    parser.add_argument('--batch-size', type=int, default=8, help='images per step (default: 8)')
    parser.add_argument(
        '--size', type=int, nargs='+', default=[224], help='height and width of the images (default: 224)'
    )
    parser.add_argument(
        '--real-data', action='store_true', help="use the first batch of the config's training data, instead of --size"
    )
    parser.add_argument('--rounds', type=int, default=20, help='number of rounds (default: 20)')
    parser.add_argument(
        '--split', action='store_true', help='also measure the student alone, the teacher, and the losses'
    )
    parser.add_argument('--mmrazor', action='store_true', help="also measure MMRazor's engine")
    parser.add_argument('--memory', action='store_true', help='on a CPU: also measure memory, in separate processes')
    parser.add_argument('--amp', choices=['float16', 'bfloat16'], help='mixed precision')
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help='cpu or cuda (default: cuda if there is one)',
    )
    parser.add_argument(
        '--clock', choices=CLOCKS, default='wall', help="'cpu' is the CPU time of this process, for a busy machine"
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers, round by round')
    args = parser.parse_args()
    if min(args.rounds, args.batch_size) < 1:
        raise ConfigError(f'--rounds {args.rounds} and --batch-size {args.batch_size} must be at least 1.')
    if args.json:
        check_writable('--json', args.json)
    size = None if args.real_data else (args.size[0], args.size[-1])
    setting = Setting(args.batch_size, size, args.device, args.amp)
    alone: dict[str, Row] = {}
    groups = {text: rows_of(text, setting, args, alone) for text in args.configs}
    rows = [row for group in groups.values() for row in group]
    measure(rows, args.rounds, args.device, args.clock)
    found = [row.result(alone.get(settings_of(text)[0], rows[0])) for text, group in groups.items() for row in group]
    images = f'{size[0]}x{size[1]}' if size else 'the training data'
    threads = f', {torch.get_num_threads()} threads' if args.device == 'cpu' else ''
    print(f'{args.batch_size} images of {images}, {args.device}{threads}, {args.rounds} rounds, {args.clock} time\n')
    print(table(found))
    if args.json:
        content = dict(
            images=args.batch_size,
            size=size,
            device=args.device,
            amp=args.amp,
            threads=torch.get_num_threads(),
            clock=args.clock,
            torch=torch.__version__,
            rows=found,
        )
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(content, indent=1))


if __name__ == '__main__':
    cli.run(main)
