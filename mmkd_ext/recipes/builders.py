"""The builders of recipes, one for each value of `Use.wants`: records, connectors and losses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmkd_ext.recipes.kinds import CLASSIFIER, DETECTORS, TWO_STAGE
from mmkd_ext.recipes.look import Look, Record
from mmkd_ext.recipes.methods import Use
from mmkd_ext.recipes.recipe import (
    MisfitError,
    Recipe,
    connectors_of,
    described,
    distiller_of,
    mapped,
    needed,
)
from mmkd_ext.recipes.wide_maps import wide_maps

# The argument names of losses and connectors that differ from those of `NDLoss` and `Conv1x1Connector`.
_ARGUMENTS = {
    'mmrazor.ChannelWiseDivergence': ('preds_S', 'preds_T'),
    'mmrazor.PKDLoss': ('preds_S', 'preds_T'),
    'mmrazor.MGDLoss': ('preds_S', 'preds_T'),
    'mmrazor.L2Loss': ('s_feature', 't_feature'),
}


def _more_stages(look: Look) -> str:
    """For a message: the setting that makes a backbone return more of its stages, if there is one."""
    backbone = getattr(look.model, 'backbone', None)
    given = getattr(backbone, 'out_indices', None)
    if given is None:
        return ''
    return f' (its backbone.out_indices is {given}; name more stages there)'


def _maps(student: Look, teacher: Look, use: Use, cfg: Mapping[str, Any]) -> Recipe:
    """The levels of necks, paired by their strides, or the last maps of backbones."""
    ours = needed(student.maps, student, 'student', 'maps', 'maps')
    theirs = needed(teacher.maps, teacher, 'teacher', 'maps', 'maps')
    if use.wants == 'levels':
        ours = [record for record in ours if record.fresh]
    if student.kind not in DETECTORS:
        pairs = [(ours[-1], theirs[-1])]
    else:
        at = {record.stride: record for record in theirs}
        pairs = [(record, at[record.stride]) for record in ours if record.stride in at]
        if not pairs:
            strides = [', '.join(str(record.stride) for record in records) for records in (ours, theirs)]
            raise MisfitError(f"the student's levels have strides {strides[0]}, the teacher's {strides[1]}")
    return _compare(pairs, use, _inherited(student, teacher) if use.inherits else [])


def _pixels(student: Look, teacher: Look, use: Use, cfg: Mapping[str, Any]) -> Recipe:
    """The class logits at a segmentor's positions."""
    ours = needed(student.pixels, student, 'student', 'logits of positions', 'pixels')
    theirs = needed(teacher.pixels, teacher, 'teacher', 'logits of positions', 'pixels')
    _check_classes(ours[0], theirs[0])
    if ours[0].stride != theirs[0].stride and 'mmrazor.PKDLoss' not in [loss['type'] for loss in use.losses.values()]:
        raise MisfitError(f"the student's logits have stride {ours[0].stride}, the teacher's {theirs[0].stride}")
    return _compare([(ours[0], theirs[0])], use, [], 'logits')


def _compare(pairs: Sequence[tuple[Record, Record]], use: Use, inherit: list[str], name: str = 'maps') -> Recipe:
    """Compare maps pairwise, through a connector if one is needed."""
    ours, theirs = [s for s, _ in pairs], [t for _, t in pairs]
    ((loss, settings),) = use.losses.items()
    settings = dict(settings)
    widths = [(s.channels, t.channels) for s, t in pairs]
    scale = ours[0].stride / theirs[0].stride
    connector = dict(use.connector or {}) if use.always or any(a != b for a, b in widths) else {}
    if connector.get('type') == 'ABFConnector':
        connector |= dict(in_channels=[a for a, _ in widths], out_channels=[b for _, b in widths])
        connectors = dict(abf=connector)
    else:
        if scale != 1 and settings['type'] == 'CWTLoss':
            settings['resize'] = 'bilinear' if scale > 1 else 'area'
        elif scale != 1 and connector.get('type') == 'Conv1x1Connector':
            connector['scale'] = scale
        elif scale != 1 and settings['type'] != 'mmrazor.PKDLoss':
            raise MisfitError(
                f"the student's map has stride {ours[0].stride}, the teacher's {theirs[0].stride}; only cwt and "
                'fitnet resize maps'
            )
        connectors = connectors_of(name, connector, widths) if connector else {}
    student, teacher = _ARGUMENTS.get(settings['type'], ('student', 'teacher'))
    mapping = {
        student: mapped(True, name, ours, [*connectors]),
        teacher: mapped(False, name, theirs),
    }
    through = f', through {connector["type"].removeprefix("mmrazor.")} {_widths(widths)}' if connector else ''
    return Recipe(
        'mmkd_ext.SingleTeacherDistill',
        distiller_of(
            [{name: ours[0].recorder}, {name: theirs[0].recorder}], connectors, {loss: settings}, {loss: mapping}
        ),
        f'{described(ours)} with {described(theirs)}{through}',
        inherit=inherit,
    )


def _inherited(student: Look, teacher: Look) -> list[str]:
    """The parts that the student can start with a copy of."""
    parts = ['neck', 'bbox_head']
    if any(getattr(look.model, part, None) is None for look in (student, teacher) for part in parts):
        return []
    shapes = [
        {
            name: value.shape
            for part in parts
            for name, value in getattr(look.model, part).state_dict(prefix=part).items()
        }
        for look in (student, teacher)
    ]
    return parts if shapes[0] == shapes[1] else []


def _scores(student: Look, teacher: Look, use: Use, cfg: Mapping[str, Any]) -> Recipe:
    """The sigmoid logits of all levels of dense heads, in one loss."""
    ours = needed(student.scores, student, 'student', 'class logits of levels', 'scores')
    theirs = needed(teacher.scores, teacher, 'teacher', 'class logits of levels', 'scores')
    classes = [look.model.bbox_head.num_classes for look in (student, teacher)]
    if classes[0] != classes[1]:
        raise MisfitError(f'the student has {classes[0]} classes, the teacher {classes[1]}')
    forms = [[(record.stride, record.channels) for record in records] for records in (ours, theirs)]
    if forms[0] != forms[1]:
        raise MisfitError(
            f'class logits are from different levels or anchors: {described(ours)}, and {described(theirs)}'
        )
    ((loss, settings),) = use.losses.items()
    sides = dict(
        student=dict(from_student=True, recorder='head', data_idx=0),
        teacher=dict(from_student=False, recorder='head', data_idx=0),
    )
    recorders = [dict(head=records[0].recorder) for records in (ours, theirs)]
    losses = {loss: {'type': settings['type'], 'num_classes': classes[0], **settings}}
    return Recipe(
        'mmkd_ext.SingleTeacherDistill',
        distiller_of(recorders, {}, losses, {loss: sides}),
        f'{described(ours)}: sigmoid logits of {classes[0]} classes',
    )


def _check_classes(ours: Record, theirs: Record) -> None:
    if ours.channels != theirs.channels:
        raise MisfitError(
            f'it compares class by class: the student has {ours.channels} logits, the teacher {theirs.channels}'
        )


def _logits(student: Look, teacher: Look, use: Use, cfg: Mapping[str, Any]) -> Recipe:
    """Class logits of images, or of the regions that the student samples; a cascade's stages are compared pairwise."""
    if student.kind != teacher.kind:
        raise MisfitError(
            f'class logits can only be compared between models of the same kind, not between a {student.name} and a '
            f'{teacher.name}'
        )
    ours = needed(student.logits, student, 'student', 'class logits of a softmax', 'logits')
    theirs = needed(teacher.logits, teacher, 'teacher', 'class logits of a softmax', 'logits')
    theirs = [theirs[min(i, len(theirs) - 1)] for i in range(len(ours))]
    for s, t in zip(ours, theirs, strict=True):
        _check_classes(s, t)
    names = ['logits'] if len(ours) == 1 else [f'logits{i}' for i in range(len(ours))]
    recorders = [
        {name: record.recorder for name, record in zip(names, records, strict=True)} for records in (ours, theirs)
    ]
    listed: Any = names[0] if len(names) == 1 else names
    sides = dict(student=dict(from_student=True, recorder=listed), teacher=dict(from_student=False, recorder=listed))
    loss, settings = next(iter(use.losses.items()))
    labels = [name.replace('logits', 'labels') for name in names]
    entry = dict(from_student=True, recorder=labels[0] if len(labels) == 1 else labels, data_idx=1)
    if settings['type'] == 'DKDLoss':
        pixels = getattr(student.model, 'data_preprocessor', None)
        if student.kind == CLASSIFIER and getattr(pixels, 'batch_augments', None):
            raise MisfitError("it needs one class per image, but the student's train_cfg.augments mix images")
        recorders[0] |= {name: record.recorder for name, record in zip(labels, student.labels, strict=True)}
        sides['labels'] = entry
    connectors: dict[str, dict] = {}
    losses, mappings = {loss: settings}, {loss: sides}
    algorithm = 'mmkd_ext.RoIDistill' if student.kind == TWO_STAGE else 'mmkd_ext.SingleTeacherDistill'
    recipe = Recipe(algorithm, {}, f'{described(ours)} with {described(theirs)}')
    if use.wants == 'embedding':
        if len(names) > 1:
            raise MisfitError('each stage of a cascade would need its own class means')
        s, t = student.embedding[0], teacher.embedding[0]
        recorders[0] |= dict(embedding=s.recorder, labels=student.labels[0].recorder)
        recorders[1] |= dict(embedding=t.recorder)
        mappings['loss_nd'] = dict(
            student=dict(from_student=True, recorder='embedding', data_idx=0),
            teacher=dict(from_student=False, recorder='embedding', data_idx=0),
            labels=entry,
        )
        losses['loss_nd'] = use.losses['loss_nd']
        recipe.class_means = ['loss_nd']
        if s.channels != t.channels:
            connectors = connectors_of('embedding', dict(use.connector or {}), [(s.channels, t.channels)])
            mappings['loss_nd']['student']['connector'] = 'embedding'
        recipe.compared += f', and the embeddings ({s.channels} and {t.channels}) that go into them'
    recipe.distiller = distiller_of(recorders, connectors, losses, mappings)
    return recipe


def _fused(student: Look, teacher: Look, use: Use, cfg: Mapping[str, Any]) -> Recipe:
    """The stages of classifiers, paired by their strides, with the embeddings as another level."""
    at = {record.stride: record for record in teacher.stages}
    pairs = [(record, at[record.stride]) for record in student.stages if record.stride in at]
    if len(pairs) < 2:
        raise MisfitError(
            'student and teacher do not have two stages with the same strides whose outputs are '
            f'maps{_more_stages(student) or _more_stages(teacher)}'
        )
    named = [(f'stage{i}', *pair) for i, pair in enumerate(pairs, start=1)]
    if student.embedding and teacher.embedding:
        named.append(('embedding', student.embedding[0], teacher.embedding[0]))
    names, ours, theirs = [name for name, _, _ in named], [s for _, s, _ in named], [t for _, _, t in named]
    ((loss, settings),) = use.losses.items()
    abf = dict(type='ABFConnector', in_channels=[r.channels for r in ours], out_channels=[r.channels for r in theirs])
    sides = dict(student=mapped(True, names, ours, ['abf']), teacher=mapped(False, names, theirs))
    recorders = [
        {name: record.recorder for name, record in zip(names, records, strict=True)} for records in (ours, theirs)
    ]
    return Recipe(
        'mmkd_ext.SingleTeacherDistill',
        distiller_of(recorders, dict(abf=abf), {loss: settings}, {loss: sides}),
        f'{described(ours)} with {described(theirs)}, fused by ABF',
    )


def between_stages(student: Look, use: Use) -> Recipe:
    """TFD: the trained stages of the student's own backbone."""
    stages = [record for record in student.stages if record.trains]
    if len(stages) < 2:
        raise MisfitError(
            f'it compares trained stages of the student, but its {type(student.model.backbone).__name__} returns '
            f'{len(stages)} of them as maps{_more_stages(student)}'
        )
    if len({record.source for record in stages}) == 1:
        recorders, features = dict(stages=stages[0].recorder), mapped(True, 'stages', stages)
    else:
        names = [f'stage{i}' for i in range(1, len(stages) + 1)]
        recorders = {name: record.recorder for name, record in zip(names, stages, strict=True)}
        features = mapped(True, names, stages)
    mappings = {loss: dict(features=dict(features)) for loss in use.losses}
    return Recipe(
        'mmkd_ext.SelfDistill', distiller_of([recorders, {}], {}, dict(use.losses), mappings), f'{described(stages)}'
    )


def _widths(widths: Sequence[tuple[int, int]]) -> str:
    return ', '.join(f'{a} to {b}' for a, b in dict.fromkeys(widths))


BY_WANT: dict[str, Callable[[Look, Look, Use, Mapping[str, Any]], Recipe]] = {
    'levels': _maps,
    'all levels': _maps,
    'pixels': _pixels,
    'scores': _scores,
    'logits': _logits,
    'embedding': _logits,
    'fused stages': _fused,
    'wide maps': wide_maps,
}
