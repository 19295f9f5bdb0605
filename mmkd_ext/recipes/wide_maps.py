"""The recipe of NORM, which puts a transform into the student: as its neck, or after each level of its neck."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmkd_ext.recipes.kinds import DETECTORS, SEGMENTOR
from mmkd_ext.recipes.look import Look, Record
from mmkd_ext.recipes.methods import Use
from mmkd_ext.recipes.recipe import Code, MisfitError, Recipe, described, distiller_of, mapped, needed, weighted_head


def wide_maps(student: Look, teacher: Look, use: Use, cfg: Mapping[str, Any]) -> Recipe:
    """NORM: the wide map of a transform in the student, and the teacher's map."""
    ours = [record for record in needed(student.maps, student, 'student', 'maps', 'maps') if record.fresh]
    theirs = needed(teacher.maps, teacher, 'teacher', 'maps', 'maps')
    if student.kind in DETECTORS:
        return _wide_levels(student, ours, theirs, use)
    s, t = ours[-1], theirs[-1]
    if s.stride != t.stride:
        raise MisfitError(
            f"NORM compares maps of the same size: the student's has stride {s.stride}, the teacher's {t.stride}"
        )
    neck: dict[str, Any] = dict(type='mmkd_ext.NORMNeck', in_channels=s.channels, teacher_channels=t.channels)
    necks = cfg['model'].get('neck') or []
    own = ', '.join(neck['type'] for neck in (necks if isinstance(necks, list) else [necks]))
    architecture: dict[str, Any] = {'*': Code('_base_.model')}
    if student.kind == SEGMENTOR:
        if own:
            raise MisfitError(f"NORM's transform takes the place of a segmentor's neck, and this one has a {own}")
        if s.data_idx not in (None, -1):
            raise MisfitError(
                f"NORM's transform stands behind the last map of a segmentor's backbone, but this one's is item "
                f'{s.data_idx} of what it returns in training'
            )
        architecture['neck'] = dict(neck, with_bn=False, pool=False)
    else:
        if s.source != 'backbone' or own != 'GlobalAveragePooling':
            raise MisfitError(
                "NORM's transform takes the place of the pooling (GlobalAveragePooling) behind a classifier's last "
                f'map, where this one has {own or "no neck"}'
            )
        architecture['neck'] = neck
        architecture['head'] = weighted_head(
            cfg, use.task_weight or 1.0, lambda loss: dict(type='mmkd_ext.LogitNormLoss', scale=2.5, loss=loss)
        )
    ((loss, settings),) = use.losses.items()
    sides = dict(student=dict(from_student=True, recorder='wide'), teacher=mapped(False, 'maps', [t]))
    recorders = [dict(wide=dict(type='ModuleOutputs', source='neck.expand')), dict(maps=t.recorder)]
    return Recipe(
        'mmkd_ext.SingleTeacherDistill',
        distiller_of(recorders, {}, {loss: settings}, {loss: sides}),
        f'{described([s])}, through a transform of 8 segments, with {described([t])}',
        architecture,
    )


def _wide_levels(student: Look, ours: Sequence[Record], theirs: Sequence[Record], use: Use) -> Recipe:
    """The same, after the convolutions of a neck whose outputs are its levels."""
    at = {record.stride: record for record in theirs}
    pairs = [(record, at[record.stride]) for record in ours if record.stride in at]
    widths = {t.channels for _, t in pairs}
    if len(widths) != 1 or any(s.conv is None for s, _ in pairs):
        name = type(getattr(student.model, 'neck', None)).__name__
        raise MisfitError(
            f"NORM's transform stands behind the convolutions that give a neck's levels, which those of {name} are not"
        )
    convs = [str(s.conv).removeprefix('neck.') for s, _ in pairs]
    names = [f'level{i}' for i in range(len(pairs))]
    wide = {
        name: dict(type='ModuleOutputs', source=f'neck.{conv}.transform.expand')
        for name, conv in zip(names, convs, strict=True)
    }
    (teacher_channels,) = widths
    neck = dict(
        type='mmkd_ext.NORMFeatures', neck=Code('_base_.model.neck'), after=convs, teacher_channels=teacher_channels
    )
    ((loss, settings),) = use.losses.items()
    matched = [t for _, t in pairs]
    sides = dict(student=dict(from_student=True, recorder=names), teacher=mapped(False, 'maps', matched))
    return Recipe(
        'mmkd_ext.SingleTeacherDistill',
        distiller_of([wide, dict(maps=matched[0].recorder)], {}, {loss: settings}, {loss: sides}),
        f'{described([s for s, _ in pairs])}, through transforms of 8 segments, with {described(matched)}',
        {'*': Code('_base_.model'), 'neck': neck},
    )
