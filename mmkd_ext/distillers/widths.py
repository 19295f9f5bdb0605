"""Explain errors that come from connectors whose configured channels do not match the records."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

from torch import Tensor

from mmkd_ext.distillers.mapping import DISTILLER_KEY, Argument, Source
from mmkd_ext.distillers.parts import describe
from mmkd_ext.errors import ConfigError, config_can_mend


def _width(cfg: Any, key: str, end: str) -> tuple[str, int] | None:
    """The config key and value of a connector's input or output channels; None if its config has none.

    Args:
        cfg: The connector's config, or a list of several in sequence.
        key: The config key of the connector.
        end: `in` or `out`.
    """
    if isinstance(cfg, (list, tuple)) and cfg:
        at = 0 if end == 'in' else len(cfg) - 1
        cfg, key = cfg[at], f'{key}[{at}]'
    names = [f'{end}_channels', f'{end}_channel'] if isinstance(cfg, dict) else []  # MMRazor uses both
    return next(((f'{key}.{name}', cfg[name]) for name in names if isinstance(cfg.get(name), int)), None)


def _told(source: Source, end: str, cfgs: Mapping[str, Any]) -> tuple[str, int] | None:
    name = source.connector
    return _width(cfgs[name], f'{DISTILLER_KEY}.connectors.{name}', end) if name else None


def _channels(value: Any) -> tuple[int, int] | None:
    """The channels and the number of dimensions of a map or of vectors, (B, C, ...)."""
    return (value.shape[1], value.ndim) if isinstance(value, Tensor) and value.ndim in (2, 4) else None


def explain_given(error: Exception, value: Any, source: Source, cfgs: Mapping[str, Any]) -> None:
    """Raise ConfigError if a connector fails because its record has other channels than configured.

    Args:
        error: The error that it raised.
        value: The record.
        source: Where the record comes from, with the connector's name.
        cfgs: The configs of all connectors.
    """
    told, found = _told(source, 'in', cfgs), _channels(value)
    if told and found and found[0] != told[1] and config_can_mend(error):
        record = replace(source, connector=None)
        raise ConfigError(f'{told[0]}={told[1]}, but {record} has {found[0]} channels, {describe(value)}.') from error


def explain_compared(
    error: Exception, values: Mapping[str, Any], origins: Mapping[str, Argument | Source], cfgs: Mapping[str, Any]
) -> None:
    """Raise ConfigError if a loss fails because a connector's output channels do not match the other side's.

    Args:
        error: The error that it raised.
        values: The arguments of the loss.
        origins: Where each argument comes from.
        cfgs: The configs of all connectors.
    """
    if not config_can_mend(error):
        return
    sources = {arg: o.at(0) if isinstance(o, Argument) else o for arg, o in origins.items()}
    for (arg, source), (other, against) in permutations(sources.items(), 2):
        told, given, wanted = _told(source, 'out', cfgs), _channels(values[arg]), _channels(values[other])
        if told and given and wanted and given[1] == wanted[1] and given[0] == told[1] != wanted[0]:
            raise ConfigError(
                f'{told[0]}={told[1]}, but {against} has {wanted[0]} channels, {describe(values[other])}, so that '
                f'{DISTILLER_KEY}.distill_losses cannot compare them: {str(error).rstrip(".")}.'
            ) from error
