"""The options of a command, and the config that they name."""

import argparse
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.hub import get_config
from mmengine.runner import Runner

from mmkd_ext.distributed import local_rank
from mmkd_ext.errors import ConfigError, nearest, sentence, unreadable
from mmkd_ext.old_names import config_today, path_today
from mmkd_ext.recipes import METHODS

# The config fields that mmengine's Runner, a toolbox's train.py or a command here reads.
READ_FIELDS = {
    *inspect.signature(Runner.__init__).parameters, 'model_wrapper_cfg', 'sync_bn', 'find_unused_parameters', 'compile',
    'activation_checkpointing', 'efficient_conv_bn_eval', 'runner_type', 'custom_imports', 'tta_model', 'tta_pipeline',
    'make_class_means',
} - {'self', 'cfg'}  # fmt: skip


class CfgOptions(DictAction):
    """Same as mmengine's `DictAction`, which cannot parse a dict, but raises an error for one."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Take `key=value` pairs.

        Raises:
            ConfigError: If a value is a dict, or there is none.
        """
        for pair in values:
            key, given, value = pair.partition('=')
            if not given:
                raise ConfigError(f'--cfg-options {pair} is not a setting; write KEY=VALUE.')
            if re.search(r'(^|[\[(,])\s*(dict\(|\{)', value):
                raise ConfigError(
                    f'--cfg-options {key}: a dict cannot be given here; set its keys one by one, {key}.KEY=VALUE (for '
                    f'a list {key}.0.KEY=VALUE), or write it into a config file.'
                )
        super().__call__(parser, namespace, values, option_string)


def config_parser(about: str | None) -> argparse.ArgumentParser:
    """The options of a command on a config: the file and `--cfg-options`.

    Args:
        about: Description of the command: the docstring of its script.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    add_cfg_options(parser)
    return parser


def add_cfg_options(parser: argparse.ArgumentParser, what: str = 'override settings') -> None:
    """Add `--cfg-options`."""
    about = f'{what}: key=value, lists as key="[a,b]" or key=a,b'
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help=about)


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """The settings in `key=value` pairs, parsed like `--cfg-options`.

    Raises:
        ConfigError: If a pair has no `=`.
    """
    for pair in pairs:
        if '=' not in pair:
            raise ConfigError(f'{pair} is not a setting; write KEY=VALUE.')
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    return parser.parse_args(['--cfg-options', *pairs]).cfg_options if pairs else {}


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that may run in several processes."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def train_parser() -> argparse.ArgumentParser:
    """The options of the toolboxes' own `tools/train.py`."""
    parser = config_parser('Train a model, with or without distillation.')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: ./work_dirs/METHOD/CONFIG_NAME; with --distill '
        './work_dirs/CONFIG_NAME_METHOD)',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the total batch size')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from a checkpoint: the one named, or the latest in the work dir',
    )
    add_recipe(parser)
    add_launcher(parser)
    return parser


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a method and a teacher."""
    parser.add_argument(
        '--distill',
        type=str.lower,
        metavar='METHOD',
        help=f"distil CONFIG, a plain student's, with one of {', '.join(METHODS)}",
    )
    parser.add_argument('--teacher', metavar='CONFIG', help='with --distill: the config that trains the teacher')
    parser.add_argument('--teacher-ckpt', metavar='FILE', help="with --distill: the teacher's weights, a path or a URL")


def read_config(path: str, options: dict | None = None, model: bool = True) -> Config:
    """Read a config, a file or a package path (`mmdet::...`), and apply `--cfg-options`.

    Args:
        path: The file or package path.
        options: Dotted key to value.
        model: Whether it must define a `model`.

    Raises:
        ConfigError: If there is no such file, it cannot be read, or it defines no `model`.
    """
    packaged = '::' in str(path)
    if not packaged and not Path(path).is_file():
        raise ConfigError(f'there is no config file {path} (looked from {Path.cwd()}).')
    try:
        cfg = get_config(path_today(path)) if packaged else Config.fromfile(path)
    except Exception as error:  # a config file runs as Python: it can fail in any way
        raise ConfigError(unreadable(path, error)) from error
    if kind := _class_in(cfg._cfg_dict):
        text = f'{Path(path).stem}_text.py'
        raise ConfigError(
            f'{path} uses classes (type={kind.__name__}) instead of names, the pure-Python style, which is not '
            'supported here; convert it to text and pass that file: python -c "from mmengine.config import Config; '
            f"Config.fromfile('{path}').dump('{text}')\"."
        )
    if options:
        _check_options(cfg, path, options)
        try:
            cfg.merge_from_dict(options)
        except (TypeError, KeyError) as error:
            raise ConfigError(f'--cfg-options: {sentence(error).rstrip(".")} ({path}).') from None
    config_today(cfg._cfg_dict)
    if model and not isinstance(cfg.get('model'), dict):
        raise ConfigError(f'{path} defines no `model`.')
    return cfg


def _class_in(value: Any) -> type | None:
    """The first `type` that is a class instead of a name."""
    if isinstance(value, dict):
        kind = value.get('type')
        return kind if isinstance(kind, type) else _class_in(list(value.values()))
    found = (_class_in(part) for part in value) if isinstance(value, (list, tuple)) else ()
    return next((kind for kind in found if kind), None)


def _check_options(cfg: Config, path: str, options: dict) -> None:
    """Refuse an option that has no effect: on a field that nothing reads (a typo), or on a variable."""
    for name in dict.fromkeys(key.split('.')[0] for key in options):
        if name in READ_FIELDS:
            continue
        if name not in cfg:
            near = nearest(name, sorted({*cfg, *READ_FIELDS}))
            raise ConfigError(f'--cfg-options: {path} has no `{name}`, and nothing reads it; {near}.')
        fields = [*_fields_of(name, cfg[name], {key: cfg[key] for key in READ_FIELDS if key in cfg})]
        such = f', such as {", ".join(fields[:4])}' if fields else ''
        raise ConfigError(
            f'--cfg-options {name}: this is a variable of {path}, whose value is already used when options are '
            f'applied; set the fields that have its value{such}.'
        )


def _fields_of(name: str, value: Any, cfg: Any, key: str = '') -> Iterator[str]:
    """The fields of a config that have the name or the value of a variable."""
    for part, inner in cfg.items() if isinstance(cfg, dict) else enumerate(cfg):
        at = f'{key}.{part}' if key else str(part)
        if part == name or (inner == value and not isinstance(value, (bool, int))):
            yield at
        elif isinstance(inner, (dict, list, tuple)):
            yield from _fields_of(name, value, inner, at)


def read_launched(args: argparse.Namespace) -> Config:
    """Same as `read_config`, from parsed options that include those of `add_launcher`."""
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank or local_rank()))
    return cfg


def default_work_dir(config: str) -> str:
    """The folder of a config's runs, which includes the method if the config is in a folder `configs`.

    Examples:
        >>> default_work_dir('configs/nd/faster_rcnn_r101_r50_coco.py')
        './work_dirs/nd/faster_rcnn_r101_r50_coco'
        >>> default_work_dir('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
        './work_dirs/retinanet_r50_fpn_1x_coco'
        >>> default_work_dir('mmkd_ext::nd/faster_rcnn_r101_r50_coco.py')
        './work_dirs/nd/faster_rcnn_r101_r50_coco'
    """
    config = config.replace('mmkd_ext::', 'configs/')
    folders = () if '::' in config else Path(os.path.abspath(config)).parts[:-1]
    inside = [i for i, name in enumerate(folders) if name == 'configs']
    return os.path.join('./work_dirs', *(folders[inside[-1] + 1 :] if inside else ()), Path(config).stem)
