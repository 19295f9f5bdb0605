#!/usr/bin/env python
"""What a training step of each config costs, in milliseconds and against the first: tools/benchmark.py CONFIG...

Whole steps (preprocessing, forward, backward, optimiser) on random data, one of each config in turn, so that a machine
that other jobs slow down slows all alike. Networks have random weights; class means are read from their file. --split
also measures the student alone, with the same weights, and the teacher. A config may be given with other settings, to
compare them: configs/cwt/faster_rcnn_r101_r50_coco.py@model.teacher_fold=0.

Times are wall-clock time on a GPU and CPU time of this process on a CPU. The ratio is the median over the rounds of a
row's time to the first row's, with its quartiles.
"""

import argparse
import json
from pathlib import Path

import torch
from mmengine.config import DictAction

from mmkd_ext import cli
from mmkd_ext.benchmark import measure, rows_of


def settings_of(text: str) -> tuple[str, dict]:
    """`CONFIG@key=value@key=value` as the config and its settings."""
    path, *pairs = text.split('@')
    return path, {key: DictAction._parse_iterable(value) for key, _, value in (pair.partition('=') for pair in pairs)}


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG[@KEY=VALUE...]')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument(
        '--size', type=int, nargs='+', default=[224], help='height and width of the images (default: 224)'
    )
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--split', action='store_true', help='also measure the student alone, and the teacher')
    parser.add_argument('--amp', choices=['float16', 'bfloat16'], help='mixed precision')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the numbers, round by round')
    args = parser.parse_args()
    size = (args.size[0], args.size[-1])
    rows = []
    for text in args.configs:
        path, settings = settings_of(text)
        name = '@'.join([Path(path).stem, *text.split('@')[1:]])
        cfg = cli.read_config(path, settings)
        rows += rows_of(name, cfg, args.batch_size, size, args.device, args.split, args.amp)
    measure(rows, args.rounds, args.device)
    threads = f', {torch.get_num_threads()} threads' if args.device == 'cpu' else ''
    print(f'{args.batch_size} images of {size[0]}x{size[1]}, {args.device}{threads}, {args.rounds} rounds')
    width = max(len(row.name) for row in rows)
    found = [row.result(rows[0]) for row in rows]
    for row in found:
        low, high = row['quartiles']
        memory = f'  {row["megabytes"]:7.0f} MiB' if row['megabytes'] is not None else ''
        print(f'{row["name"]:{width}} {row["median"]:9.1f} ms  {row["ratio"]:.3f} ({low:.3f} to {high:.3f}){memory}')
    if args.json:
        content = dict(
            images=args.batch_size, size=size, device=args.device, threads=torch.get_num_threads(), rows=found
        )
        args.json.write_text(json.dumps(content, indent=1))


if __name__ == '__main__':
    cli.run(main)
