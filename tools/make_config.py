#!/usr/bin/env python
"""Write the config that distils a plain student: tools/make_config.py CONFIG --distill METHOD ... --out FILE.

Student and teacher are built without weights and run on an image of noise; the shapes decide which of their records the
method compares, and through which connectors. You can read and edit the file; tools/train.py trains it.
"""

import argparse
from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.files import check_writable


def main() -> None:
    """Look, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='the config that trains the student alone')
    cli.add_recipe(parser)
    parser.add_argument('--out', required=True, type=Path, metavar='FILE', help='config file to write')
    args = parser.parse_args()
    if not args.distill:
        parser.error('--distill METHOD is needed')
    check_writable('--out', args.out)
    cli.make_recipe(args, args.out)


if __name__ == '__main__':
    cli.run(main)
