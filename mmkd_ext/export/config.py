"""The plain config of a distillation config's student."""

from typing import Any

from mmengine.config import Config

from mmkd_ext.build import model_config


def our_type(entry: Any) -> str | None:
    """The name of what a config entry builds, if that is of this package: by prefix, by `_scope_` or as a class."""
    kind = entry.get('type') if isinstance(entry, dict) else None
    if isinstance(kind, type):
        return kind.__name__ if kind.__module__.split('.')[0] == 'mmkd_ext' else None
    if not isinstance(kind, str):
        return None
    scope, _, name = kind.rpartition('.')
    return name if (scope or entry.get('_scope_')) == 'mmkd_ext' else None


def is_ours(entry: Any) -> bool:
    """Whether a config entry builds something of this package."""
    return our_type(entry) is not None


def names_ours(entry: Any) -> bool:
    """Whether something of this package is anywhere in a config entry."""
    if isinstance(entry, dict):
        return is_ours(entry) or any(names_ours(value) for value in entry.values())
    return isinstance(entry, (list, tuple)) and any(names_ours(value) for value in entry)


def student_config(cfg: Config) -> Config:
    """The config that trains or tests the student alone, without this package (but for a backbone of its own).

    Args:
        cfg: A config; one whose model is no distillation algorithm is returned as it is, but for our hooks.

    Returns:
        A new config: `model` is the student's, hooks, loops and imports of this package are gone, the rest is kept.

    Raises:
        ConfigError: If `model.architecture` cannot be read.
    """
    plain = Config(cfg.to_dict())
    model = plain.model
    if 'architecture' in model:
        student = model_config(model['architecture'], 'model.architecture')
        student.pop('_checkpoint_', None)
        if 'data_preprocessor' in model:
            student.setdefault('data_preprocessor', model['data_preprocessor'])
        if student.get('_scope_') == plain.get('default_scope'):
            student.pop('_scope_', None)
        plain.model = student
    if plain.get('custom_hooks'):
        plain.custom_hooks = [hook for hook in plain.custom_hooks if not is_ours(hook)]
    for loop in ('train_cfg', 'val_cfg', 'test_cfg'):
        if is_ours(plain.get(loop)):
            plain[loop].pop('type')
    imports = plain.get('custom_imports') or {}
    ours = any(name.startswith('mmkd_ext') for name in imports.get('imports', []))
    if ours and not names_ours(plain.model):
        imports['imports'] = [name for name in imports['imports'] if not name.startswith('mmkd_ext')]
        if not imports['imports']:
            plain.pop('custom_imports')
    return plain
