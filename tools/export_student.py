#!/usr/bin/env python
"""Write a plain student: tools/export_student.py CONFIG CHECKPOINT OUT_DIR.

CONFIG is the config that CHECKPOINT was trained with: distillation with a teacher, without one, NORM, or plain. OUT_DIR
gets CONFIG_NAME.pth (weights only) and CONFIG_NAME.py (self-contained), which the student's own toolbox can use alone;
a backbone that no toolbox has is written to the folder CONFIG_NAME_backbone. Teacher and distillation parts are left
out, and NORM's transforms are folded into the adjacent layers. The files are kept only if a process that cannot import
this package loads them and reproduces the outputs of the trained student on real images.
"""

from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError
from mmkd_ext.export.student import data_field, export_student


def main() -> None:
    """Check the options, then export and print what was done."""
    parser = cli.config_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out_dir', metavar='OUT_DIR', help='folder for the two files')
    parser.add_argument(
        '--no-check', action='store_true', help='load the files, but do not compare outputs; needs no data'
    )
    args = parser.parse_args()
    cfg = cli.read_config(args.config, args.cfg_options)
    field = data_field(cfg)
    if field is not None and not args.no_check:
        try:
            cli.check_data(cfg, (field,))
        except ConfigError as error:
            raise ConfigError(f'{error} The outputs are compared on that data; --no-check exports without.') from None
    exported = export_student(cfg, args.checkpoint, args.out_dir, Path(args.config).stem, not args.no_check)
    for note in exported.notes:
        print(f'- {note}')
    print(f'{exported.checkpoint} and {exported.config}')


if __name__ == '__main__':
    cli.run(main)
