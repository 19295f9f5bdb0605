"""Check that the files that a run reads exist, before anything is written: data sets and class means."""

import inspect
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmkd_ext.config_walk import innermost
from mmkd_ext.errors import ConfigError, listed
from mmkd_ext.identity import LARGEST


def check_data(cfg: Config, fields: tuple[str, ...] = ('train_dataloader', 'val_dataloader')) -> None:
    """Raise ConfigError, with its key, for the first data path of a loader or evaluator that does not exist."""
    for field in fields:
        if not isinstance(cfg.get(field), dict) or 'dataset' not in cfg[field]:
            continue
        for dataset, key in innermost(cfg[field].dataset, f'{field}.dataset'):
            if not _remote(dataset) and not _downloads(dataset, cfg.get('default_scope')):
                _check_paths(dataset, key)
                _check_categories(dataset, key, cfg.get('default_scope'))
        evaluator = field.replace('dataloader', 'evaluator')
        _check_evaluator(cfg.get(evaluator), evaluator)


def _check_evaluator(metrics: Any, key: str) -> None:
    """Check the annotation file that a metric reads itself, which does not follow the `data_root` of its loader."""
    for i, metric in enumerate(metrics if isinstance(metrics, (list, tuple)) else [metrics]):
        file = metric.get('ann_file') if isinstance(metric, dict) else None
        if isinstance(file, str) and not _remote(metric) and '://' not in file and not os.path.exists(file):
            where = f'{key}[{i}]' if isinstance(metrics, (list, tuple)) else key
            raise ConfigError(
                f'{where}.ann_file: {file} does not exist (looked from {Path.cwd()}); this path '
                "does not follow the data loader's data_root."
            )


def _check_categories(dataset: dict, key: str, scope: str | None) -> None:
    """Compare the classes of mmdet's `CocoDataset` with the file: it silently drops those that the file lacks."""
    coco = next(
        (base for base in getattr(_kind(dataset, scope), '__mro__', []) if base.__name__ == 'CocoDataset'), None
    )
    if coco is None or _kind(dataset, scope).load_data_list is not coco.load_data_list:
        return
    name = dataset.get('ann_file') or ''
    file = Path(dataset.get('data_root') or '') / name if isinstance(name, str) else Path()
    if not file.is_file() or file.stat().st_size > LARGEST:
        return
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
        categories = [category['name'] for category in content.get('categories', [])]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{key}.ann_file: {file} does not have COCO's format ({type(error).__name__}: {error})."
        ) from None
    given = (dataset.get('metainfo') or {}).get('classes')
    if isinstance(given, str):  # a file with one class per line, as mmengine reads it
        if not Path(given).is_file():  # mmdet would count its letters
            raise ConfigError(
                f'{key}.metainfo.classes={given!r} is neither a list nor an existing file; for one class write '
                f'({given!r},), with a comma.'
            )
        given = Path(given).read_text(encoding='utf-8').splitlines()
    classes = given or _kind(dataset, scope).METAINFO.get('classes') or []  # of a subclass, its own
    absent = [name for name in classes if name not in categories]
    if absent:
        whose = '' if given else f' ({dataset["type"]} has them; set {key}.metainfo=dict(classes=(...,)))'
        raise ConfigError(
            f'{key}.metainfo: {listed(absent)}{whose} are not among the categories of {file}, which are '
            f'{listed(categories)}.'
        )


def _remote(dataset: dict) -> bool:
    """Whether the data is read through a storage client, so that a local path cannot be checked."""
    steps = [dataset, *(step for step in dataset.get('pipeline') or [] if isinstance(step, dict))]
    return any((step.get('backend_args') or {}).get('backend', 'local') != 'local' for step in steps)


def _downloads(dataset: dict, scope: str | None) -> bool:
    """Whether the data set downloads itself if it is missing, like CIFAR."""
    kind = _kind(dataset, scope)
    return kind is not None and 'download' in inspect.signature(kind).parameters and dataset.get('download', True)


def _kind(dataset: dict, scope: str | None) -> Any:
    """The class of a data set; None for an unknown type, which the runner itself reports."""
    try:
        with DefaultScope.overwrite_default_scope(scope), DATASETS.switch_scope_and_registry(scope) as registry:
            return registry.get(dataset.get('type', ''))
    except Exception:
        return None


def _check_paths(dataset: dict, key: str) -> None:
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    paths = {f'{key}.data_root': root}
    if isinstance(dataset.get('ann_file'), str) and dataset['ann_file']:
        paths[f'{key}.ann_file'] = os.path.join(root, dataset['ann_file'])
    for name, folder in prefix.items() if isinstance(prefix, dict) else [('', prefix)]:
        if isinstance(folder, str):
            paths[f'{key}.data_prefix' + (f'.{name}' if name else '')] = os.path.join(root, folder)
    for name, path in paths.items():
        if path and '://' not in path and not os.path.exists(path):
            raise ConfigError(f'{name}: {path} does not exist (looked from {Path.cwd()}).')


def missing_class_means(cfg: Config) -> list[tuple[str, str]]:
    """The config keys and paths of class-mean files that a loss of the config reads and that do not exist."""
    distiller = cfg.model.get('distiller') or {}
    found = []
    for name, loss in (distiller.get('distill_losses') or {}).items():
        path = loss.get('class_means') if isinstance(loss, dict) else None
        if isinstance(path, str) and not Path(path).expanduser().is_file():
            found.append((f'model.distiller.distill_losses.{name}.class_means', path))
    return found


def make_missing_class_means(cfg: Config) -> None:
    """Make the missing class-mean files, if the config asks for it with `make_class_means = True`."""
    for _, path in missing_class_means(cfg) if cfg.get('make_class_means') else []:
        extract = import_module('mmkd_ext.extraction.class_means')  # has imports that nothing else here needs
        extract.make_class_means(cfg, path)


def check_file(option: str, path: str | None) -> None:
    """Raise ConfigError if an option names a local file that does not exist; URLs are not checked."""
    if path and '://' not in path and not Path(path).expanduser().is_file():
        raise ConfigError(f'{option}: there is no file {path} (looked from {Path.cwd()}).')
