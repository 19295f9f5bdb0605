#!/usr/bin/env python
"""Store the teacher's outputs for each step of a training: tools/teacher_outputs.py CONFIG --out DIR.

The training then runs without its teacher: tools/train.py CONFIG --cfg-options model.teacher_outputs=DIR, with the same
settings and the same randomness.seed. It gets the same augmented images, and refuses any others. If this command is
stopped, run it again to continue. After its first step it says how much disk space it will take. Outputs are stored in
half precision; of class logits, --top-k stores the K largest and the total probability of the others.

This is for classifiers, and for records of whole images (pixel logits, or maps if the disk is large enough), but not
for the regions of a detector, which depend on the student. With torchrun or srun each process stores its own part, and
the training needs the same number of processes.
"""

from mmkd_ext import cli
from mmkd_ext.distributed import process_count
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.teacher_outputs import make_teacher_outputs


def main() -> None:
    """Check the options, then store the outputs."""
    parser = cli.config_parser(__doc__)
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the outputs')
    parser.add_argument('--top-k', type=int, metavar='K', help='store the K largest logits of each row (default: all)')
    cli.add_launcher(parser)
    args = parser.parse_args()
    if args.top_k is not None and args.top_k < 1:
        raise ConfigError(f'--top-k must be at least 1, got {args.top_k}.')
    cfg = cli.read_launched(args)
    cli.check_data(cfg, ('train_dataloader',))
    cli.complete(cfg)
    cli.start_distributed(cfg)
    make_teacher_outputs(cfg, args.out, args.top_k, process_count(cfg))


if __name__ == '__main__':
    cli.run(main)
