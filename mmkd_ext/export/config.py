"""The plain config of a distillation config's student."""

import ast
from collections.abc import Set
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_ext.build import merge_pixels, model_config
from mmkd_ext.config_walk import DISTILLING, distillers_in, named, our_type, types_in
from mmkd_ext.errors import ConfigError

# The fields that mmengine's Runner builds from; this package only changes what `student_config` names.
RUN = {
    'model', 'data_preprocessor', 'optim_wrapper', 'param_scheduler', 'default_hooks', 'custom_hooks', 'visualizer',
    *(f'{phase}_{part}' for phase in ('train', 'val', 'test') for part in ('cfg', 'dataloader', 'evaluator')),
}  # fmt: skip
_OF_BOTH = ('data_preprocessor', 'init_cfg')  # may be next to the student as well as in it


def student_config(cfg: Config | str | Path) -> Config:
    """The config that trains or tests the student alone, without this package (except for its backbones).

    Pass it to the toolboxes' Python interfaces, which look for a backbone in the config before they build a model:

        DetInferencer(student_config('my_distillation.py'), 'epoch_12.pth')
        init_detector(student_config('my_distillation.py'), 'epoch_12.pth')   # as mmseg's init_model

    Args:
        cfg: A config, or its file; if its model is not a distillation algorithm, only our hooks are removed.

    Returns:
        A new config: `model` is the student's. Hooks, loops, visualisers and imports of this package and of MMRazor are
        removed, except imports that the student needs; the rest is kept.

    Raises:
        ConfigError: If `model.architecture` cannot be read, or a part of the student is set next to it.
    """
    plain = Config((cfg if isinstance(cfg, Config) else Config.fromfile(cfg)).to_dict())
    model = plain.model
    if 'architecture' in model:
        student = model_config(model['architecture'], 'model.architecture')
        student.pop('_checkpoint_', None)
        _check_places(model, student)
        # The Runner passes a data_preprocessor next to the model to the algorithm, where it replaces the student's,
        # too.
        given = model.get('data_preprocessor') or ('data_preprocessor' in student and plain.get('data_preprocessor'))
        if given:
            student['data_preprocessor'] = merge_pixels(student.get('data_preprocessor'), given)
        if student.get('_scope_') == plain.get('default_scope'):
            student.pop('_scope_', None)
        plain.model = student
    for key in ('custom_hooks', 'default_hooks', 'visualizer', 'vis_backends'):
        kept = _without_distillers(plain.get(key))
        if kept is not None:
            plain[key] = kept
        elif key in plain:
            plain.pop(key)
    _unwrap_datasets(plain)
    for loop in ('train_cfg', 'val_cfg', 'test_cfg'):
        if named(plain.get(loop))[0] in DISTILLING:
            plain[loop] = {key: value for key, value in plain[loop].items() if key not in ('type', '_scope_')}
    _drop_imports(plain)
    for name in ('model_files', 'processes'):  # see identity.py
        plain.pop(name, None)
    return plain


def _check_places(model: dict, student: dict) -> None:
    """Refuse a part of the student that is set in the algorithm, which would be lost."""
    for key in model:
        if key in {*student, 'train_cfg', 'test_cfg'} - {'type', '_scope_', *_OF_BOTH}:
            raise ConfigError(
                f'model.{key}: `model` is the distillation algorithm, so the student does not have this; it is set in '
                f'model.architecture.{key}.'
            )


def _unwrap_datasets(plain: Config) -> None:
    """Replace our data set wrappers by the data sets in them."""
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if our_type((plain.get(loader) or {}).get('dataset')) == 'InMemoryImages':
            plain[loader].dataset = plain[loader].dataset.dataset


def _without_distillers(entry: Any) -> Any:
    """A config entry without the parts of this package or of MMRazor; None if it is such a part itself."""
    if named(entry)[0] in DISTILLING:
        return None
    if isinstance(entry, dict):
        kept = {key: _without_distillers(part) for key, part in entry.items()}
        return type(entry)({key: part for key, part in kept.items() if part is not None or entry[key] is None})
    if isinstance(entry, (list, tuple)):
        pairs = [(part, _without_distillers(part)) for part in entry]
        return type(entry)(kept for part, kept in pairs if kept is not None or part is None)
    return entry


def _drop_imports(plain: Config) -> None:
    """Remove imports that only distillation needs: of this package, of MMRazor, and of a user's losses."""
    imports = plain.get('custom_imports') or {}
    names = imports.get('imports') or []
    names = [names] if isinstance(names, str) else names
    unneeded = set(DISTILLING) - {scope for key in RUN for scope in distillers_in(plain.get(key))}
    used = {name for key in RUN for name in types_in(plain.get(key))}
    kept = [name for name in names if name.split('.')[0] not in unneeded and not _extends(name, unneeded, unless=used)]
    if kept:
        imports['imports'] = kept
    elif names:
        plain.pop('custom_imports')


def _extends(module: str, packages: Set[str], unless: Set[str]) -> bool:
    """Whether a user's module imports one of the packages and defines no class named in `unless`."""
    try:
        spec = find_spec(module)
    except ImportError:
        return False
    if spec is None or not str(spec.origin).endswith('.py'):
        return False
    nodes = list(ast.walk(ast.parse(Path(str(spec.origin)).read_text(encoding='utf-8'))))
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    defined = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    return bool({name.split('.')[0] for name in imported} & packages) and not defined & unless
