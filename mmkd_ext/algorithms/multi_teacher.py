"""Distillation from several frozen teachers."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from mmengine.config import ConfigDict

from mmkd_ext.algorithms.teacher_distill import STUDENT, TeacherDistill
from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.registry import MODELS

TEACHERS_KEY = 'model.teachers'


@MODELS.register_module()
class MultiTeacherDistill(TeacherDistill):
    """A student, a distiller and several frozen teachers.

    The source of a teacher's recorder begins with the name of its teacher; `student.` stands for the student itself,
    which then teaches its own shallower parts (as in `SelfDistill`):

        teachers=dict(
            det=dict(teacher='mmdet::faster_rcnn/faster-rcnn_r101_fpn_2x_coco.py', teacher_ckpt='r101.pth'),
            fm=dict(teacher='mmpretrain::dinov2/vit-base-p14_dinov2-pre_headless.py', teacher_ckpt='dinov2.pth',
                    teacher_size_divisor=14)),
        distiller=dict(
            teacher_recorders=dict(
                fpn=dict(type='ModuleOutputs', source='det.neck'),
                tokens=dict(type='ModuleOutputs', source='fm.backbone')), ...)

    Each teacher has its own weights, pixel normalisation, image size and dtype, runs without gradient, and stops at the
    last of its records that a loss uses.

    Args:
        architecture: The student, see `DistillAlgorithm`.
        teachers: Name to teacher: a dict with `teacher` and any of `teacher_ckpt`, `teacher_strict`, `teacher_pixels`,
            `teacher_fold`, `teacher_dtype`, `teacher_input_size` and `teacher_size_divisor`, see
            `SingleTeacherDistill`, and `sampled_regions`. With `sampled_regions=True` the box heads of a two-stage
            detector look at the regions that the student sampled, see `RoIDistill`.
        distiller: Config of the distiller.
        **kwargs: Further arguments of `DistillAlgorithm`.

    Raises:
        ConfigError: If student, teachers and distiller do not fit together, or a teacher is not used.
    """

    def __init__(self, architecture: Any = None, teachers: Any = None, distiller: Any = None, **kwargs: Any) -> None:
        if not isinstance(teachers, Mapping) or not teachers:
            raise ConfigError(
                f'{TEACHERS_KEY} must be a dict with the name and config of at least one teacher, got {teachers!r}.'
            )
        for name, cfg in teachers.items():
            _check_options(name, cfg)
        distiller, owners = _without_owners(distiller, teachers)
        super().__init__(architecture, distiller, **kwargs)
        self._teach({f'{TEACHERS_KEY}.{name}': dict(cfg) for name, cfg in teachers.items()}, owners)
        for taught in self.taught.values():
            if not self._needed(taught):
                raise ConfigError(f'{taught.key} is used by no loss; remove it, or map one of its records.')


_OPTIONS = sorted({*signature(TeacherDistill._build_teacher).parameters} - {'self', 'key', 'recorders', 'initial'})


def _check_options(name: str, cfg: Any) -> None:
    """Refuse a teacher's entry that is malformed or has unknown keys."""
    key = f'{TEACHERS_KEY}.{name}'
    if name == STUDENT or not str(name).isidentifier():
        raise ConfigError(
            f'{key}: {name!r} cannot be the name of a teacher; use a word without dots other than `student`.'
        )
    if not isinstance(cfg, Mapping) or 'teacher' not in cfg:
        raise ConfigError(f'{key} must be a dict with `teacher`, got {cfg!r}.')
    for option in cfg:
        if option not in _OPTIONS:
            raise ConfigError(f'{key}.{option} is unknown; {nearest(str(option), _OPTIONS)}.')


def _without_owners(distiller: Any, teachers: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """A distiller's config without teachers' names in its sources, and the key of each recorder's teacher."""
    if not isinstance(distiller, Mapping):
        raise ConfigError(f'{DISTILLER_KEY} must be a dict with the key `type`, got {distiller!r}.')
    owners, recorders = {}, {}
    for name, cfg in (distiller.get('teacher_recorders') or {}).items():
        source = cfg.get('source') if isinstance(cfg, Mapping) else None
        owner, _, rest = str(source).partition('.')
        if owner not in (*teachers, STUDENT):
            known = ', '.join(f'`{teacher}.`' for teacher in (*teachers, STUDENT))
            raise ConfigError(
                f'{DISTILLER_KEY}.teacher_recorders.{name}.source={source!r} must begin with the name of a teacher '
                f'({known}).'
            )
        owners[name] = STUDENT if owner == STUDENT else f'{TEACHERS_KEY}.{owner}'
        recorders[name] = ConfigDict(cfg, source=rest)
    return ConfigDict(distiller, teacher_recorders=recorders), owners
