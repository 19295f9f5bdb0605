"""Report settings and weights that would have no effect, before the first step."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import METRICS, OPTIMIZERS, DefaultScope

from mmkd_ext.build import merge_pixels, registered
from mmkd_ext.checkpoints import load_checkpoint_file, weights_of
from mmkd_ext.config_walk import types_in
from mmkd_ext.distributed import process_count, unwrapped
from mmkd_ext.errors import ConfigError, nearest

# Hooks that act only in one epoch, and the argument that names the epoch.
_OF_AN_EPOCH = {'StopDistillHook': 'stop_epoch', 'PipelineSwitchHook': 'switch_epoch', 'YOLOXModeSwitchHook': None}

# Transforms that scale or shift pixels; torchvision's last two divide by 255.
_NORMALISING = ('Normalize', 'torchvision/Normalize', 'torchvision/ConvertImageDtype', 'torchvision/ToTensor')


def check_complete(cfg: Config) -> None:
    """Check the settings that mmengine's Runner needs together, and the type of the optimiser.

    Raises:
        ConfigError: If one is missing, or there is no such optimiser.
    """
    for keys in (
        ('train_dataloader', 'train_cfg', 'optim_wrapper'),
        ('val_dataloader', 'val_cfg', 'val_evaluator'),
        ('test_dataloader', 'test_cfg', 'test_evaluator'),
    ):
        given = [key for key in keys if cfg.get(key) is not None]
        if len(given) < 3 and (given or keys[0] == 'train_dataloader'):
            lacking = ' and '.join(key for key in keys if key not in given)
            also = '' if keys[0] == 'train_dataloader' else f'; set them, or all of {", ".join(keys)} to None'
            raise ConfigError(f'{lacking} must be set{" beside " + " and ".join(given) if given else ""}{also}.')
    if not isinstance(cfg.get('custom_hooks') or [], (list, tuple)):
        raise ConfigError('custom_hooks must be a list of dicts with `type`.')
    optimizer = cfg.optim_wrapper.get('optimizer') or {} if isinstance(cfg.optim_wrapper, dict) else {}
    kind, scope = optimizer.get('type'), cfg.get('default_scope')
    if isinstance(kind, str):
        with DefaultScope.overwrite_default_scope(scope), OPTIMIZERS.switch_scope_and_registry(scope) as registry:
            if registry.get(kind) is None:
                near = nearest(kind, registered(registry))
                raise ConfigError(f'optim_wrapper.optimizer.type={kind!r} is not registered; {near}.')


def check_effects(cfg: Config) -> Iterator[str]:
    """Look for settings that would have no effect; yields one sentence for each that may be intended.

    Raises:
        ConfigError: For the first that cannot be intended.
    """
    loop = cfg.get('train_cfg') or {}
    iterations = str(loop.get('type', '')).endswith('IterBasedTrainLoop') or loop.get('by_epoch') is False
    last = loop.get('max_iters' if iterations else 'max_epochs') or float('inf')
    yield from _schedulers(cfg, iterations, last)
    yield from _hooks(cfg, iterations, last)
    yield from _pixels(cfg)
    saves = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    best = saves.get('save_best')
    if best and (cfg.get('val_cfg') is None or loop.get('val_begin', 1) > last):
        raise ConfigError(
            f'default_hooks.checkpoint.save_best={best!r}, but nothing is evaluated while training '
            '(val_cfg, train_cfg.val_begin); leave it out.'
        )
    _check_best([best] if isinstance(best, str) else best or [], cfg)
    if iterations and saves.get('by_epoch', True) and saves.get('interval', 1) > 0:
        yield (
            'default_hooks.checkpoint counts epochs, but train_cfg counts iterations, so the only checkpoint is at '
            'the end; set by_epoch=False and give the interval in iterations.'
        )


def _check_best(keys: list[str], cfg: Config) -> None:
    """Refuse a metric whose prefix no evaluator has; mmengine looks for it only after the first epoch."""
    evaluators = cfg.get('val_evaluator') or []
    prefixes = set()
    for evaluator in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
        scope = cfg.get('default_scope')
        with DefaultScope.overwrite_default_scope(scope), METRICS.switch_scope_and_registry(scope) as registry:
            kind = registry.get(evaluator.get('type', '')) if isinstance(evaluator, dict) else None
        if kind is None:
            return
        prefixes.add(evaluator.get('prefix') or kind.default_prefix)
    for key in keys:
        if prefixes and key != 'auto' and (key.rpartition('/')[0] or None) not in prefixes:
            known = ' or '.join(f"'{prefix}/...'" if prefix else 'without a prefix' for prefix in prefixes)
            raise ConfigError(f'default_hooks.checkpoint.save_best={key!r}: the metrics of val_evaluator are {known}.')


def _schedulers(cfg: Config, iterations: bool, last: float) -> Iterator[str]:
    schedulers = cfg.get('param_scheduler') or []
    scaled = (cfg.get('auto_scale_lr') or {}).get('enable')
    for i, scheduler in enumerate(schedulers if isinstance(schedulers, (list, tuple)) else [schedulers]):
        if not isinstance(scheduler, dict) or 'type' not in scheduler:
            continue
        key, kind, by_epoch = f'param_scheduler[{i}]', str(scheduler['type']), scheduler.get('by_epoch', True)
        if iterations and by_epoch and 'ReduceOn' not in kind:
            raise ConfigError(
                f'{key}: {kind} counts epochs, but train_cfg counts iterations, so it would never act; set '
                'by_epoch=False and give its numbers in iterations.'
            )
        if scaled and 'OneCycle' in kind:
            raise ConfigError(f'{key}: {kind} sets the learning rate itself, so auto_scale_lr has no effect.')
        begin = min(scheduler.get('milestones') or [scheduler.get('begin', 0)])
        if by_epoch != iterations and begin >= last:
            yield f'{key}: {kind} begins at {begin}, but the run ends at {last}.'


def _hooks(cfg: Config, iterations: bool, last: float) -> Iterator[str]:
    for i, hook in enumerate(cfg.get('custom_hooks') or []):
        kind = str(hook.get('type', '')).split('.')[-1] if isinstance(hook, dict) else ''
        if kind in _OF_AN_EPOCH and iterations:
            raise ConfigError(
                f'custom_hooks[{i}]: {kind} waits for an epoch, but train_cfg counts iterations, so it never acts; '
                'leave it out, or train by epochs.'
            )
        argument = _OF_AN_EPOCH.get(kind)
        if argument and hook.get(argument, 0) >= last:
            yield f'custom_hooks[{i}]: {kind} waits for epoch {hook[argument]}, but the run ends at {last}.'


def _pixels(cfg: Config) -> Iterator[str]:
    model, beside = cfg.get('model') or {}, cfg.get('data_preprocessor')
    student = model.get('architecture')
    own = student.get('data_preprocessor') if isinstance(student, dict) else None
    if own and beside and not model.get('data_preprocessor'):
        merged = merge_pixels(own, beside)
        lost = [key for key, value in own.items() if key != '_scope_' and merged.get(key) != value]
        if lost:
            yield (
                f"data_preprocessor, next to the model, replaces the student's {', '.join(lost)}; to keep them, "
                'give model.data_preprocessor=_base_.model.data_preprocessor.'
            )


def check_batch_size(cfg: Config) -> Iterator[str]:
    """Yield a sentence if the learning rate is meant for another batch size."""
    expected = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    size = (cfg.get('train_dataloader') or {}).get('batch_size')
    processes = process_count(cfg)
    waits = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    scaled = (cfg.get('auto_scale_lr') or {}).get('enable', False)
    if expected and isinstance(size, int) and size and not scaled and size * processes * waits != expected:
        step = size * waits
        of = f'{processes} x {size}' + (f' x {waits} (accumulative_counts)' if waits > 1 else '')
        yield (
            f'{of} images per step, but the learning rate is meant for {expected}: '
            'use --auto-scale-lr' + (f', or {expected // step} processes.' if expected >= step else '.')
        )


def check_runner(runner: Any) -> Iterator[str]:
    """Look for settings that have no effect on the model; yields one sentence for each that may be intended.

    Raises:
        ConfigError: See `check_model`.
    """
    yield from check_model(unwrapped(runner), runner.cfg, None if runner._resume else runner._load_from)
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            yield from _average(hook.ema_cfg, runner.max_iters)


def check_model(model: Any, cfg: Mapping[str, Any], load_from: str | None = None) -> Iterator[str]:
    """Look for settings that have no effect on a model that was built; yields one sentence for each.

    Args:
        model: The model.
        cfg: Config of the run.
        load_from: A checkpoint that the run starts from.

    Raises:
        ConfigError: If no weight of that file fits the model, or the pipeline normalises images that are to be
            converted to a teacher's pixels.
    """
    _check_teachers_pixels(model, (cfg.get('train_dataloader') or {}).get('dataset'))
    names = [name for name, _ in model.named_parameters()]
    for key in ((cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}).get('custom_keys') or {}:
        if not any(key in name for name in names):
            yield f'optim_wrapper.paramwise_cfg.custom_keys: no parameter has {key!r} in its name.'
    if load_from:
        yield from _load_from(model, load_from)


def _check_teachers_pixels(model: Any, dataset: Any) -> None:
    """Refuse images that the pipeline normalises, if a teacher's are converted from the student's."""
    found = next((name for name in types_in(dataset) if name in _NORMALISING), None)
    for taught in getattr(model, 'taught', {}).values():
        if found and not taught.teacher.pixels.identity:
            raise ConfigError(
                f"train_dataloader.dataset.pipeline: {found} changes pixels in front of the student's "
                "data_preprocessor, from which the teacher's pixels are computed; normalise in "
                f"data_preprocessor alone, or set {taught.key}.teacher_pixels='student'."
            )


def _average(ema: Mapping[str, Any], steps: int) -> Iterator[str]:
    momentum = ema.get('momentum', 0.0002) if ema['type'] == 'ExponentialMovingAverage' else 1.0  # others start faster
    span = ema.get('interval', 1) / momentum
    if span > steps:
        yield (
            f'custom_hooks: EMAHook (momentum={momentum}) averages over {span:.0f} steps, more than the {steps} of the '
            'run, so the weights that are evaluated and saved stay close to the initial ones.'
        )


def _load_from(model: Any, path: str) -> Iterator[str]:
    content = load_checkpoint_file(path, map_location='cpu')
    weights = weights_of(content, f'load_from: {path}')
    own = {name: value for name, value in model.state_dict().items() if not name.startswith('distiller.')}
    taken = [name for name, value in weights.items() if name in own and own[name].shape == value.shape]
    if not taken:
        raise ConfigError(
            f'load_from: no weight of {path} has the name and shape of one in the model '
            f'(the file has {next(iter(weights), "none")}, the model {next(iter(own), "none")}).'
        )
    if len(taken) < len(own):
        yield f'load_from: {path} has {len(taken)} of the {len(own)} weights of the model.'
