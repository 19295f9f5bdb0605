"""A recipe: the content of a distillation config besides those of student and teacher, and its parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes.look import Look, Record

_WIDTHS = {'mmrazor.MGDConnector': ('student_channels', 'teacher_channels')}


class MisfitError(ConfigError):
    """A method that does not fit a model; the message is the reason, without the method's name."""


class Code(str):
    """Python code that is written into a config as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclass
class Recipe:
    """The content of a distillation config besides those of student and teacher.

    Attributes:
        algorithm: Type of the model.
        distiller: Its distiller.
        architecture: The student, as Python code in which the student's config is `_base_`.
        inherit: Parts of the student that start with the teacher's weights.
        hooks: Hooks in addition to the student's.
        clip: Norm to clip gradients at, if the student's config does not clip.
        class_means: Names of the losses that need class means.
        compared: What is compared, in words.
    """

    algorithm: str
    distiller: dict[str, Any]
    compared: str
    architecture: Any = Code('_base_.model')
    inherit: list[str] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    clip: int | None = None
    class_means: list[str] = field(default_factory=list)


def weighted_head(cfg: Mapping[str, Any], weight: float, wrap: Callable[[dict], dict] = lambda loss: loss) -> dict:
    """A classifier's head whose own loss has another weight."""
    own = (cfg['model'].get('head') or {}).get('loss')
    loss: dict[str, Any] = {'*': Code('_base_.model.head.loss')} if own else dict(type='CrossEntropyLoss')
    return {'*': Code('_base_.model.head'), 'loss': wrap({**loss, 'loss_weight': weight})}


def needed(found: list[Record], look: Look, who: str, what: str, where: str) -> list[Record]:
    """The records that were found; raises MisfitError, with the reason, if there are none."""
    if not found:
        raise MisfitError(
            f'the {who} ({type(look.model).__name__}) has no {what}: {look.why.get(where) or "none is known"}'
        )
    return found


def connectors_of(name: str, connector: dict, widths: Sequence[tuple[int, int]]) -> dict[str, dict]:
    """One connector per level, as a single entry if all are alike."""
    given, wanted = _WIDTHS.get(connector['type'], ('in_channels', 'out_channels'))
    if len({*widths}) == 1:
        ((a, b),) = {*widths}
        made = {'type': connector['type'], given: a, wanted: b, **connector}
        return {name: made if len(widths) == 1 else dict(made, levels=len(widths))}
    each = [{'type': connector['type'], given: a, wanted: b, **connector} for a, b in widths]
    return {f'{name}{i}': one for i, one in enumerate(each)}


def mapped(
    ours: bool, recorder: str | list[str], records: Sequence[Record], connectors: Sequence[str] = ()
) -> dict[str, Any]:
    """The mapping entry of a loss's argument."""
    entry: dict[str, Any] = dict(from_student=ours, recorder=recorder)
    items = [record.data_idx for record in records]
    if any(item is not None for item in items):
        entry['data_idx'] = items if len(items) > 1 else items[0]
    if connectors:
        entry['connector'] = connectors[0] if len(connectors) == 1 else list(connectors)
    return entry


def distiller_of(recorders: Sequence[dict], connectors: dict, losses: dict, mappings: dict) -> dict[str, Any]:
    """The distiller's config, from the student's and the teacher's recorders and the rest."""
    parts: dict[str, Any] = dict(type='ConfigurableDistiller', student_recorders=recorders[0])
    if recorders[1]:
        parts['teacher_recorders'] = recorders[1]
    if connectors:
        parts['connectors'] = connectors
    return dict(parts, distill_losses=losses, loss_forward_mappings=mappings)


def described(records: Sequence[Record]) -> str:
    """`neck[0, 1, 2]: 32, strides 4, 8, 16`."""
    sources = list(dict.fromkeys(record.source for record in records))
    items = [record.data_idx for record in records if record.data_idx is not None]
    place = sources[0] if len(sources) == 1 else ', '.join(sources)
    if len(sources) == 1 and items and records[0].type == 'ModuleOutputs':
        place += str(list(dict.fromkeys(items)))
    widths = ', '.join(str(width) for width in dict.fromkeys(record.channels for record in records))
    strides = [record.stride for record in records if record.stride]
    at = f', stride{"s" if len(strides) > 1 else ""} {", ".join(map(str, strides))}' if strides else ''
    return f'{place} ({widths} channels{at})'
