#!/usr/bin/env python
"""Evaluate a checkpoint: tools/test.py CONFIG CHECKPOINT [options of the toolbox's own test.py].

CONFIG is a distillation config or a plain one. The test.py of the student's own toolbox does the work, with its options
(mmdet: --out, --show, --show-dir, --tta, ...), on the student's plain config; the teacher is not needed. A checkpoint
whose weights are not the student's is refused. From MMRazor's checkpoints, the student's weights are taken.
"""

import runpy
import sys
from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.checkpoints import check_weights, write_plain
from mmkd_ext.errors import ConfigError
from mmkd_ext.export.config import student_config
from mmkd_ext.export.student import plain_student
from mmkd_ext.files import check_writable, replacing


def main() -> None:
    """Write the student's config next to the results and run the toolbox's script on it."""
    parser = cli.config_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder for the results (default: ./work_dirs/METHOD/CONFIG_NAME)')
    cli.add_launcher(parser)
    args, options = parser.parse_known_args()
    cfg = student_config(cli.read_launched(args))
    script = cli.stock_test(cfg.get('default_scope'))
    work_dir = Path(args.work_dir or cli.default_work_dir(args.config))
    check_writable('--work-dir', work_dir, folder=True)
    if not Path(args.checkpoint).is_file() and '://' not in args.checkpoint:
        raise ConfigError(f'there is no checkpoint {args.checkpoint} (looked from {Path.cwd()}).')
    cli.check_data(cfg, ('test_dataloader',))
    of_mmrazor = check_weights(plain_student(cfg), args.checkpoint)
    cli.start_distributed(cfg)
    work_dir.mkdir(parents=True, exist_ok=True)
    plain = work_dir / f'{Path(args.config).stem}_student.py'
    with replacing(plain) as part:  # several processes may do this
        cfg.dump(part)
    checkpoint = args.checkpoint
    if of_mmrazor:
        checkpoint = str(plain.with_suffix('.pth'))
        write_plain(args.checkpoint, checkpoint)
    known = ['--work-dir', str(work_dir), '--launcher', args.launcher]
    sys.argv = [str(script), str(plain), checkpoint, *known, *options]
    runpy.run_path(str(script), run_name='__main__')


if __name__ == '__main__':
    cli.run(main)
