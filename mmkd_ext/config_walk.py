"""Look into configs: what an entry builds, from which package, and the data sets inside wrappers."""

from collections.abc import Iterator
from typing import Any

# Their hooks, loops and visualisers belong to the distillation; a student may still use their other parts.
DISTILLING = ('mmkd_ext', 'mmrazor')


def named(entry: Any) -> tuple[str | None, str]:
    """The scope and the name of the class that a config entry builds: by prefix, by `_scope_`, or of a class."""
    kind = entry.get('type') if isinstance(entry, dict) else None
    if isinstance(kind, type):
        return kind.__module__.split('.')[0], kind.__name__
    if not isinstance(kind, str):
        return None, ''
    scope, _, name = kind.rpartition('.')
    return scope.split('.')[0] or entry.get('_scope_'), name


def our_type(entry: Any) -> str | None:
    """The name of the class that a config entry builds, if it belongs to this package."""
    scope, name = named(entry)
    return name if scope == 'mmkd_ext' else None


def is_ours(entry: Any) -> bool:
    """Whether a config entry builds a class of this package."""
    return our_type(entry) is not None


def distillers_in(entry: Any) -> Iterator[str]:
    """The scopes, out of this package's and MMRazor's, that occur anywhere in a config entry."""
    if isinstance(entry, dict):
        scope, _ = named(entry)
        if scope in DISTILLING:
            yield scope
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        for part in entry:
            yield from distillers_in(part)


def types_in(entry: Any) -> Iterator[str]:
    """The names of all classes that a config entry builds, at any depth."""
    if isinstance(entry, dict):
        yield named(entry)[1]
        entry = list(entry.values())
    if isinstance(entry, (list, tuple)):
        for part in entry:
            yield from types_in(part)


def innermost(dataset: Any, key: str = 'dataset') -> Iterator[tuple[dict, str]]:
    """The configs of the data sets inside wrappers, which have `dataset` or `datasets`, and their config keys.

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
