"""Write a recipe as a config file that can be read, changed and run by itself."""

import textwrap
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from mmkd_ext.build import merge_pixels
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import write_whole
from mmkd_ext.recipes.look import Look
from mmkd_ext.recipes.methods import METHODS
from mmkd_ext.recipes.recipe import Code, Recipe

WIDTH = 120


class Names(NamedTuple):
    """The names that the user gave; files by absolute paths, so that the written file may be in any folder."""

    method: str
    student: str
    teacher: str = ''
    checkpoint: str = ''


def written(value: Any, indent: int = 0, room: int = WIDTH) -> str:
    """A value as Python code, on one line if it fits.

    Args:
        value: Value in a config. The key `*` of a dict stands for another dict that the other keys are added to.
        indent: Indentation of the line that it begins on.
        room: Number of characters left on that line.

    Examples:
        >>> from mmkd_ext.recipes.recipe import Code
        >>> written({'*': Code('_base_.model'), 'neck': dict(type='FPN', outs=[1, 2])})
        "dict(_base_.model, neck=dict(type='FPN', outs=[1, 2]))"
    """
    if not isinstance(value, Mapping):
        return repr(value)
    begins = {key: '' if key == '*' else f'{key}=' for key in value}
    line = f'dict({", ".join(begins[key] + written(part, 0, 10**6) for key, part in value.items())})'
    if len(line) <= room:
        return line
    inner = ' ' * (indent + 4)
    parts = [
        f'{inner}{begins[key]}{written(part, indent + 4, WIDTH - indent - 5 - len(begins[key]))},'
        for key, part in value.items()
    ]
    return '\n'.join(['dict(', *parts, f'{" " * indent})'])


def about(recipe: Recipe, names: Names, student: Look, teacher: Look | None) -> list[str]:
    """A summary of the choice in a few lines."""
    method = METHODS[names.method]
    losses = [f'{name} = {written(loss)}' for name, loss in recipe.distiller['distill_losses'].items()]
    lines = [f'{method.title}: the student {method.about}', f'student: {_short(names.student)}, a {student.name}']
    if teacher:
        lines.append(f'teacher: {_short(names.teacher)}, a {teacher.name}')
    lines += [f'compared: {recipe.compared}', f'losses: {", ".join(losses)}']
    if recipe.inherit:
        lines.append(f"the student starts with the teacher's {' and '.join(recipe.inherit)}")
    if recipe.hooks:
        settings = [{key: value for key, value in hook.items() if key != 'type'} for hook in recipe.hooks]
        lines.append(f'weights in the run: {", ".join(map(written, settings))}')
    if recipe.clip:
        lines.append(
            f'gradients: clipped at norm {recipe.clip}; for a fair comparison, clip those of the student alone, too'
        )
    if recipe.class_means:
        lines.append('class means: from the training set, made before the first step')
    return lines


def _short(source: str) -> str:
    return source if '::' in source else Path(source).name


def recipe_text(
    recipe: Recipe, names: Names, student: Look, teacher: Look | None, cfg: Mapping[str, Any], stem: str, own: bool
) -> str:
    """The config file.

    Args:
        recipe: The recipe.
        names: The names that the user gave.
        student: The student's records.
        teacher: The teacher's records.
        cfg: The student's config.
        stem: Stem of the file's name.
        own: Whether the file is in a folder of its run's work dir.
    """
    distiller = dict(recipe.distiller)
    if recipe.class_means:
        means = '{{fileDirname}}/' + f'{stem}_means.safetensors'
        distiller['distill_losses'] = {
            name: {'type': loss['type'], 'class_means': means, **loss} if name in recipe.class_means else loss
            for name, loss in distiller['distill_losses'].items()
        }
    model: dict[str, Any] = dict(_delete_=True, type=recipe.algorithm, architecture=recipe.architecture)
    if teacher:
        model |= dict(teacher=names.teacher, teacher_ckpt=names.checkpoint)
    own_pixels, beside = cfg['model'].get('data_preprocessor'), cfg.get('data_preprocessor')
    if own_pixels and beside and merge_pixels(own_pixels, beside) != own_pixels:  # or the other one would win
        model['data_preprocessor'] = Code('_base_.model.data_preprocessor')
    if recipe.inherit:
        model['inherit'] = recipe.inherit
    model['distiller'] = distiller
    imports = (cfg.get('custom_imports') or {}).get('imports') or []
    imports = [imports] if isinstance(imports, str) else list(imports)
    fields: dict[str, Any] = {'model': model}
    if recipe.clip:
        clip = dict(max_norm=recipe.clip, norm_type=2)
        none = 'clip_grad' in (cfg.get('optim_wrapper') or {})  # a dict cannot be merged with None
        fields['optim_wrapper'] = dict(clip_grad=dict(_delete_=True, **clip) if none else clip)
    said = [part for line in about(recipe, names, student, teacher) for part in textwrap.wrap(line, WIDTH - 2)]
    lines = [f'# {line}' for line in said]
    lines += [f'_base_ = {names.student!r}', '']
    lines += [f'{name} = {written(value, 0, WIDTH - len(name) - 3)}' for name, value in fields.items()]
    if recipe.hooks:
        before = ['*_base_.custom_hooks'] if cfg.get('custom_hooks') else []
        hooks = [*before, *(written(hook, 4, WIDTH - 5) for hook in recipe.hooks)]
        lines += ['custom_hooks = [', *(f'    {hook},' for hook in hooks), ']']
    if recipe.class_means:
        lines.append('make_class_means = True')
    lines.append(f'custom_imports = {written(dict(imports=[*dict.fromkeys([*imports, "mmkd_ext"])]))}')
    if own:
        lines.append("work_dir = '{{fileDirname}}/..'")
    return '\n'.join(lines) + '\n'


def _said(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith('#')]


def write(text: str, path: Path) -> None:
    """Write a file, unless it exists and differs only in comments; several processes may do so.

    Raises:
        ConfigError: If it exists with different text, which may be someone's work.
    """
    if path.is_file():
        there, asked = _said(path.read_text(encoding='utf-8')), _said(text)
        if there == asked:
            return
        old, new = next(pair for pair in zip_longest(there, asked, fillvalue='nothing more') if pair[0] != pair[1])
        raise ConfigError(
            f'{path} exists with different content: it has `{old.strip()}` instead of `{new.strip()}`; remove it, '
            f'choose another place, or train it as it is (python -m mmkd_ext train {path}).'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
