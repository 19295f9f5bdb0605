"""The config of a training run: completed, and checked as far as possible before the run starts."""

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmkd_ext import identity
from mmkd_ext.checks import check_batch_size, check_complete, check_effects
from mmkd_ext.cli.inputs import check_data, check_file, missing_class_means
from mmkd_ext.cli.launch import say
from mmkd_ext.cli.options import default_work_dir, read_launched
from mmkd_ext.cli.resume import check_resume, say_what_lies_there
from mmkd_ext.config_walk import is_ours
from mmkd_ext.distributed import process_count
from mmkd_ext.errors import ConfigError
from mmkd_ext.export.student import why_not_foldable
from mmkd_ext.extraction.teacher_outputs import check_teacher_outputs
from mmkd_ext.files import check_writable


def train_config(args: argparse.Namespace) -> Config:
    """The config of a training run: read, updated with the options, and checked as far as possible now.

    Raises:
        ConfigError: If an option cannot be satisfied, a setting is missing, or a data path does not exist.
    """
    cfg = read_launched(args)
    check_complete(cfg)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = default_work_dir(args.config)
    check_writable('--work-dir', cfg.work_dir, folder=True)
    if args.amp:
        if not torch.cuda.is_available():
            raise ConfigError('--amp needs a GPU, and torch sees none here; leave it out.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        _scale_lr(cfg)
    complete(cfg)
    cfg[identity.PROCESSES] = process_count(cfg)
    for note in (*check_effects(cfg), *check_batch_size(cfg)):
        say(note)
    check_data(cfg)
    check_teacher_outputs(cfg, process_count(cfg))
    _check_class_means(cfg, args)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.resume or (cfg.get('resume') and (cfg.get('load_from') or any(Path(cfg.work_dir).glob('*.pth')))):
        check_resume(cfg)
    else:
        check_file('load_from', cfg.get('load_from'))
        say_what_lies_there(cfg)
    return cfg


def _scale_lr(cfg: Config) -> None:
    if not {'enable', 'base_batch_size'} <= set(cfg.get('auto_scale_lr') or {}):
        raise ConfigError(
            '--auto-scale-lr: the config has no auto_scale_lr=dict(enable=False, base_batch_size=...) to say which '
            'batch size its learning rate is meant for.'
        )
    cfg.auto_scale_lr.enable = True


def _check_class_means(cfg: Config, args: argparse.Namespace) -> None:
    for key, path in [] if cfg.get('make_class_means') else missing_class_means(cfg):
        same = ' and the same --cfg-options' if args.cfg_options else ''
        raise ConfigError(
            f'{key}: there is no class-mean file {path}; make it with: python -m mmkd_ext class_means {args.config} '
            f'--out {path}{same} (or automatically before training: --cfg-options make_class_means=True).'
        )


def complete(cfg: Config) -> None:
    """Add the implicit settings of a run to its config, once.

    Raises:
        ConfigError: If the learning rate is to be scaled from an unknown batch size, or see `bring_to_ours`.
    """
    scaling = cfg.get('auto_scale_lr') or {}
    if scaling.get('enable'):
        if not scaling.get('base_batch_size'):
            raise ConfigError(
                'auto_scale_lr.enable=True needs auto_scale_lr.base_batch_size, the batch size that the learning rate '
                'is meant for.'
            )
        # mmengine scales by the images of one step; the optimiser sees those of all steps that it accumulates.
        cfg.auto_scale_lr.base_batch_size /= cfg.optim_wrapper.get('accumulative_counts', 1)
    _loader_defaults(cfg)
    bring_to_ours(cfg)
    _add_exact_resume(cfg)
    identity.note_data(cfg)
    if is_ours(cfg.model):
        identity.note_files(cfg)


def say_what_will_not_fold(runner: Runner) -> None:
    """Log why a student could not be exported to a plain one, after the pages that a new runner logs."""
    reason = why_not_foldable(runner.cfg)
    if reason:
        runner.logger.warning(f'the student will train, but cannot be exported to a plain one: {reason}')


def _loader_defaults(cfg: Config) -> None:
    """Complete the data loaders like mmpretrain's own train.py, on which its configs rely."""
    if cfg.get('default_scope') != 'mmpretrain':
        return
    for field in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(field):
            loader = cfg[field]
            loader.setdefault('pin_memory', True)
            loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
            loader.setdefault('collate_fn', dict(type='default_collate'))


def bring_to_ours(cfg: Config) -> None:
    """Adapt settings for MMRazor's algorithms to ours.

    Its validation loops become ours. In the sources of a visualisation hook's recorders, the student is the model
    itself, no longer `architecture`. A best checkpoint by the teacher's metrics, which never change, is refused.
    """
    if not is_ours(cfg.model):
        return
    loop = cfg.get('val_cfg') or {}
    if loop.get('type') in ('mmrazor.SingleTeacherDistillValLoop', 'mmrazor.SelfDistillValLoop'):
        loop['type'] = loop['type'].replace('mmrazor.', 'mmkd_ext.')
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    for hook in (hook for hook in hooks if isinstance(hook, dict)):
        for recorder in (hook.get('recorders') or {}).values():
            recorder['source'] = recorder['source'].removeprefix('architecture.')
        best = hook.get('save_best') or ()
        for metric in [best] if isinstance(best, str) else best:
            if metric.startswith('teacher.'):
                raise ConfigError(
                    f'save_best={metric!r} of the checkpoint hook: the teacher is frozen, so its metrics do not '
                    'change; '
                    f"name the student's, {metric.removeprefix('teacher.')!r}."
                )


def _add_exact_resume(cfg: Config) -> None:
    hooks = list(cfg.get('custom_hooks') or [])
    if not any(hook.get('type') == 'mmkd_ext.ExactResumeHook' for hook in hooks if isinstance(hook, dict)):
        cfg.custom_hooks = [*hooks, dict(type='mmkd_ext.ExactResumeHook')]
