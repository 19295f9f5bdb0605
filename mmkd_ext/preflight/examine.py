"""Examine a config with its own models and data before it trains: nothing is written and no weight changes."""

import copy
import time
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner, load_checkpoint, set_random_seed

from mmkd_ext.algorithms.pixels import describe
from mmkd_ext.checks import check_batch_size, check_model
from mmkd_ext.config_walk import our_type
from mmkd_ext.distillers.classes import class_names, other_count
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.data import dataset_config
from mmkd_ext.preflight.cost import measure
from mmkd_ext.preflight.report import Report
from mmkd_ext.preflight.step import look
from mmkd_ext.preflight.teacher import one_process, score, teachers_of


def examine(cfg: Config, batches: int = 2, share: float = 0.5, images: int = 32) -> Report:
    """Build the models of a config, and examine them on some of its data.

    Args:
        cfg: Config of a distillation or of a model alone, completed as for training; it is not changed.
        batches: Number of training batches.
        share: A suggested `loss_weight` makes a loss's gradient this fraction of the task's.
        images: Number of validation images on which the teacher is evaluated; 0 for none.

    Raises:
        ConfigError: If there is no training set, the teacher does not run, a model cannot be built, or its classes are
            not those of the data.
    """
    if batches < 1 or share <= 0 or images < 0:
        raise ConfigError(f'--batches {batches}, --share {share} and --val-images {images} must be positive.')
    if isinstance(cfg.get('model'), dict) and cfg.model.get('teacher_outputs'):
        raise ConfigError('model.teacher_outputs: a preflight examines the teacher itself; leave it out.')
    dataset_config(cfg, 'train')
    cfg = copy.deepcopy(cfg)
    if not MMLogger.check_instance_created('preflight'):
        MMLogger.get_instance('preflight', log_level='WARNING')  # hides the pages about initialisation
    hub = MessageHub.get_instance('preflight')
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    set_random_seed(seed)
    model, notes = _build(cfg)
    loader = Runner.build_dataloader(one_process(cfg.train_dataloader), seed=seed)
    hub.update_info('dataset_meta', getattr(loader.dataset, 'metainfo', None))
    model.train()
    if not len(loader):
        raise ConfigError(
            'train_dataloader gives no batch; look at the size of its data set, batch_size and drop_last.'
        )
    start, data, fetches = time.perf_counter(), [], iter(loader)
    for _ in range(min(batches, len(loader))):
        data.append(next(fetches))
    load = (time.perf_counter() - start) / len(data)
    count = f'{len(data)} batch{"es" if len(data) > 1 else ""}'
    size = cfg.train_dataloader.get('batch_size', 1)
    report = Report(f'{cfg.filename}: {count} of {size} images, on {get_device()}')
    report.settings |= _settings(model, cfg)
    report.warnings += notes
    look(model, copy.deepcopy(data), report, _scheduled(cfg), share)
    key, student = ('model.architecture', model.student) if hasattr(model, 'student') else ('model', model)
    other = other_count(class_names(getattr(loader.dataset, 'metainfo', None)), student, key)
    if other:
        report.warnings.append(other)
    for who, teacher in teachers_of(model).items() if images else ():
        reached = score(who, teacher, cfg, images)
        report.scores.append(reached)
        if reached.fails and reached.name:
            report.errors.append(
                f'the {who} is no better than chance ({reached.name} {reached.metrics[reached.name]:.3g} on '
                f'{reached.images} images): its weights, its pixel normalisation or the order of its classes does not '
                'fit the data.'
            )
    if not report.errors:
        report.cost = measure(model.train(), cfg, data, load, len(loader))
    return report


def _build(cfg: Config) -> tuple[Any, list[str]]:
    """The model as it is in the Runner when training begins, and what is said of it then."""
    if cfg.get('data_preprocessor') is not None:
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model: Any = revert_sync_batchnorm(MODELS.build(cfg.model)).to(get_device())
    model.init_weights()
    notes = list(check_model(model, cfg, None if cfg.get('resume') else cfg.get('load_from')))
    if cfg.get('load_from'):
        load_checkpoint(model, cfg.load_from, map_location='cpu')
    return model, notes


def _scheduled(cfg: Config) -> set[str]:
    """The names of the losses that a `LossWeightHook` multiplies."""
    found: set[str] = set()
    for hook in cfg.get('custom_hooks') or []:
        if isinstance(hook, dict) and our_type(hook) == 'LossWeightHook':
            names = hook['loss']
            found |= {names} if isinstance(names, str) else set(names)
    return found


def _settings(model: Any, cfg: Config) -> dict[str, str]:
    """The pixel normalisation of both sides, and the learning rate with the batch size that it is meant for."""
    lines = {'pixels': f'student: {describe(model.data_preprocessor)}'}
    for who, teacher in teachers_of(model).items():
        own = 'the same' if teacher.pixels.identity else describe(teacher.model.data_preprocessor)
        lines['pixels'] += f'; {who}: {own}{", resized" if teacher.pixels.resizes else ""}'
    optim = cfg.get('optim_wrapper') or {}
    rule = optim.get('optimizer') or {}
    auto = cfg.get('auto_scale_lr') or {}
    size = cfg.train_dataloader.get('batch_size', 1) * optim.get('accumulative_counts', 1)
    base = auto.get('base_batch_size')
    of = f'{size} images per update in one process; no auto_scale_lr says how many it is meant for'
    if base:
        how = 'scaled from' if auto.get('enable') else 'meant for'
        of = next(check_batch_size(cfg), f'{size} images per update in one process, {how} {base:g}')
    lines['learning rate'] = f'{rule.get("type", "?")}, {rule.get("lr", "?")}: {of}'
    return lines
