#!/usr/bin/env python
"""Show norms and directions of embeddings, which ND changes: tools/feature_stats.py CONFIG NAME=CHECKPOINT...

CONFIG is a distillation config with an NDLoss. Each CHECKPOINT is one of its student, however it was trained (alone, by
KD, by KD++). On the validation set, the command measures for each checkpoint and for the teacher:

    norm      norm of the embedding that the classifier gets
    own       cosine of an embedding and the mean of the others of its class: how tight classes are
    teacher   cosine of an embedding and the teacher's mean of its class, as ND sees it: if the widths differ, after the
              connector, and only for checkpoints that have one. Running means are those of the checkpoint

Samples of the loss's `ignore_label` are left out, and for `teacher` also those of a class without a mean. The command
prints a table and draws OUT/feature_stats.png.
"""

from pathlib import Path

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.feature_stats import compare, draw, table
from mmkd_ext.files import check_writable


def main() -> None:
    """Collect, print, draw."""
    parser = cli.config_parser(__doc__)
    parser.add_argument('checkpoints', nargs='+', metavar='NAME=CHECKPOINT')
    parser.add_argument('--limit', type=int, default=500, help='number of images (default: 500)')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/feature_stats'), help='folder for the picture')
    args = parser.parse_args()
    check_writable('--out', args.out, folder=True)
    cfg = cli.read_config(args.config, args.cfg_options)
    named = dict(entry.partition('=')[::2] for entry in args.checkpoints)
    for name, path in named.items():
        if not Path(path).is_file():
            raise ConfigError(f'{name}: there is no checkpoint {path or name!r}; write NAME=CHECKPOINT.')
    cli.check_data(cfg, ('val_dataloader',))
    results = compare(cfg, named, args.limit)
    print(f'\n{table(results)}')
    args.out.mkdir(parents=True, exist_ok=True)
    draw(results, args.out / 'feature_stats.png')
    print(f'picture: {args.out / "feature_stats.png"}')


if __name__ == '__main__':
    cli.run(main)
