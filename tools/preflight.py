#!/usr/bin/env python
"""Show what a run will do, measured on a few real batches: tools/preflight.py CONFIG. Nothing is trained.

Takes the options of tools/train.py, and shows on one screen:

- the recorded tensors: shape, dtype, root mean square, and whether they carry a gradient;
- each loss with the norm of its gradient on the student, and this norm as a fraction of that of the task's gradient on
  the same parameters; below 1 % or above 10 times, it names the loss_weight that would make it --share of the task's.
  The student and the connectors are untrained, and a LossWeightHook's factor counts as 1;
- the teacher's metric on a sample of the validation set, with its own pixel normalisation, compared with chance;
- the pixel normalisation of both sides, the learning rate with the batch size that it is meant for, time and memory.

The exit status is 1 if something is wrong (an `error:` line), 2 if the config cannot be built, and otherwise 0: what a
warning reports may be intended.
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.files import check_writable
from mmkd_ext.preflight import examine


def main() -> None:
    """Examine the config, and print the report."""
    parser = cli.train_parser()
    parser.description = __doc__
    parser.add_argument('--batches', type=int, default=2, metavar='N', help='number of training batches (default: 2)')
    parser.add_argument(
        '--share', type=float, default=0.5, help="fraction of the task's gradient for suggested weights (default: 0.5)"
    )
    parser.add_argument(
        '--val-images',
        type=int,
        default=32,
        metavar='N',
        help='number of images to evaluate the teacher on; 0 for none (default: 32)',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the report as JSON')
    args = parser.parse_args()
    if args.json:
        check_writable('--json', args.json)
    with redirect_stdout(sys.stderr):  # the output of data sets and metrics
        args.config = cli.recipe_config(args)
        report = examine(cli.train_config(args), args.batches, args.share, args.val_images)
    print(report.text())
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report.json(), indent=1))
    sys.exit(1 if report.errors else 0)


if __name__ == '__main__':
    cli.run(main)
