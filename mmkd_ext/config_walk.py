"""Looking into configs: what an entry builds, of which package, and the data sets inside of wrappers."""

from collections.abc import Iterator
from typing import Any

# Whose hooks, loops and visualisers are of the distillation; a student may still have parts of theirs.
DISTILLING = ('mmkd_ext', 'mmrazor')


def named(entry: Any) -> tuple[str | None, str]:
    """The scope and the name of what a config entry builds: by prefix, by `_scope_` or as a class."""
    kind = entry.get('type') if isinstance(entry, dict) else None
    if isinstance(kind, type):
        return kind.__module__.split('.')[0], kind.__name__
    if not isinstance(kind, str):
        return None, ''
    scope, _, name = kind.rpartition('.')
    return scope.split('.')[0] or entry.get('_scope_'), name


def our_type(entry: Any) -> str | None:
    """The name of what a config entry builds, if that is of this package."""
    scope, name = named(entry)
    return name if scope == 'mmkd_ext' else None


def is_ours(entry: Any) -> bool:
    """Whether a config entry builds something of this package."""
    return our_type(entry) is not None


def distillers_in(entry: Any) -> Iterator[str]:
    """The scopes, of this package and MMRazor, that anything in a config entry is of."""
    if isinstance(entry, dict):
        scope, _ = named(entry)
        if scope in DISTILLING:
            yield scope
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        for part in entry:
            yield from distillers_in(part)


def types_in(entry: Any) -> Iterator[str]:
    """The names of what anything in a config entry builds."""
    if isinstance(entry, dict):
        yield named(entry)[1]
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        for part in entry:
            yield from types_in(part)


def innermost(dataset: Any, key: str = 'dataset') -> Iterator[tuple[dict, str]]:
    """The data sets' configs inside of wrappers, which hold `dataset` or `datasets`, and their config keys.

    Examples:
        >>> list(innermost(dict(type='ConcatDataset', datasets=[dict(type='A'), dict(type='B')])))
        [({'type': 'A'}, 'dataset.datasets[0]'), ({'type': 'B'}, 'dataset.datasets[1]')]
    """
    if not isinstance(dataset, dict):
        return
    if isinstance(dataset.get('dataset'), dict):
        yield from innermost(dataset['dataset'], f'{key}.dataset')
    elif isinstance(dataset.get('datasets'), (list, tuple)):
        for i, inner in enumerate(dataset['datasets']):
            yield from innermost(inner, f'{key}.datasets[{i}]')
    else:
        yield dataset, key
