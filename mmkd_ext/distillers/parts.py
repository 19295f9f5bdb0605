"""The connectors and losses of a distiller: built from their configs, and called with the recorders' records."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmkd_ext.build import build_part
from mmkd_ext.errors import ConfigError, config_can_mend
from mmkd_ext.recorders.base import map_tensors, tensors_in
from mmkd_ext.registry import MODELS


def build_all(cfgs: Mapping[str, Any], key: str, build: Callable[[Any, str], nn.Module]) -> nn.ModuleDict:
    """Connectors or losses by name.

    Args:
        cfgs: Name to config.
        key: The config key that holds them.
        build: Makes one from its config and that one's key.

    Raises:
        ConfigError: If one cannot be built, or `torch.nn.ModuleDict` does not accept its name; the message begins with
            its key.
    """
    made = nn.ModuleDict()
    for name, cfg in cfgs.items():
        own = f'{key}.{name}'
        if '.' in name or hasattr(made, name):
            raise ConfigError(f'{own}: {name!r} cannot be a name here (it has a dot, or torch uses it); rename it.')
        made[name] = build(cfg, own)
    return made


def build_loss(cfg: Any, key: str) -> nn.Module:
    """A loss.

    Raises:
        ConfigError: If it cannot be built, or its name lacks `loss`; the message begins with `key`.
    """
    if 'loss' not in key.rpartition('.')[2]:
        raise ConfigError(f"{key}: the name of a loss must contain 'loss', or mmengine does not train on it.")
    return build_part(cfg, MODELS, key)


def build_connector(cfg: Any, key: str) -> nn.Module:
    """A connector, several in sequence from a list, or one per level from `levels`.

    Raises:
        ConfigError: If it cannot be built; the message begins with `key`.
    """
    if isinstance(cfg, (list, tuple)):
        parts = [build_part(c, MODELS, f'{key}[{i}]') for i, c in enumerate(cfg)]
        if len(set(map(takes_levels, parts))) > 1:
            raise ConfigError(
                f'{key}: either all or none of the connectors in a sequence must take all levels at once.'
            )
        return nn.Sequential(*parts)
    if not isinstance(cfg, dict) or 'levels' not in cfg:
        return build_part(cfg, MODELS, key)
    one: Any = ConfigDict(cfg)
    levels = one.pop('levels')
    if not isinstance(levels, int) or levels < 1:
        raise ConfigError(f'{key}.levels must be a whole number >= 1, got {levels!r}.')
    made = nn.ModuleList(build_part(one, MODELS, key) for _ in range(levels))
    if takes_levels(made[0]):
        raise ConfigError(f'{key}.levels: {type(made[0]).__name__} takes all levels at once; remove `levels`.')
    return made


def takes_levels(part: nn.Module) -> bool:
    """Whether a loss or a connector is called once with the list of all levels; a sequence follows its connectors."""
    return getattr(part, 'takes_levels', isinstance(part, nn.Sequential) and any(map(takes_levels, part)))


def connector_at(connectors: nn.ModuleDict, name: str, level: int) -> tuple[str, Any]:
    """The connector of a level, and its name, such as `fpn[2]` if there is one per level."""
    module = connectors[name]
    return (f'{name}[{level}]', module[level]) if isinstance(module, nn.ModuleList) else (name, module)


def call_connector(connector: Any, value: Any) -> Any:
    """The output of a connector for a record, or for the list of all levels.

    Raises:
        ValueError: If it changes the record, or does not take and return a list of levels when it should.
    """
    before = _versions(value)
    given = map_tensors(Tensor.contiguous, value) if _is_of_mmrazor(connector) else value
    result = _fused(connector, given) if takes_levels(connector) else connector(given)
    if _versions(value) != before:
        raise ValueError('it changes the record in place, which other losses may use; set inplace=False')
    return result


def _versions(value: Any) -> list[int]:
    """How often each tensor was changed in place."""
    return [tensor._version for tensor in tensors_in(value)]


def _fused(connector: nn.Module, levels: Any) -> list:
    """The output of a connector that takes all levels at once."""
    if not isinstance(levels, (list, tuple)):
        raise ValueError(f'it takes a list of levels, got {describe(levels)}; list them in data_idx')
    results = connector(list(levels))
    if not isinstance(results, (list, tuple)) or len(results) != len(levels):
        raise ValueError(f'it must return {len(levels)} levels, got {describe(results)}')
    return list(results)


def call_loss(loss: nn.Module, values: Mapping[str, Any]) -> Tensor:
    """Compute a loss in float32, whatever the autocast context; 0-dim.

    Raises:
        ValueError: If the result is not one number, or it changes its arguments.
    """
    values = dict(values)
    before = _versions(values)
    device = next((t.device.type for t in tensors_in(values)), 'cpu')
    with torch.autocast(device, enabled=False):
        given = map_tensors(to_float32, values)
        result = loss(**(map_tensors(Tensor.contiguous, given) if _is_of_mmrazor(loss) else given))
    if _versions(values) != before:
        raise ValueError('it changes its arguments in place, which other losses may use')
    if not isinstance(result, Tensor) or result.numel() != 1:
        raise ValueError(f'a loss must be one number, got {describe(result)}; set its reduction')
    return result.reshape(())


def _is_of_mmrazor(part: nn.Module) -> bool:
    """Whether a part is MMRazor's, whose `view` rejects maps that are not contiguous (channels-last, or tokens)."""
    return any(kind.__module__.startswith('mmrazor.') for kind in type(part).__mro__)


def to_float32(tensor: Tensor) -> Tensor:
    """A tensor of half precision as float32; any other as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def explain(error: Exception, key: str, given: str) -> None:
    """Raise ConfigError for an error that the config can fix; add a note of where it happened to any other error."""
    if config_can_mend(error):
        reason = str(error).rstrip('.') or 'it rejects its input'
        raise ConfigError(f'{key}: {reason} ({given}).') from error
    if hasattr(error, 'add_note'):  # from Python 3.11 on
        error.add_note(f'{key}: {given}.')


def describe(value: Any) -> str:
    """Shapes of a value, for messages."""
    shapes = [tuple(tensor.shape) for tensor in tensors_in(value)]
    if isinstance(value, Tensor):
        return str(shapes[0])
    return f'{type(value).__name__} of {shapes}' if shapes else type(value).__name__


def unlike(values: Mapping[str, Any]) -> str:
    """A hint if some arguments are vectors and others are maps."""
    kinds: dict[str, str] = {}
    for arg, value in values.items():
        dims = {tensor.ndim for tensor in tensors_in(value) if tensor.is_floating_point()}
        if dims in ({2}, {4}):
            kinds.setdefault('vectors' if dims == {2} else 'maps', arg)
    if len(kinds) < 2:
        return ''
    return (
        f'; {kinds["vectors"]} is vectors where {kinds["maps"]} is maps: record what comes before the pooling, or of a '
        "transformer its maps (out_type='featmap')"
    )
