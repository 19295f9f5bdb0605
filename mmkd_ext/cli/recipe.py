"""`--distill METHOD`: a distillation config from a student's and a teacher's."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmkd_ext import recipes
from mmkd_ext.algorithms.teacher_weights import load_teacher
from mmkd_ext.build import model_config
from mmkd_ext.cli.inputs import check_file
from mmkd_ext.cli.options import default_work_dir, read_config
from mmkd_ext.config_walk import is_ours
from mmkd_ext.distributed import rank
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.files import check_writable
from mmkd_ext.old_names import path_today

FOLDER = 'recipe'  # in the work dir, where the Runner writes a flat copy of the config under the same name


def recipe_config(args: argparse.Namespace) -> str:
    """The config to train: with `--distill` one that is written into the work dir, otherwise the given one.

    Args:
        args: Parsed options of `tools/train.py`; with `--distill` the work dir is set.

    Raises:
        ConfigError: See `make_recipe`; also if there is a teacher without a method.
    """
    if not args.distill:
        if args.teacher or args.teacher_ckpt:
            raise ConfigError('--teacher and --teacher-ckpt go with --distill METHOD; a config names its own teacher.')
        return args.config
    stem = f'{Path(args.config).stem}_{args.distill}'
    options = args.cfg_options or {}
    args.work_dir = args.work_dir or options.get('work_dir') or f'{default_work_dir(args.config)}_{args.distill}'
    check_writable('--work-dir', args.work_dir, folder=True)
    return make_recipe(args, Path(args.work_dir) / FOLDER / f'{stem}.py', own=True, options=options)


def make_recipe(
    args: argparse.Namespace, path: Path, own: bool = False, options: Mapping[str, Any] | None = None
) -> str:
    """Inspect student and teacher, choose, write the config, and print what was chosen.

    Args:
        args: Parsed options: the config, and those of `add_recipe`.
        path: The file to write.
        own: Whether its folder is in its run's work dir.
        options: The `--cfg-options` of that run.

    Raises:
        ConfigError: If the options do not go together, the method does not fit, the weights are not the teacher's, or
            the file exists with different content.
    """
    check_options(args)
    options = options or {}
    length = {key: value for key, value in options.items() if key.startswith('train_cfg.')}
    cfg = read_config(args.config, length)  # loss weights depend on the length of the run
    if is_ours(cfg.model) or 'architecture' in cfg.model:
        raise ConfigError(f'--distill: {args.config} distils already; give the config that trains its student alone.')
    for key in options:
        _, _, part = key.partition('model.')
        if key.startswith('model.') and part.split('.')[0] in {*cfg.model} - {'type', 'data_preprocessor', 'init_cfg'}:
            raise ConfigError(
                f'--cfg-options {key}: with --distill, options apply to the distillation config, whose student is '
                f'model.architecture; change the student in {args.config}, from which the compared records are chosen.'
            )
    student_cfg = model_config(args.config, 'CONFIG')
    student = recipes.look(student_cfg, 'student')
    teacher = recipes.look(model_config(args.teacher, '--teacher'), 'teacher') if args.teacher else None
    recipe = recipes.choose(args.distill, student, teacher, cfg)
    if teacher and '://' not in args.teacher_ckpt:  # a wrong file must not get into the config
        strict = options.get('model.teacher_strict', own)  # without a run, it can still be set in the config
        load_teacher(teacher.model, args.teacher_ckpt, strict, '--teacher-ckpt')
    standing = _standing(args.config), _standing(args.teacher), _standing(args.teacher_ckpt)
    names = recipes.Names(args.distill, *standing)
    recipes.write(recipes.recipe_text(recipe, names, student, teacher, cfg, path.stem, own), path)
    if rank() == 0:
        print('\n'.join([*recipes.about(recipe, names, student, teacher), f'config: {path}']))
    return str(path)


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises:
        ConfigError: If there is no such method, or a teacher is missing, unexpected or does not exist.
    """
    method = recipes.METHODS.get(args.distill)
    if method is None:
        raise ConfigError(
            f'--distill {args.distill}: there is no such method; {nearest(args.distill.lower(), recipes.METHODS, 20)}.'
        )
    if not method.teacher and (args.teacher or args.teacher_ckpt):
        raise ConfigError(
            f"--distill {args.distill} has no teacher: the student's deep stages teach its shallow ones; leave out "
            '--teacher and --teacher-ckpt.'
        )
    for option, value in (('--teacher', args.teacher), ('--teacher-ckpt', args.teacher_ckpt)):
        if method.teacher and not value:
            raise ConfigError(f'--distill {args.distill} needs {option}.')
    check_file('--teacher-ckpt', args.teacher_ckpt)


def _standing(source: str | None) -> str:
    """A package path, a URL, or an absolute path, so that it is valid in a config in any folder."""
    if not source:
        return ''
    return str(path_today(source)) if ':' in source else os.path.abspath(os.path.expanduser(source))
