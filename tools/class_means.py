#!/usr/bin/env python
"""Compute the mean embedding of each class, which the ND loss needs: tools/class_means.py CONFIG --out FILE.

CONFIG is a distillation config (embeddings are taken where its NDLoss takes them), or the config that trained the
teacher (then --checkpoint gives its weights). The command takes one pass over the training set; if it is stopped, run
it again to continue. FILE.png shows the result. On several GPUs: tools/dist_class_means.sh CONFIG GPUS --out FILE.

For two-stage detectors, --proposals says whose sampled regions the teacher's box head embeds. The ND authors use those
of the student, gathered over the first sixth of a training run; `student` with a --student-ckpt from about that time
comes close to this. `teacher`, the default, needs no student. configs/nd/README.md compares the two.
"""

from mmkd_ext import cli
from mmkd_ext.extraction.class_means import make_class_means


def main() -> None:
    """Check the options, then make the file."""
    parser = cli.config_parser(__doc__)
    parser.add_argument('--out', required=True, metavar='FILE', help='class-mean file to make (safetensors)')
    parser.add_argument('--checkpoint', metavar='FILE', help="the teacher's weights (default: model.teacher_ckpt)")
    parser.add_argument('--layer', metavar='NAME', help="the teacher's classifier, whose input is the embedding")
    parser.add_argument(
        '--pipeline',
        choices=['train', 'test'],
        default='train',
        help='augment as in training (default), or use the validation pipeline; both on the training set',
    )
    parser.add_argument('--limit', type=int, metavar='N', help='use only N images, evenly spread over the data set')
    parser.add_argument(
        '--proposals',
        choices=['teacher', 'student'],
        default='teacher',
        help="two-stage detector: the teacher's own sampled regions (default), or the student's, as the authors do",
    )
    parser.add_argument(
        '--student-ckpt', metavar='FILE', help="the student's weights for its proposals (default: its initial weights)"
    )
    parser.add_argument('--restart', action='store_true', help='replace FILE and the rest of an interrupted run')
    cli.add_launcher(parser)
    args = parser.parse_args()
    cfg = cli.read_launched(args)
    cli.check_file('--checkpoint', args.checkpoint)
    cli.check_data(cfg, ('train_dataloader',))
    cli.start_distributed(cfg)
    make_class_means(
        cfg,
        args.out,
        checkpoint=args.checkpoint,
        layer=args.layer,
        pipeline=args.pipeline,
        limit=args.limit,
        restart=args.restart,
        proposals=args.proposals,
        student_checkpoint=args.student_ckpt,
    )


if __name__ == '__main__':
    cli.run(main)
