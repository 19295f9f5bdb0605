"""The choice: which records of student and teacher a method compares, through which connectors, in which losses."""

from collections.abc import Mapping
from typing import Any

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes.builders import BY_WANT, between_stages
from mmkd_ext.recipes.kinds import CLASSIFIER, DETECTORS
from mmkd_ext.recipes.look import BY_HAND, Look, is_small
from mmkd_ext.recipes.methods import METHODS, SMALL, Use
from mmkd_ext.recipes.recipe import MisfitError, Recipe, weighted_head

EXAMPLE = 'mmkd_ext::foundation/faster_rcnn_r50_dinov2_vit_b_coco.py'  # student and teacher have different tasks


def choose(method: str, student: Look, teacher: Look | None, cfg: Mapping[str, Any]) -> Recipe:
    """The recipe of a method.

    Args:
        method: One of `METHODS`.
        student: The student's records.
        teacher: The teacher's records; None if the method has no teacher.
        cfg: The student's config, for the length of the run and the settings that must change.

    Raises:
        ConfigError: If the method does not fit; the message lists those that do.
    """
    try:
        return _choose(method, student, teacher, cfg)
    except MisfitError as error:
        others = fitting(student, teacher or student, cfg)
        such = '' if teacher else ' (with a teacher of the same kind, if there is one)'
        what = f'what fits{such}: {", ".join(others)}' if others else f'no other method fits, either; {BY_HAND}'
        raise ConfigError(f'--distill {method}: {error}; {what}.') from None


def fitting(student: Look, teacher: Look, cfg: Mapping[str, Any]) -> list[str]:
    """The methods that fit."""
    found = []
    for name, method in METHODS.items():
        try:
            _choose(name, student, teacher if method.teacher else None, cfg)
        except MisfitError:
            continue
        found.append(name)
    return found


def _choose(name: str, student: Look, teacher: Look | None, cfg: Mapping[str, Any]) -> Recipe:
    method = METHODS[name]
    small = student.kind == CLASSIFIER and (is_small(student.model) or _is_cifar(cfg))
    use = (method.on.get(SMALL) if small else None) or method.on.get(student.kind)
    if use is None:
        raise MisfitError(f'{method.title} needs {method.needs}, which a {student.kind} does not have')
    if teacher is None:
        recipe = between_stages(student, use)
    else:
        task = {kind: 'detector' if kind in DETECTORS else kind for kind in (student.kind, teacher.kind)}
        if task[student.kind] != task[teacher.kind]:
            raise MisfitError(
                f'the teacher is a {teacher.name}, and the student a {student.name}; for such a pair write a config by '
                f'hand, like {EXAMPLE} is'
            )
        recipe = BY_WANT[use.wants](student, teacher, use, cfg)
    if use.task_weight is not None and use.wants != 'wide maps':
        recipe.architecture = {'*': recipe.architecture, 'head': weighted_head(cfg, use.task_weight)}
    recipe.hooks += _schedule(use, cfg)
    if use.clip and not (cfg.get('optim_wrapper') or {}).get('clip_grad'):
        recipe.clip = 35
    return recipe


def _is_cifar(cfg: Mapping[str, Any]) -> bool:
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    return 'CIFAR' in str(dataset.get('type', ''))


def _schedule(use: Use, cfg: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The schedules of the weights: the published epochs, scaled to the length of the run."""
    loop = cfg.get('train_cfg') or {}
    by_epoch = not loop.get('max_iters')
    length = loop.get('max_epochs') if by_epoch else loop['max_iters']
    losses = list(use.losses) if use.wants == 'stages' else list(use.losses)[:1]
    hook: dict[str, Any] = dict(type='mmkd_ext.LossWeightHook', loss=losses if len(losses) > 1 else losses[0])
    if not length:
        return []
    if use.warm_up:
        begin, end, of = use.warm_up
        steps = (end - begin) * length // of
        if steps < 2:
            return []  # the run is too short for it
        hook |= dict(schedule='linear', begin=begin, end=begin + steps)
    elif use.factors:
        factors, milestones, of = use.factors
        scaled = [milestone * length // of for milestone in milestones]
        if sorted({*scaled} - {0}) != scaled:
            return []
        hook |= dict(schedule='table', milestones=scaled, factors=factors)
    else:
        return []
    return [hook if by_epoch else dict(hook, by_epoch=False)]
