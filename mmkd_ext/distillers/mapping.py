"""`loss_forward_mappings` as data: the records behind each argument of each loss.

An argument is one value or a list of values, one per level. Four ways to give "levels" in a config come down to that:

* A list under any key of a mapping makes the argument a list, with one `Source` per level.
* A connector's `levels=n` is a connector per level, for an argument of n levels.
* A part (connector or loss) with `takes_levels = True` is called once, with the list; any other part is called for
  each level.
* `connector_idx` picks an item of a connector's output for a level.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

from torch import nn

from mmkd_ext.distillers.parts import takes_levels
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.recorders.manager import RecorderManager

DISTILLER_KEY = 'model.distiller'
MAPPINGS_KEY = f'{DISTILLER_KEY}.loss_forward_mappings'
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {  # for the keys that may be a list of levels
    'recorder': ((str,), "a recorder's name"),
    'record_idx': ((int,), 'a whole number'),
    'data_idx': (
        (int, str, type(None)),
        'the index or key of an item (an item of an item needs its own recorder)',
    ),
    'connector': ((str, type(None)), "a connector's name"),
    'connector_idx': ((int, type(None)), 'a whole number'),
}
_KEYS = (*_KINDS, 'from_student')


@dataclass(frozen=True)
class Source:
    """Where one level of an argument comes from."""

    from_student: bool
    recorder: str
    record_idx: int = 0
    data_idx: int | str | None = None
    connector: str | None = None
    connector_idx: int | None = None

    def __str__(self) -> str:
        """The record and its level, for messages."""
        side = 'student' if self.from_student else 'teacher'
        level = '' if self.data_idx is None else f'[{self.data_idx}]'
        through = f' through connector {self.connector!r}' if self.connector else ''
        return f'{side} recorder {self.recorder!r}{level}{through}'


@dataclass(frozen=True)
class Argument:
    """Where an argument of a loss comes from.

    Attributes:
        sources: One per level.
        listed: Whether it is a list with a value for each source; otherwise it is the value of the only source.
        fused: Whether its connector gets all levels at once.
    """

    sources: tuple[Source, ...]
    listed: bool
    fused: bool

    @property
    def has_levels(self) -> bool:
        """Whether its value is a list with one value per level."""
        return self.listed or self.fused

    def at(self, level: int) -> Source:
        """The source of a level; the only source if there is no list."""
        return self.sources[level if self.listed else 0]

    def __str__(self) -> str:
        """Its sources, for messages."""
        return ', '.join(map(str, self.sources))


Arguments = dict[str, Argument]
Wiring = dict[str, Arguments]


@dataclass(frozen=True)
class Parts:
    """The parts that a mapping may name."""

    losses: nn.ModuleDict
    connectors: nn.ModuleDict
    student_recorders: RecorderManager
    teacher_recorders: RecorderManager

    def recorders(self, source: Source) -> RecorderManager:
        """The recorders of the side that a source is on."""
        return self.student_recorders if source.from_student else self.teacher_recorders


def parse_mappings(mappings: Mapping[str, Mapping], parts: Parts) -> Wiring:
    """The wiring of a distiller.

    Raises:
        ConfigError: If a mapping does not fit the parts; the message begins with its key.
    """
    if not isinstance(mappings, Mapping):
        raise ConfigError(f'{MAPPINGS_KEY} must be a dict of losses, got {mappings!r}.')
    return {name: _parse_arguments(name, arguments, parts) for name, arguments in mappings.items()}


def _parse_arguments(name: str, arguments: Any, parts: Parts) -> Arguments:
    key = f'{MAPPINGS_KEY}.{name}'
    if name not in parts.losses:
        raise ConfigError(f'{key} has no loss in {DISTILLER_KEY}.distill_losses; {nearest(name, parts.losses)}.')
    if not isinstance(arguments, Mapping):
        raise ConfigError(f'{key} must be a dict of the arguments of the loss, got {arguments!r}.')
    loss = parts.losses[name]
    aliases: dict[str, str] = getattr(loss, 'aliases', {})
    parsed = {aliases.get(arg) or arg: parse_argument(entry, f'{key}.{arg}', parts) for arg, entry in arguments.items()}
    _check_arguments(loss, parsed, key)
    counts = {arg: len(argument.sources) for arg, argument in parsed.items() if argument.listed}
    if len(set(counts.values())) > 1:
        raise ConfigError(f'{key}: the arguments name different numbers of levels, {counts}.')
    return parsed


def parse_argument(entry: Any, key: str, parts: Parts) -> Argument:
    """One argument of a loss.

    Args:
        entry: Its mapping.
        key: The config key of the mapping, for messages.
        parts: The parts that it may name.

    Raises:
        ConfigError: If it is malformed, or names something that does not exist.
    """
    if not isinstance(entry, Mapping):
        raise ConfigError(f'{key} must be a dict with `from_student` and `recorder`, got {entry!r}.')
    for name in entry:
        if name not in _KEYS:
            raise ConfigError(f'{key}.{name} is unknown; {nearest(name, _KEYS)}.')
    for name in ('recorder', 'from_student'):
        if name not in entry:
            raise ConfigError(f'{key}.{name} is missing.')
    if not isinstance(entry['from_student'], bool):
        raise ConfigError(f'{key}.from_student must be True or False, got {entry["from_student"]!r}.')
    values = {name: entry.get(name, 0 if name == 'record_idx' else None) for name in _KINDS}
    lists = {name: value for name, value in values.items() if isinstance(value, (list, tuple))}
    if len({len(value) for value in lists.values()}) > 1 or any(not value for value in lists.values()):
        raise ConfigError(f'{key}: {" and ".join(lists)} must list the same number of levels, at least one.')
    _check_kinds(values, lists, key)
    fused = _check_fusing(values, lists, key, parts)
    count = len(next(iter(lists.values()))) if lists else 1
    sources = []
    for i in range(count):
        level = {name: value[i] if name in lists else value for name, value in values.items()}
        sources.append(Source(from_student=entry['from_student'], **level))
        _check_source(sources[-1], key, parts)
        _check_levels(sources[-1], count if lists else None, key, parts)
    return Argument(tuple(sources), bool(lists), fused)


def _check_kinds(values: Mapping[str, Any], lists: Mapping[str, Any], key: str) -> None:
    for name, (kinds, what) in _KINDS.items():
        for value in lists.get(name, [values[name]]):
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise ConfigError(f'{key}.{name} must be {what}, or a list with one per level, got {values[name]!r}.')


def _check_fusing(values: Mapping, lists: Mapping, key: str, parts: Parts) -> bool:
    """Whether the connector takes all levels at once; then it is named once, and all that it returns is used."""
    names = lists.get('connector', [values['connector']])
    fusing = [name for name in names if name in parts.connectors and takes_levels(parts.connectors[name])]
    for name in fusing:
        if 'connector' in lists:
            raise ConfigError(f'{key}.connector={name!r} takes all levels at once; name it once.')
        if values['connector_idx'] is not None:
            raise ConfigError(f'{key}.connector={name!r} returns all levels, which are used; remove connector_idx.')
    return bool(fusing)


def _check_source(source: Source, key: str, parts: Parts) -> None:
    try:
        parts.recorders(source)[source.recorder]
    except ConfigError as error:
        raise ConfigError(f'{key}.recorder: {error}') from None
    if source.connector is not None and source.connector not in parts.connectors:
        raise ConfigError(
            f'{key}.connector={source.connector!r} is not in {DISTILLER_KEY}.connectors; '
            f'{nearest(source.connector, parts.connectors)}.'
        )


def _check_levels(source: Source, count: int | None, key: str, parts: Parts) -> None:
    """Check that one connector per level gets as many levels; `count` is None if the mapping lists none."""
    module = parts.connectors[source.connector] if source.connector else None
    if isinstance(module, nn.ModuleList) and len(module) != count:
        raise ConfigError(
            f'{key}: {DISTILLER_KEY}.connectors.{source.connector}.levels={len(module)}, but the mapping names '
            f'{"no list of" if count is None else count} levels.'
        )


def _check_arguments(loss: nn.Module, given: Mapping[str, Any], key: str) -> None:
    """Compare the arguments in a mapping with those of the loss's forward."""
    parameters = signature(loss.forward).parameters
    if any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise ConfigError(f'{key}.{name} is not an argument of {type(loss).__name__}; {nearest(name, parameters)}.')
    for name, parameter in parameters.items():
        needed = parameter.default is Parameter.empty and parameter.kind is not Parameter.VAR_POSITIONAL
        if needed and name not in given:
            raise ConfigError(f'{key}.{name} is missing: {type(loss).__name__} takes {", ".join(parameters)}.')


def sources_of(wiring: Wiring) -> Iterator[Source]:
    """All sources of all losses."""
    for arguments in wiring.values():
        for argument in arguments.values():
            yield from argument.sources


def levels_of(wiring: Wiring) -> Iterator[tuple[str, dict[str, Source]]]:
    """The name of each loss, and where its arguments come from; once for each of its levels."""
    for name, arguments in wiring.items():
        for i in range(max((len(argument.sources) for argument in arguments.values()), default=1)):
            yield name, {arg: argument.at(i) for arg, argument in arguments.items()}


def needed_records(wiring: Wiring, from_student: bool) -> dict[str, int | None]:
    """How many records of each recorder the losses use; None where an index counts from the end."""
    needed: dict[str, int | None] = {}
    for source in sources_of(wiring):
        if source.from_student == from_student:
            so_far = needed.get(source.recorder, 0)
            backwards = source.record_idx < 0 or so_far is None
            needed[source.recorder] = None if backwards else max(so_far or 0, source.record_idx + 1)
    return needed
