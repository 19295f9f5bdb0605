"""Building from configs with messages that name the config key."""

import copy
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope, Registry
from torch import nn

from mmkd_ext.compat import import_mmrazor
from mmkd_ext.errors import ConfigError, nearest, sentence
from mmkd_ext.old_names import config_today, path_today


def build_part(cfg: dict, registry: Registry, key: str) -> Any:
    """Build a loss, connector, recorder or distiller.

    A bare `type` is looked up here, then in mmengine, then in MMRazor; any other scope is named in front
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
        text = sentence(error).rstrip('.')
        named = isinstance(error, ConfigError) and text.startswith(key)  # the part names a key of its own
        raise ConfigError(f'{text}.' if named else f'{key}: {text}.') from error


def _in_mmrazor(kind: str, registry: Registry, key: str) -> tuple[str, str]:
    """The scope and the type of something that is not ours: MMRazor's, or an error that names what is near."""
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
    """The model's config from what a user may write for a student or a teacher.

    Args:
        source: A package path (`mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py`), a config file, a dict with
            `type`, or MMRazor's `dict(cfg_path=..., pretrained=...)`.
        key: The config key that holds it, for messages.

    Returns:
        The config's `model` with two more keys: `_scope_`, the toolbox that builds it, and, from MMRazor's form with
        `pretrained=True`, `_checkpoint_`.

    Raises:
        ConfigError: If it is none of these, or names a file that is not there or holds no model.
    """
    if isinstance(source, dict) and 'type' in source:
        cfg = config_today(ConfigDict(source))
        if '_scope_' not in cfg and isinstance(cfg.type, str) and '.' in cfg.type:
            cfg['_scope_'] = cfg.type.split('.')[0]
        return cfg
    pretrained = False
    if isinstance(source, dict) and 'cfg_path' in source:
        pretrained = source.get('pretrained', False)
        source = source['cfg_path']
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
    scope = source.split('::')[0] if '::' in source else config.get('default_scope')
    if scope:
        cfg.setdefault('_scope_', scope)
    if pretrained:
        cfg['_checkpoint_'] = config.model_path
    return config_today(cfg)


def _config_file(source: str, pretrained: bool, key: str) -> Config:
    try:
        if '::' in source:
            return get_config(source, pretrained)
        if not Path(source).is_file():
            raise ConfigError(f'{key}: there is no config file {source} (looked from {Path.cwd()}).')
        return Config.fromfile(source)
    except ConfigError:
        raise
    except AssertionError:
        raise ConfigError(f'{key}: pretrained=True, but the package lists no weights for {source}.') from None
    except Exception as error:  # a config file runs as Python: it can fail in any way
        raise ConfigError(f'{key}: {source} cannot be read ({type(error).__name__}: {error}).') from error


def build_model(cfg: ConfigDict, key: str) -> nn.Module:
    """Build a model from `model_config`'s result, in its own toolbox's scope.

    It is built from a copy: mmdet's DETR detectors write into their config what a second build refuses.

    Raises:
        ConfigError: If its type is unknown or refuses its arguments.
    """
    cfg = ConfigDict(copy.deepcopy(cfg))
    cfg.pop('_checkpoint_', None)
    scope = cfg.get('_scope_')
    try:
        with DefaultScope.overwrite_default_scope(scope):
            return MMENGINE_MODELS.build(cfg)
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        raise ConfigError(f'{key} cannot be built: {sentence(error).rstrip(".")}.') from error
