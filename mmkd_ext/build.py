"""Build from configs, with error messages that name the config key."""

import copy
import re
import traceback
from collections.abc import Iterator, Mapping
from inspect import Parameter, signature
from logging import WARNING
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope, Registry
from torch import nn
from torch.utils.data import DataLoader

from mmkd_ext.compat import import_mmrazor
from mmkd_ext.errors import ConfigError, is_refusal, nearest, sentence, unreadable
from mmkd_ext.old_names import config_today, path_today

_BUILDING = ('build_from_cfg', 'build_dataloader')  # functions of mmengine
_PLAIN = ('ImgDataPreprocessor', 'BaseDataPreprocessor')  # mmengine's own, not enough for a toolbox's model


def build_part(cfg: dict, registry: Registry, key: str) -> Any:
    """Build a loss, connector, recorder or distiller.

    A bare `type` is looked up here, then in mmengine, then in MMRazor; any other scope is given as a prefix
    (`mmdet.L1Loss`).

    Args:
        cfg: Config with `type`.
        registry: Where the type is registered.
        key: The config key that holds `cfg`, for messages.

    Raises:
        ConfigError: If the type is not known or refuses its arguments.
    """
    if isinstance(cfg, nn.Module):
        return cfg
    if not isinstance(cfg, dict) or 'type' not in cfg:
        raise ConfigError(f'{key} must be a dict with the key `type`, got {cfg!r}.')
    cfg = config_today(ConfigDict(cfg))
    kind = cfg['type']
    scope = 'mmkd_ext'
    if isinstance(kind, str):
        if kind.startswith('mmrazor.') or cfg.get('_scope_') == 'mmrazor' or registry.get(kind) is None:
            scope, cfg['type'] = _in_mmrazor(kind, registry, key)
        elif '.' in kind:
            scope = kind.split('.')[0]
    cfg.pop('_scope_', None)
    try:
        with DefaultScope.overwrite_default_scope(scope):
            return registry.build(cfg)
    except (TypeError, ValueError, KeyError, AssertionError, AttributeError, ImportError) as error:
        _check_known(error, registry, cfg, key)
        _raise_bug(error, key)
        text = sentence(error).rstrip('.')
        named = isinstance(error, ConfigError) and text.startswith(key)  # the part has named its own key
        raise ConfigError(f'{text}.' if named else f'{key}: {text}.') from error


def arguments(kind: type) -> list[str]:
    """The argument names of a class, and those of its bases if it passes `**kwargs` on to them."""
    names = []
    for base in kind.__mro__:
        if '__init__' in vars(base):
            _, *parameters = signature(vars(base)['__init__']).parameters.values()
            names += [p.name for p in parameters if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
            if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
                break
    return list(dict.fromkeys(names))


def unknown_argument(name: str, kind: type, key: str) -> ConfigError:
    """The error for a key that a class does not know: a typo, or left over from a file in `_base_`."""
    near = nearest(name, arguments(kind))
    if near.startswith('there'):
        near += '; if a file in `_base_` left it, add _delete_=True next to `type`'
    return ConfigError(f'{key}.{name} is unknown to {kind.__name__}; {near}.')


def _raise_bug(error: Exception, key: str) -> None:
    """Raise an error from a user's own class that failed while it was built, unless it refuses an argument."""
    if not is_refusal(error):
        if ' (while building ' not in str(error):
            error.args = (f'{sentence(error)} (while building {key})',)
        raise error


def _check_known(error: Exception, registry: Registry, cfg: Mapping, key: str) -> None:
    """Raise `unknown_argument` if `error`, from building `cfg`, is an unexpected argument of one of its classes."""
    found = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", sentence(error))
    if found is None:
        return
    name, argument = found.groups()
    for where, part in _parts(cfg, key):
        kind = registry.get(part['type']) if isinstance(part['type'], str) else part['type']
        if argument in part and isinstance(kind, type) and name in [base.__name__ for base in kind.__mro__]:
            if name == 'PlaceHolder':  # MMRazor's placeholder for a class that it cannot import
                raise ConfigError(
                    f'{where}.type: {kind.__name__} of MMRazor needs a class of mmcls, which is not installed and '
                    'which mmpretrain, its successor, cannot replace here.'
                ) from error
            raise unknown_argument(argument, kind, where) from error


def registered(registry: Registry) -> list[str]:
    """The names that a registry finds: its own, and those of its parents."""
    parents = [] if registry.parent is None else registered(registry.parent)
    return list(dict.fromkeys([*registry.module_dict, *parents]))


def _frames(error: BaseException) -> list[Any]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def unregistered(error: BaseException) -> str | None:
    """The sentence for mmengine's error on a `type` that its registry does not have; None for any other error."""
    builds = [frame for frame in _frames(error) if frame.f_code.co_name == 'build_from_cfg']
    found = re.match(r'(\S+) is not in the (\S+)::(.+?) registry', sentence(error))
    if not builds or not found or not isinstance(error, KeyError):
        return None
    name, scope, what = found.groups()
    text = f'type={name!r} is not registered as {what} in {scope}'
    if scope == 'mmengine':
        return f"{text}; a toolbox's types need default_scope='mmdet', 'mmpretrain' or 'mmseg' in the config."
    near = nearest(name, registered(builds[-1].f_locals['registry']))
    return f'{text}; {near}; custom_imports must name the module of a type of your own.'


def refused(error: BaseException) -> str | None:
    """The sentence for an error that means that a part of a run refuses its config; None for any other error.

    Such errors are raised by mmengine where it builds a part, or by the constructors of the part's classes. Errors from
    other functions that these call may be bugs.
    """
    if text := unregistered(error):
        return text
    frames = _frames(error)
    at = max((i for i, frame in enumerate(frames) if frame.f_code.co_name in _BUILDING), default=None)
    if at is None:
        return None
    kind = frames[at].f_locals.get('obj_cls', DataLoader)
    text = ' '.join(sentence(error).split()).rstrip('.')
    name = getattr(kind, '__name__', str(kind))
    if isinstance(error, ImportError):  # a package that only this part needs
        return f'type={name!r} cannot be built: {text}.'
    inner = frames[at + 1 :]
    refuses = isinstance(error, (TypeError, ValueError, AssertionError, RuntimeError)) and isinstance(kind, type)
    if not refuses or any(frame.f_code.co_name != '__init__' for frame in inner):
        return None
    unknown = re.search(r"__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if unknown:
        near = nearest(unknown.group(1), arguments(kind))
        return f'type={name!r}: {unknown.group(1)} is unknown to it; {near}.'
    return f'type={name!r} cannot be built: {text}.' if text and is_refusal(error) else None


def _parts(cfg: Any, key: str) -> Iterator[tuple[str, Mapping]]:
    """The parts of a config that have a `type`, with their keys."""
    if isinstance(cfg, Mapping):
        if 'type' in cfg:
            yield key, cfg
        for name, value in cfg.items():
            yield from _parts(value, f'{key}.{name}')
    elif isinstance(cfg, (list, tuple)):
        for i, value in enumerate(cfg):
            yield from _parts(value, f'{key}[{i}]')


def ours_for_mmrazors(cfg: Any) -> Any:
    """A config without MMRazor's scope, for parts where only ours work here: recorders and distillers."""
    if not isinstance(cfg, dict) or not isinstance(cfg.get('type'), str):
        return cfg
    kept = {key: value for key, value in cfg.items() if (key, value) != ('_scope_', 'mmrazor')}
    return dict(kept, type=cfg['type'].removeprefix('mmrazor.'))


def _in_mmrazor(kind: str, registry: Registry, key: str) -> tuple[str, str]:
    """The scope and type of a part that is not ours: MMRazor's, or an error that lists the nearest names."""
    known = list(registry.module_dict)
    bare = kind.removeprefix('mmrazor.')
    if '.' in bare:
        raise ConfigError(f'{key}.type={kind!r} is not registered; {nearest(bare.split(".")[-1], known)} in mmkd_ext.')
    try:
        mmrazor = import_mmrazor()
    except ConfigError:
        if bare != kind:
            raise
        raise ConfigError(f'{key}.type={kind!r} is not registered; {nearest(kind, known)}.') from None
    theirs = {r.name: r for r in (mmrazor.registry.MODELS, mmrazor.registry.TASK_UTILS)}[registry.name]
    if bare not in theirs.module_dict:
        raise ConfigError(f'{key}.type={kind!r} is not registered; {nearest(bare, [*known, *theirs.module_dict])}.')
    return 'mmrazor', f'mmrazor.{bare}'


def model_config(source: Any, key: str) -> ConfigDict:
    """The model's config from any form in which a user may give a student or a teacher.

    Args:
        source: A package path (`mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py`), a config file, a dict with `type`,
            or MMRazor's `dict(cfg_path=..., pretrained=...)`, whose other keys are added to the model, as in MMRazor.
        key: The config key that holds it, for messages.

    Returns:
        The config's `model` with two more keys: `_scope_`, the toolbox that builds it, and, from MMRazor's form with
        `pretrained=True`, `_checkpoint_`.

    Raises:
        ConfigError: If it is none of these, names a file that does not exist or defines no model, or would change a
            value of the file.
    """
    if isinstance(source, dict) and 'type' in source:
        cfg = config_today(ConfigDict(source))
        if '_scope_' not in cfg and isinstance(cfg.type, str) and '.' in cfg.type:
            cfg['_scope_'] = cfg.type.split('.')[0]
        return cfg
    if isinstance(source, dict) and 'cfg_path' in source:
        beside = dict(source)
        return _config_and_beside(beside.pop('cfg_path'), beside.pop('pretrained', False), beside, key)
    return _config_and_beside(source, False, {}, key)


def _config_and_beside(source: Any, pretrained: bool, beside: dict, key: str) -> ConfigDict:
    """`model_config` of a path, with further keys of the model, which must not contradict the file."""
    if not isinstance(source, (str, Path)):
        raise ConfigError(
            f"{key} must be a package path such as 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', a config file or a "
            f'dict with `type`, got {source!r}.'
        )
    source = path_today(str(source))
    config = _config_file(source, pretrained, key)
    if not isinstance(config.get('model'), dict):
        raise ConfigError(f'{key}: {source} defines no `model`.')
    cfg = ConfigDict(config.model)
    if 'data_preprocessor' in config:
        cfg.setdefault('data_preprocessor', config.data_preprocessor)
    for name, value in beside.items():
        if name != '_scope_' and cfg.setdefault(name, value) != value:
            raise ConfigError(
                f'{key}.{name} is also set in {source}, whose value MMRazor would use; to change it, write a config '
                f'file with _base_={source!r} and model=dict({name}=...), and name that.'
            )
    package = source.rpartition('::')[0]
    scope = package if package not in ('', 'mmkd_ext') else config.get('default_scope')
    if scope:
        cfg.setdefault('_scope_', scope)
    if pretrained:
        cfg['_checkpoint_'] = config.model_path
    if config.get('load_from') and key == 'model.architecture':
        print_log(
            f'{key}: {source} has load_from={config.load_from!r}, which is not used; if the student should start from '
            'it, set load_from in the distillation config.',
            logger='current',
            level=WARNING,
        )
    return config_today(cfg)


def _config_file(source: str, pretrained: bool, key: str) -> Config:
    no_weights = ConfigError(f'{key}: pretrained=True, but no package lists weights for {source}.')
    try:
        if '::' in source:
            config = get_config(source, pretrained)
        elif Path(source).is_file():
            config = Config.fromfile(source)
        else:
            raise ConfigError(f'{key}: there is no config file {source} (looked from {Path.cwd()}).')
    except ConfigError:
        raise
    except AssertionError:
        raise no_weights from None
    except Exception as error:  # a config file runs as Python, so it can fail in any way
        raise ConfigError(f'{key}: {unreadable(source, error)}') from error
    if pretrained and not config.get('model_path'):
        raise no_weights
    return config


def _is_whole(cfg: ConfigDict) -> bool:
    """Whether a config is of a whole model, which takes a data preprocessor; True if its type is not a known class."""
    with MMENGINE_MODELS.switch_scope_and_registry(cfg.get('_scope_')) as registry:
        kind = registry.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    return not isinstance(kind, type) or issubclass(kind, BaseModel)


def build_model(cfg: ConfigDict, key: str) -> nn.Module:
    """Build a model from `model_config`'s result, in its own toolbox's scope.

    A part of a model, such as a backbone, gets a `data_preprocessor` given next to it as an attribute.

    It is built from a copy: mmdet's DETR detectors change their config so that it cannot be built twice.

    Raises:
        ConfigError: If its type is unknown or refuses its arguments.
    """
    built = {id(value): value for value in cfg.values() if isinstance(value, nn.Module)}
    cfg = ConfigDict(copy.deepcopy(cfg, built))
    cfg.pop('_checkpoint_', None)
    scope = cfg.get('_scope_')
    try:
        with DefaultScope.overwrite_default_scope(scope):
            pixels = None if _is_whole(cfg) else cfg.pop('data_preprocessor', None)
            model = MMENGINE_MODELS.build(cfg)
            if pixels is not None:
                given = isinstance(pixels, nn.Module)
                model.data_preprocessor = pixels if given else MMENGINE_MODELS.build(dict(pixels, _scope_=scope))
            return model
    except (TypeError, ValueError, KeyError, AssertionError, AttributeError) as error:
        with MMENGINE_MODELS.switch_scope_and_registry(scope) as registry:
            _check_known(error, registry, cfg, key)
        _raise_bug(error, key)
        text = unregistered(error) or sentence(error)
        raise ConfigError(f'{key} cannot be built: {text.rstrip(".")}.') from error


def merge_pixels(own: Any, given: dict) -> dict:
    """A student's `data_preprocessor`, updated with an algorithm's, or replaced if that is of another type."""
    given = copy.deepcopy(given)
    if isinstance(own, dict) and given.get('type', own.get('type')) == own.get('type'):
        given.pop('_scope_', None)  # left by a `_base_` of a package
        return {**own, **given}
    return given


def build_student(architecture: Any, data_preprocessor: Any = None, init_cfg: dict | None = None) -> nn.Module:
    """Build the student that the config of an algorithm describes.

    Args:
        architecture: See `model_config`, or the model itself.
        data_preprocessor: Replaces the student's; if it has the same type, or no `type`, only the keys that it gives.
        init_cfg: Replaces the student's.

    Raises:
        ConfigError: See `model_config` and `build_model`.
    """
    key, scope, given = 'model.architecture', None, data_preprocessor
    if isinstance(architecture, nn.Module):
        student = architecture
    else:
        cfg = model_config(architecture, key)
        scope = cfg.get('_scope_')
        if isinstance(given, dict) and given.get('type') not in _PLAIN:
            cfg['data_preprocessor'] = merge_pixels(cfg.get('data_preprocessor'), given)
            given = None
        if '_checkpoint_' in cfg:
            cfg['init_cfg'] = dict(type='Pretrained', checkpoint=cfg['_checkpoint_'])
        if init_cfg is not None:
            cfg['init_cfg'] = init_cfg
        student = build_model(cfg, key)
    if isinstance(given, dict):
        given = build_model(ConfigDict(_scope_=scope, **given), 'model.data_preprocessor')
    if given is not None:
        student.data_preprocessor = given
    return student
