"""What the commands in tools/ share: options, checks before anything is written, errors as one sentence."""

import argparse
import gc
import inspect
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from mmengine.config import Config, DictAction
from mmengine.hub import get_config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner, find_latest_checkpoint

from mmkd_ext import identity
from mmkd_ext.checks import check_effects
from mmkd_ext.compat import load_checkpoint_file
from mmkd_ext.errors import ConfigError, nearest, sentence
from mmkd_ext.export.config import is_ours
from mmkd_ext.export.student import why_not_foldable
from mmkd_ext.old_names import config_today, path_today

warnings.filterwarnings('ignore', message='pkg_resources is deprecated')  # mmengine's, at every `mmdet::` path

PATIENCE = 5.0  # seconds that a process other than the first leaves to the first to say what is wrong
# The fields of a config that mmengine's Runner, a toolbox's train.py or a command here reads.
READ_FIELDS = {
    *inspect.signature(Runner.__init__).parameters, 'model_wrapper_cfg', 'sync_bn', 'find_unused_parameters', 'compile',
    'activation_checkpointing', 'efficient_conv_bn_eval', 'runner_type', 'custom_imports', 'tta_model', 'tta_pipeline',
    'make_class_means',
} - {'self', 'cfg'}  # fmt: skip


def train_parser() -> argparse.ArgumentParser:
    """The options of the toolboxes' own `tools/train.py`."""
    parser = argparse.ArgumentParser(description='Train a model, with or without distillation.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: ./work_dirs/METHOD/CONFIG_NAME)')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the total batch size')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from a checkpoint: the one named, or the latest in the work dir',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings: key=value, lists as key="[a,b]" or key=a,b',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser


def read_config(path: str, options: dict | None = None) -> Config:
    """Read a config, a file or a package path (`mmdet::...`), and apply `--cfg-options`.

    Raises:
        ConfigError: If there is no such file or it cannot be read.
    """
    packaged = '::' in str(path)
    if not packaged and not Path(path).is_file():
        raise ConfigError(f'there is no config file {path} (looked from {Path.cwd()}).')
    try:
        cfg = get_config(path_today(path)) if packaged else Config.fromfile(path)
    except Exception as error:  # a config file runs as Python: it can fail in any way
        raise ConfigError(f'{path} cannot be read ({type(error).__name__}: {error}).') from error
    if options:
        _check_options(cfg, path, options)
        cfg.merge_from_dict(options)
    config_today(cfg._cfg_dict)
    return cfg


def _check_options(cfg: Config, path: str, options: dict) -> None:
    """Refuse an option that begins a new field which nothing reads, as a slip of the keyboard does."""
    for name in dict.fromkeys(key.split('.')[0] for key in options):
        if name not in cfg and name not in READ_FIELDS:
            near = nearest(name, sorted({*cfg, *READ_FIELDS}))
            raise ConfigError(f'--cfg-options: {path} has no `{name}`, and nothing reads it; {near}.')


def default_work_dir(config: str) -> str:
    """The folder of a config's runs, which names the method where the config lies in a folder `configs`.

    Examples:
        >>> default_work_dir('configs/nd/faster_rcnn_r101_r50_coco.py')
        './work_dirs/nd/faster_rcnn_r101_r50_coco'
        >>> default_work_dir('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
        './work_dirs/retinanet_r50_fpn_1x_coco'
        >>> default_work_dir('mmkd_ext::nd/faster_rcnn_r101_r50_coco.py')
        './work_dirs/nd/faster_rcnn_r101_r50_coco'
    """
    config = config.replace('mmkd_ext::', 'configs/')
    folders = () if '::' in config else Path(os.path.abspath(config)).parts[:-1]
    inside = [i for i, name in enumerate(folders) if name == 'configs']
    return os.path.join('./work_dirs', *(folders[inside[-1] + 1 :] if inside else ()), Path(config).stem)


def train_config(args: argparse.Namespace) -> Config:
    """The config of a training run: the file, the options, and checks of all that can be checked now.

    Raises:
        ConfigError: If an option cannot be met, or a data path does not exist.
    """
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = default_work_dir(args.config)
    if args.amp:
        if not torch.cuda.is_available():
            raise ConfigError('--amp needs a GPU, and torch sees none here; leave it out.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        _scale_lr(cfg)
    complete(cfg)
    for note in check_effects(cfg):
        say(note)
    _say_batch_size(cfg)
    check_data(cfg)
    _check_class_means(cfg, args)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.resume or (cfg.get('resume') and (cfg.get('load_from') or any(Path(cfg.work_dir).glob('*.pth')))):
        check_resume(cfg)
    else:
        _say_what_lies_there(cfg)
    return cfg


def _scale_lr(cfg: Config) -> None:
    if not {'enable', 'base_batch_size'} <= set(cfg.get('auto_scale_lr') or {}):
        raise ConfigError(
            '--auto-scale-lr: the config has no auto_scale_lr=dict(enable=False, base_batch_size=...) '
            'to say for which batch size its learning rate is.'
        )
    cfg.auto_scale_lr.enable = True


def _check_class_means(cfg: Config, args: argparse.Namespace) -> None:
    for key, path in [] if cfg.get('make_class_means') else missing_class_means(cfg):
        same = ' and the same --cfg-options' if args.cfg_options else ''
        raise ConfigError(
            f'{key}: there is no class-mean file {path}; make it with: python -m mmkd_ext class_means '
            f'{args.config} --out {path}{same} (or by itself before training: --cfg-options make_class_means=True).'
        )


def complete(cfg: Config) -> None:
    """Add to a config what a run of it has without its saying so; once."""
    if (cfg.get('auto_scale_lr') or {}).get('enable'):
        # mmengine scales by the images of a step; the optimiser sees those of all the steps that it waits for.
        cfg.auto_scale_lr.base_batch_size /= cfg.optim_wrapper.get('accumulative_counts', 1)
    _loader_defaults(cfg)
    bring_to_ours(cfg)
    _add_exact_resume(cfg)
    if is_ours(cfg.model):
        identity.note_files(cfg)


def rank() -> int:
    """This process's number in its job, as the launcher gives it."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    return int(next((os.environ[name] for name in names if os.environ.get(name)), 0))


def say(note: str) -> None:
    """Tell the user something, once a job."""
    if rank() == 0:
        print(f'note: {note}', file=sys.stderr)


def _say_what_lies_there(cfg: Config) -> None:
    there = identity.read(cfg.work_dir) if any(Path(cfg.work_dir).glob('*.pth')) else None
    found = identity.differences(there, identity.settings(cfg), length=True) if there else []
    if found:
        say(f'{cfg.work_dir} holds checkpoints of another run ({identity.listed(found, 1)}), which stay there.')


def say_what_will_not_fold(runner: Runner) -> None:
    """Log, after the pages that a runner logs as it is made, why a student could not be exported to a plain one."""
    reason = why_not_foldable(runner.cfg)
    if reason:
        runner.logger.warning(f'the student will train, but not export to a plain one: {reason}')


def _say_batch_size(cfg: Config) -> None:
    """One line where the learning rate is for another batch size."""
    expected = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    size = (cfg.get('train_dataloader') or {}).get('batch_size')
    names = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE') if cfg.launcher != 'none' else ()
    processes = int(next((os.environ[name] for name in names if os.environ.get(name)), 1))
    waits = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    scaled = (cfg.get('auto_scale_lr') or {}).get('enable', False)
    if expected and size and not scaled and size * processes * waits != expected:
        of = f'{processes} x {size}' + (f' x {waits} (accumulative_counts)' if waits > 1 else '')
        say(
            f'{of} images a step, but the learning rate is for {expected}: '
            f'--auto-scale-lr, or {max(expected // (size * waits), 1)} processes.'
        )


def _loader_defaults(cfg: Config) -> None:
    """Mmpretrain's own train.py completes the data loaders so; its configs rely on it."""
    if cfg.get('default_scope') != 'mmpretrain':
        return
    for field in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(field):
            loader = cfg[field]
            loader.setdefault('pin_memory', True)
            loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
            loader.setdefault('collate_fn', dict(type='default_collate'))


def bring_to_ours(cfg: Config) -> None:
    """What goes with MMRazor's algorithms, brought to ours.

    Its validation loops are ours. In the sources of a visualisation hook's recorders the student is the model itself,
    no longer `architecture`. A best checkpoint by the teacher's metrics, which do not change, is refused.
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
                    f'save_best={metric!r} of the checkpoint hook: the teacher is frozen, its metrics do not change; '
                    f"name the student's, {metric.removeprefix('teacher.')!r}."
                )


def _add_exact_resume(cfg: Config) -> None:
    hooks = list(cfg.get('custom_hooks') or [])
    if not any(hook.get('type') == 'mmkd_ext.ExactResumeHook' for hook in hooks if isinstance(hook, dict)):
        cfg.custom_hooks = [*hooks, dict(type='mmkd_ext.ExactResumeHook')]


def _datasets(entry: Any, key: str) -> Iterator[tuple[dict, str]]:
    """The innermost dataset configs, and their keys: wrappers hold `dataset` or `datasets`."""
    if not isinstance(entry, dict):
        return
    if isinstance(entry.get('dataset'), dict):
        yield from _datasets(entry['dataset'], f'{key}.dataset')
    elif isinstance(entry.get('datasets'), (list, tuple)):
        for i, inner in enumerate(entry['datasets']):
            yield from _datasets(inner, f'{key}.datasets[{i}]')
    else:
        yield entry, key


def check_data(cfg: Config, fields: tuple[str, ...] = ('train_dataloader', 'val_dataloader')) -> None:
    """Raise ConfigError for the first data path of the loaders that does not exist; the message names its key."""
    for field in fields:
        if not isinstance(cfg.get(field), dict) or 'dataset' not in cfg[field]:
            continue
        for dataset, key in _datasets(cfg[field].dataset, f'{field}.dataset'):
            if not _remote(dataset) and not _downloads(dataset, cfg.get('default_scope')):
                _check_paths(dataset, key)


def _remote(dataset: dict) -> bool:
    """Whether the data is read through a storage client, so that no local path says whether it is there."""
    steps = [dataset, *(step for step in dataset.get('pipeline') or [] if isinstance(step, dict))]
    return any((step.get('backend_args') or {}).get('backend', 'local') != 'local' for step in steps)


def _downloads(dataset: dict, scope: str | None) -> bool:
    """Whether the dataset fetches itself where it is absent, as CIFAR's does."""
    try:
        with DefaultScope.overwrite_default_scope(scope), DATASETS.switch_scope_and_registry(scope) as registry:
            kind = registry.get(dataset.get('type', ''))
    except Exception:  # an unknown type is the runner's to report, with its own words
        return False
    return kind is not None and 'download' in inspect.signature(kind).parameters and dataset.get('download', True)


def _check_paths(dataset: dict, key: str) -> None:
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    paths = {f'{key}.data_root': root}
    if dataset.get('ann_file'):
        paths[f'{key}.ann_file'] = os.path.join(root, dataset['ann_file'])
    for name, folder in prefix.items() if isinstance(prefix, dict) else [('', prefix)]:
        paths[f'{key}.data_prefix' + (f'.{name}' if name else '')] = os.path.join(root, folder or '')
    for name, path in paths.items():
        if path and '://' not in path and not os.path.exists(path):
            raise ConfigError(f'{name}: {path} does not exist (looked from {Path.cwd()}).')


def missing_class_means(cfg: Config) -> list[tuple[str, str]]:
    """The config keys and paths of class-mean files that a loss of the config reads and that are not there."""
    distiller = cfg.model.get('distiller') or {}
    found = []
    for name, loss in (distiller.get('distill_losses') or {}).items():
        path = loss.get('class_means') if isinstance(loss, dict) else None
        if isinstance(path, str) and not Path(path).expanduser().is_file():
            found.append((f'model.distiller.distill_losses.{name}.class_means', path))
    return found


def make_class_means(cfg: Config) -> None:
    """Make the class-mean files that are missing, where the config asks for it by `make_class_means = True`."""
    for _, path in missing_class_means(cfg) if cfg.get('make_class_means') else []:
        extract = import_module('mmkd_ext.extraction.class_means')  # needs what only this needs
        extract.make_class_means(cfg, path)


def check_resume(cfg: Config) -> None:
    """Check the checkpoint to go on from, and take its seed where the config has none.

    Raises:
        ConfigError: If there is none, that run is over, or it is a run of other settings.
    """
    checkpoint, content = _readable(cfg)
    meta = (content.get('meta') or {}) if isinstance(content, dict) else {}
    if 'iter' not in meta or 'optimizer' not in content:
        raise ConfigError(
            f'--resume: {checkpoint} holds weights only; a training checkpoint is needed '
            '(to start from weights: --cfg-options load_from=FILE).'
        )
    loop = cfg.get('train_cfg') or {}
    for unit, limit in (('epoch', loop.get('max_epochs')), ('iter', loop.get('max_iters'))):
        if limit is not None and meta.get(unit, 0) >= limit:
            raise ConfigError(
                f'--resume: nothing is left to do, {checkpoint} is of {unit} {meta[unit]} of {limit}; '
                f'raise train_cfg.max_{unit}s to go on.'
            )
    there = identity.of_checkpoint(content)
    found = identity.differences(there, identity.settings(cfg)) if there else []
    if found:
        name = re.sub(r'_\d{8}_\d{6}$', '', str(meta.get('experiment_name', 'unnamed')))
        raise ConfigError(
            f'--resume: {checkpoint} is of another run, {name}: {identity.listed(found)}; go on with the settings of '
            'that run, or start this one in another --work-dir.'
        )
    if (cfg.get('randomness') or {}).get('seed') is None and meta.get('seed') is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=meta['seed'])


def _age(checkpoint: Path) -> tuple[float, list[int]]:
    """When it was written and, of those of one moment, the numbers in its name."""
    return checkpoint.stat().st_mtime, [int(number) for number in re.findall(r'\d+', checkpoint.stem)]


def _readable(cfg: Config) -> tuple[str, Any]:
    """The checkpoint to resume and its content: the one named or, of the work dir's, the newest that is whole.

    mmengine notes the last checkpoint in a file and deletes older ones before it writes the next: a run that was killed
    meanwhile leaves a note of a file that is gone, or half a file.
    """
    if cfg.load_from:
        names = [cfg.load_from]
    else:
        found = sorted(Path(cfg.work_dir).glob('*.pth'), key=_age, reverse=True)
        noted = find_latest_checkpoint(cfg.work_dir) if found else None
        names = list(dict.fromkeys([*([noted] if noted else []), *map(str, found)]))
    failure = f'{cfg.work_dir} holds no checkpoint to go on from; leave --resume out to start.'
    for name in names:
        try:
            content = load_checkpoint_file(name, map_location='cpu')
        except ConfigError as error:
            failure = str(error)
            continue
        if not cfg.load_from and name != noted:
            print(f'--resume: {noted} is not whole; going on from {name}.', file=sys.stderr)
            cfg.load_from = name
        return name, content
    raise ConfigError(f'--resume: {failure}')


def start_distributed(cfg: Config) -> None:
    """On a machine without GPUs, connect the processes by gloo: mmengine's own start insists on CUDA."""
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available() and not dist.is_distributed():
        torch.distributed.init_process_group('gloo')
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )


def leave_process_group() -> None:
    """End the threads of the process group; Gloo's may else abort the process while the interpreter ends."""
    if dist.is_distributed():
        gc.collect()  # a model in a cycle of references holds the group, too
        torch.distributed.destroy_process_group()


def run(main: Callable[[], None]) -> None:
    """Run a command; a user's mistake ends it with one sentence and exit status 2.

    Of several processes the first says it. Another one waits, and is ended by the launcher meanwhile; it speaks where
    the first goes on.

    MMKD_EXT_TRACEBACK=1 in the environment shows where it was raised.
    """
    try:
        main()
        leave_process_group()
    except ConfigError as error:
        if os.environ.get('MMKD_EXT_TRACEBACK'):
            raise
        if rank():
            time.sleep(PATIENCE)
        print(f'error: {sentence(error)}', file=sys.stderr)
        sys.exit(2)
