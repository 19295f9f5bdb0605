#!/usr/bin/env python
"""Train a model, with or without distillation: tools/train.py CONFIG.

Takes the options of the toolboxes' own train.py. CONFIG is a distillation config or a plain one. With --distill METHOD
--teacher CONFIG --teacher-ckpt FILE, it is the config of a plain student: a config that distils it is written into the
work dir, as by tools/make_config.py, and trained.
"""

import subprocess
import sys

from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmkd_ext import cli, identity
from mmkd_ext.checks import check_runner
from mmkd_ext.errors import ConfigError


def preflight(words: list[str]) -> None:
    """Run tools/preflight.py with these arguments, in a separate process with its own models and random numbers.

    Raises:
        ConfigError: If it finds an error.
    """
    if subprocess.run([sys.executable, '-m', 'mmkd_ext', 'preflight', *words], check=False).returncode:
        raise ConfigError('--preflight found an error (see above); nothing was trained.')


def main() -> None:
    """Check the config and the options, then start mmengine's Runner."""
    parser = cli.train_parser()
    parser.description = __doc__
    parser.add_argument(
        '--preflight', action='store_true', help='run the command preflight first, and stop on an error'
    )
    args = parser.parse_args()
    args.config = cli.recipe_config(args)
    cfg = cli.train_config(args)
    if cli.rank() == 0:
        identity.write(cfg, args.config, args.cfg_options)
    cli.start_distributed(cfg)
    cli.make_missing_class_means(cfg)
    if args.preflight and cli.rank() == 0:
        preflight([word for word in sys.argv[1:] if word != '--preflight'])
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for note in check_runner(runner):
        cli.say(note)
    cli.say_what_will_not_fold(runner)
    runner.register_hook(dict(type='mmkd_ext.DryRunHook'))
    runner.train()


if __name__ == '__main__':
    cli.run(main)
