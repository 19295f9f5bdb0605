#!/usr/bin/env python
"""Train with the options of the toolboxes' own train.py: tools/train.py configs/mini/faster_rcnn_cwt.py."""

from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmkd_ext import cli, identity
from mmkd_ext.checks import check_runner


def main() -> None:
    """Check what can be checked, then hand over to mmengine's Runner."""
    args = cli.train_parser().parse_args()
    cfg = cli.train_config(args)
    if cli.rank() == 0:
        identity.write(cfg, args.config, args.cfg_options)
    cli.start_distributed(cfg)
    cli.make_missing_class_means(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for note in check_runner(runner):
        cli.say(note)
    cli.say_what_will_not_fold(runner)
    runner.register_hook(dict(type='mmkd_ext.DryRunHook'))
    runner.train()


if __name__ == '__main__':
    cli.run(main)
