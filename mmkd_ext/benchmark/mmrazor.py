"""The same networks, losses and connectors in MMRazor's own engine, for comparison."""

import copy
from typing import Any

from mmengine.model import BaseModel
from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope

from mmkd_ext.compat import import_mmrazor
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


def mmrazors(cfg: Any, model: BaseModel) -> BaseModel:
    """A copy of a student and its teacher, with the same weights, in MMRazor's engine.

    Args:
        cfg: The config of `model`. A loss over several levels becomes one loss per level.
        model: The `SingleTeacherDistill` built from it.

    Raises:
        ConfigError: If MMRazor has no equivalent.
    """
    import_mmrazor()
    if cfg.type.split('.')[-1] != 'SingleTeacherDistill':
        raise ConfigError(f'MMRazor has no {cfg.type.split(".")[-1]}')
    taught: Any = model.taught
    teacher = next(iter(taught.values())).teacher.model
    features = all(
        recorder.source.split('.')[0] in ('backbone', 'neck') for recorder in cfg.distiller.teacher_recorders.values()
    )
    # The cheaper of its two algorithms, if it applies: it runs no head of the teacher.
    kind = 'FpnTeacherDistill' if features and getattr(teacher, 'with_neck', False) else 'SingleTeacherDistill'
    try:
        with DefaultScope.overwrite_default_scope('mmrazor'):
            made: BaseModel = ROOT.build(
                dict(
                    type=f'mmrazor.{kind}',
                    architecture=copy.deepcopy(model.student),
                    teacher=copy.deepcopy(teacher),
                    distiller=expanded(cfg.distiller.to_dict()),
                )
            )
    except (AttributeError, KeyError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f'MMRazor does not build it ({type(error).__name__}: {error})') from error
    made.train()  # returns nothing
    return made


def expanded(distiller: dict) -> dict:
    """A distiller in MMRazor's vocabulary, which has no levels: one loss and one connector per level.

    Raises:
        ConfigError: If a loss compares different levels.
    """
    made: dict = dict(type='mmrazor.ConfigurableDistiller', connectors={}, distill_losses={}, loss_forward_mappings={})
    for side in ('student_recorders', 'teacher_recorders'):
        made[side] = {name: dict(cfg) for name, cfg in distiller[side].items()}
    for name, mapping in distiller['loss_forward_mappings'].items():
        levels = {tuple(entry['data_idx']) for entry in mapping.values() if isinstance(entry.get('data_idx'), list)}
        if len(levels) > 1:
            raise ConfigError(f'{name} compares different levels')
        for i in next(iter(levels), (None,)):
            entries = {argument: dict(entry) for argument, entry in mapping.items()}
            for entry in entries.values():
                if isinstance(entry.get('data_idx'), list):
                    entry['data_idx'] = i
                if 'connector' in entry:
                    connector = _scoped(distiller['connectors'][entry['connector']])
                    connector.pop('levels', None)
                    entry['connector'] += '' if i is None else str(i)
                    made['connectors'][entry['connector']] = connector
            level = name if i is None else f'{name}_{i}'
            made['distill_losses'][level] = _scoped(distiller['distill_losses'][name])
            made['loss_forward_mappings'][level] = entries
    return made


def _scoped(cfg: dict) -> dict:
    """A config whose type can be found from MMRazor's scope."""
    return dict(cfg, type=f'mmkd_ext.{cfg["type"]}') if cfg['type'] in MODELS.module_dict else dict(cfg)
