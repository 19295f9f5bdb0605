#!/usr/bin/env python
"""What a run will do, on a few real batches before it starts: tools/preflight.py CONFIG. Nothing is trained.

Takes the options of tools/train.py, and shows on one screen
- the recorded tensors: shape, dtype, root of the mean square, whether they carry a gradient;
- each loss with the norm of its gradient on the student, as a part of the task's on the same parameters; below 1 % or
  above 10 times it names the loss_weight that would make it --share of the task's. That is the student and the
  connectors as they start, and a LossWeightHook's factor counts as 1;
- the teacher's metric on a sample of the validation set against chance, with its own pixels;
- pixels of both sides, the learning rate with the batch size that it is for, time and memory of the run.

Ends with status 1 if something is wrong (a line `error:`), 2 if the config cannot be built, else 0; a warning may be
meant.
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.preflight import examine


def main() -> None:
    """Look, and print what was found."""
    parser = cli.train_parser()
    parser.description = __doc__
    parser.add_argument('--batches', type=int, default=2, metavar='N', help='training batches to look at (default: 2)')
    parser.add_argument(
        '--share', type=float, default=0.5, help="part of the task's gradient for suggested weights (default: 0.5)"
    )
    parser.add_argument(
        '--val-images',
        type=int,
        default=32,
        metavar='N',
        help='to evaluate the teacher on; 0: not at all (default: 32)',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write it as JSON, too')
    args = parser.parse_args()
    with redirect_stdout(sys.stderr):  # what data sets and metrics print
        args.config = cli.recipe_config(args)
        report = examine(cli.train_config(args), args.batches, args.share, args.val_images)
    print(report.text())
    if args.json:
        args.json.write_text(json.dumps(report.json(), indent=1))
    sys.exit(1 if report.errors else 0)


if __name__ == '__main__':
    cli.run(main)
