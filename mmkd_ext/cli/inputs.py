"""The files that a run reads, looked for before anything is written: data sets and class means."""

import inspect
import os
from importlib import import_module
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.data import innermost


def check_data(cfg: Config, fields: tuple[str, ...] = ('train_dataloader', 'val_dataloader')) -> None:
    """Raise ConfigError for the first data path of the loaders that does not exist; the message names its key."""
    for field in fields:
        if not isinstance(cfg.get(field), dict) or 'dataset' not in cfg[field]:
            continue
        for dataset, key in innermost(cfg[field].dataset, f'{field}.dataset'):
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


def make_missing_class_means(cfg: Config) -> None:
    """Make the class-mean files that are missing, where the config asks for it by `make_class_means = True`."""
    for _, path in missing_class_means(cfg) if cfg.get('make_class_means') else []:
        extract = import_module('mmkd_ext.extraction.class_means')  # needs what only this needs
        extract.make_class_means(cfg, path)


def check_file(option: str, path: str | None) -> None:
    """Raise ConfigError if an option names a local file that is not there; a URL is left to who reads it."""
    if path and '://' not in path and not Path(path).is_file():
        raise ConfigError(f'{option}: there is no file {path} (looked from {Path.cwd()}).')
