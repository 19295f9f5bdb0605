"""The distiller: which records go through which connector into which loss, all from a config.

    distiller = dict(
        type='ConfigurableDistiller',
        student_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        teacher_recorders=dict(fpn=dict(type='ModuleOutputs', source='neck')),
        connectors=dict(fpn=dict(type='ChannelMLPConnector', in_channels=256, out_channels=256, levels=4)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=5e-7)),
        loss_forward_mappings=dict(
            loss_cwt=dict(
                student=dict(from_student=True, recorder='fpn', data_idx=[0, 1, 2, 3], connector='fpn'),
                teacher=dict(from_student=False, recorder='fpn', data_idx=[0, 1, 2, 3]))))

The keys are MMRazor's. Two shorthands come on top. In a mapping, `recorder`, `record_idx`, `data_idx` or `connector`
may be a list: the loss is computed for each level and summed (a loss that says `takes_levels = True` gets the lists
instead). And a connector's config may say `levels=4`: four of them, one a level. A connector that says
`takes_levels = True` is named once, gets the list of all levels and returns as many.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, NamedTuple

import torch
from mmengine import dist
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd_ext.build import build_part
from mmkd_ext.distillers.classes import HEADS, class_count, first_difference
from mmkd_ext.distillers.gradients import Reach, why_none
from mmkd_ext.errors import ConfigError, config_can_mend, nearest
from mmkd_ext.recorders.base import Recorder, map_tensors, tensors_in
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.registry import MODELS

KEY = 'model.distiller'
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {  # of what may be a list of levels
    'recorder': ((str,), "a recorder's name"),
    'record_idx': ((int,), 'a whole number'),
    'data_idx': (
        (int, str, type(None)),
        'the index or key of an item (an item of an item needs a recorder of its own)',
    ),
    'connector': ((str, type(None)), "a connector's name"),
    'connector_idx': ((int, type(None)), 'a whole number'),
}
_MAPPING_KEYS = (*_KINDS, 'from_student')


class _Source(NamedTuple):
    """Where one level of one loss argument comes from."""

    recorder: str
    from_student: bool
    record_idx: int
    data_idx: int | str | None
    connector: str | None
    connector_level: int | None
    connector_idx: int | None

    def __str__(self) -> str:
        """For messages: the record and its level."""
        side = 'student' if self.from_student else 'teacher'
        level = '' if self.data_idx is None else f'[{self.data_idx}]'
        through = f' through connector {self.connector!r}' if self.connector else ''
        return f'{side} recorder {self.recorder!r}{level}{through}'


_Entry = list[_Source] | _Source


@MODELS.register_module(name=['ConfigurableDistiller', 'BYOTDistiller'])
class ConfigurableDistiller(nn.Module):
    """Computes distillation losses of recorded results; the trainable parts are its connectors.

    What is recorded of the teacher gets no gradient, so MMRazor's `BYOTDistiller` is the same class here. Connectors
    and losses that no mapping uses are left out, with a warning.

    Args:
        student_recorders: Name to recorder config, attached to the student.
        teacher_recorders: The same for the teacher.
        distill_deliveries: Not supported; must be empty.
        connectors: Name to connector config. A list of configs is applied in sequence. `levels=n` in a config makes n.
        distill_losses: Name to loss config; names hold `loss`, as mmengine sums those.
        loss_forward_mappings: Name of a loss to {argument of its forward: where that comes from}, with the keys
            `from_student`, `recorder` and, where wanted, `record_idx` (0), `data_idx` (None: the whole record),
            `connector` (None) and `connector_idx` (None: all that the connector returns).

    Raises:
        ConfigError: Where any of these does not fit the others; the message begins with the config key.
    """

    def __init__(
        self,
        student_recorders: Mapping[str, dict] | None = None,
        teacher_recorders: Mapping[str, dict] | None = None,
        distill_deliveries: Mapping[str, dict] | None = None,
        connectors: Mapping[str, dict | list] | None = None,
        distill_losses: Mapping[str, dict] | None = None,
        loss_forward_mappings: Mapping[str, Mapping[str, Mapping]] | None = None,
    ) -> None:
        super().__init__()
        if distill_deliveries:
            raise ConfigError(f'{KEY}.distill_deliveries is not supported; remove it.')
        self.student_recorders = RecorderManager(student_recorders, f'{KEY}.student_recorders')
        self.teacher_recorders = RecorderManager(teacher_recorders, f'{KEY}.teacher_recorders')
        self.connectors = nn.ModuleDict()
        for name, cfg in (connectors or {}).items():
            _check_name(self.connectors, name, f'{KEY}.connectors.{name}')
            self.connectors[name] = _build_connector(cfg, f'{KEY}.connectors.{name}')
        self.distill_losses = nn.ModuleDict()
        for name, cfg in (distill_losses or {}).items():
            _check_name(self.distill_losses, name, f'{KEY}.distill_losses.{name}')
            if 'loss' not in name:
                raise ConfigError(
                    f"{KEY}.distill_losses.{name}: a loss's name must contain 'loss', or it is not trained on."
                )
            self.distill_losses[name] = build_part(cfg, MODELS, f'{KEY}.distill_losses.{name}')
        self._mappings = self._parse_mappings(loss_forward_mappings or {})
        self._tell_recorders()
        self._given: dict[str, dict[str, Any]] = {}  # the arguments of each loss, until their gradients are checked
        self._gradients_checked = False
        self.loss_factors: dict[str, float] = {}  # of scheduled losses, set by a hook before each step
        self._drop_unused()

    def _parse_mappings(self, mappings: Mapping[str, Mapping]) -> dict[str, dict[str, _Entry]]:
        """Turn the mappings into sources: one, or one a level, for each argument of each loss."""
        parsed = {}
        if not isinstance(mappings, Mapping):
            raise ConfigError(f'{KEY}.loss_forward_mappings must be a dict of losses, got {mappings!r}.')
        for name, arguments in mappings.items():
            key = f'{KEY}.loss_forward_mappings.{name}'
            if name not in self.distill_losses:
                raise ConfigError(f'{key} has no loss in {KEY}.distill_losses; {nearest(name, self.distill_losses)}.')
            if not isinstance(arguments, Mapping):
                raise ConfigError(f'{key} must be a dict of the arguments of the loss, got {arguments!r}.')
            aliases = getattr(self.distill_losses[name], 'aliases', {})
            sources = {
                aliases.get(arg, arg): self._parse_source(entry, f'{key}.{arg}') for arg, entry in arguments.items()
            }
            _check_arguments(self.distill_losses[name], sources, key)
            counts = {arg: len(levels) for arg, levels in sources.items() if isinstance(levels, list)}
            if len(set(counts.values())) > 1:
                raise ConfigError(f'{key}: the arguments name different numbers of levels, {counts}.')
            parsed[name] = sources
        return parsed

    def _parse_source(self, entry: Mapping, key: str) -> _Entry:
        if not isinstance(entry, Mapping):
            raise ConfigError(f'{key} must be a dict with `from_student` and `recorder`, got {entry!r}.')
        for name in entry:
            if name not in _MAPPING_KEYS:
                raise ConfigError(f'{key}.{name} is unknown; {nearest(name, _MAPPING_KEYS)}.')
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
        self._check_fusing(values, lists, key)
        count = len(next(iter(lists.values()))) if lists else 1
        levels = []
        for i in range(count):
            level = {name: value[i] if name in lists else value for name, value in values.items()}
            levels.append(self._checked_source(level, entry['from_student'], i if lists else None, count, key))
        return levels if lists else levels[0]

    def _check_fusing(self, values: Mapping, lists: Mapping, key: str) -> None:
        """A connector that takes all levels at once is named once, and all that it returns is used."""
        for name in lists.get('connector', [values['connector']]):
            if name in self.connectors and _takes_levels(self.connectors[name]):
                if 'connector' in lists:
                    raise ConfigError(f'{key}.connector={name!r} takes all levels at once; name it once.')
                if values['connector_idx'] is not None:
                    raise ConfigError(
                        f'{key}.connector={name!r} returns all levels, which are used; remove connector_idx.'
                    )

    def _checked_source(self, level: dict, from_student: bool, i: int | None, count: int, key: str) -> _Source:
        recorders = self.student_recorders if from_student else self.teacher_recorders
        try:
            recorders[level['recorder']]
        except ConfigError as error:
            raise ConfigError(f'{key}.recorder: {error}') from None
        connector = level['connector']
        connector_level = None
        if connector is not None:
            if connector not in self.connectors:
                raise ConfigError(
                    f'{key}.connector={connector!r} is not in {KEY}.connectors; {nearest(connector, self.connectors)}.'
                )
            module = self.connectors[connector]
            if isinstance(module, nn.ModuleList):
                connector_level, made = i, len(module)
                if i is None or made != count:
                    raise ConfigError(
                        f'{key}: {KEY}.connectors.{connector}.levels={made}, but the mapping names '
                        f'{count if i is not None else "no list of"} levels.'
                    )
        return _Source(
            level['recorder'], from_student, level['record_idx'], level['data_idx'], connector, connector_level,
            level['connector_idx'],
        )  # fmt: skip

    def _sources(self) -> list[_Source]:
        entries = [entry for arguments in self._mappings.values() for entry in arguments.values()]
        return [source for entry in entries for source in (entry if isinstance(entry, list) else [entry])]

    def _tell_recorders(self) -> None:
        """Which items of their records the losses use; all, of a recorder that no loss uses."""
        used: dict[Recorder, set] = {}
        for source in self._sources():
            recorders = self.student_recorders if source.from_student else self.teacher_recorders
            used.setdefault(recorders[source.recorder], set()).add(source.data_idx)
        for recorder, items in used.items():
            recorder.items = None if None in items else items

    def _drop_unused(self) -> None:
        """A connector that no loss uses would get no gradient, which distributed training refuses."""
        used = {source.connector for source in self._sources()}
        for parts, what, kept in (
            (self.distill_losses, 'distill_losses', self._mappings),
            (self.connectors, 'connectors', used),
        ):
            for name in [name for name in parts if name not in kept]:
                del parts[name]
                where = f'no entry of {KEY}.loss_forward_mappings'
                print_log(f'{KEY}.{what}.{name} is used by {where}; it is left out.', 'current', logging.WARNING)

    def needed(self, from_student: bool) -> dict[str, int | None]:
        """How many records of each recorder the losses use; None where an index counts from the end."""
        needed: dict[str, int | None] = {}
        for source in self._sources():
            if source.from_student != from_student:
                continue
            so_far = needed.get(source.recorder, 0)
            backwards = source.record_idx < 0 or so_far is None
            needed[source.recorder] = None if backwards else max(so_far or 0, source.record_idx + 1)
        return needed

    def check_teacher(self, teacher: nn.Module) -> None:
        """Let each loss that holds something made by a teacher (class means) see that it was this one.

        Raises:
            ConfigError: If it was not.
        """
        self._ask_losses('check_teacher', teacher)

    def _ask_losses(self, check: str, value: Any) -> None:
        for name, loss in self.distill_losses.items():
            try:
                getattr(loss, check, lambda _: None)(value)
            except ValueError as error:
                raise ConfigError(f'{KEY}.distill_losses.{name}: {str(error).rstrip(".")}.') from None

    def check_classes(self, student: nn.Module, teacher: nn.Module) -> None:
        """Refuse a loss that compares class by class where student and teacher have other numbers of classes.

        Raises:
            ConfigError: If they do; it names both keys.
        """
        ours, theirs = class_count(student), class_count(teacher)
        if ours is None or theirs is None or ours[1] == theirs[1]:
            return
        for name in self._by_class():
            raise ConfigError(
                f'{KEY}.distill_losses.{name} compares class by class, but model.architecture.{ours[0]}={ours[1]} '
                f'and model.teacher.{theirs[0]}={theirs[1]}; take a teacher of the same classes.'
            )

    def check_data(self, data: Sequence[str], student: nn.Module, teacher: Sequence[str] | None) -> Iterator[str]:
        """Refuse a loss that compares class by class where the data set has other classes than student or teacher.

        Args:
            data: The names of the data set's classes.
            student: The student.
            teacher: The names of the classes that the teacher was trained on; None where its file does not say.

        Yields:
            A sentence where the teacher's names are others, which may be another spelling.

        Raises:
            ConfigError: If the student has another number of classes, the teacher has them in another order, or what a
                loss holds (class means) is of other classes.
        """
        ours = class_count(student)
        for name in self._by_class():
            key = f'{KEY}.distill_losses.{name} compares class by class, but'
            if ours is not None and ours[1] != len(data):
                raise ConfigError(
                    f'{key} model.architecture.{ours[0]}={ours[1]} and train_dataloader.dataset has {len(data)} '
                    'classes; set the one or correct the other.'
                )
            differs = first_difference(data, teacher or data)
            if differs and sorted(data) == sorted(teacher or data):
                raise ConfigError(
                    f"{key} the teacher was trained with the data set's classes in another order: class {differs}; "
                    'give train_dataloader.dataset.metainfo the order of the teacher.'
                )
            if differs:
                yield f'{key} the data set and the checkpoint of the teacher name their classes differently: {differs}.'
        self._ask_losses('check_data', data)

    def _by_class(self) -> Iterator[str]:
        """The losses that compare what student and teacher say of the same class."""
        for name, arguments in self.levels():
            sources = [arguments[arg] for arg in ('student', 'teacher') if arg in arguments]
            of_heads = all(self._source_name(source).startswith(HEADS) and not source.connector for source in sources)
            if getattr(self.distill_losses[name], 'by_class', False) and ('labels' in arguments or of_heads):
                yield name

    def _source_name(self, source: _Source) -> str:
        recorders = self.student_recorders if source.from_student else self.teacher_recorders
        return recorders[source.recorder].source

    def levels(self) -> Iterator[tuple[str, dict[str, _Source]]]:
        """The name of each loss, and where its arguments come from; once for each of its levels."""
        for name, arguments in self._mappings.items():
            for i in range(max((len(entry) for entry in arguments.values() if isinstance(entry, list)), default=1)):
                yield name, {arg: entry[i] if isinstance(entry, list) else entry for arg, entry in arguments.items()}

    def recorder(self, source: _Source) -> Recorder:
        """The recorder of a source."""
        return (self.student_recorders if source.from_student else self.teacher_recorders)[source.recorder]

    def compute_distill_losses(self, idle: Collection[str] = ()) -> dict[str, Tensor]:
        """The losses of what the recorders hold; computed in float32, whatever the autocast context.

        Args:
            idle: Losses that are 0 because there is nothing to compare in this process. Their connectors run all the
                same, so that one that sums over all processes (SyncBN) keeps none waiting.

        Returns:
            Name to 0-dim tensor, as named in `distill_losses`.

        Raises:
            ConfigError: If a record is missing, or a connector or a loss refuses what it is given.
        """
        losses = {}
        for name, arguments in self._mappings.items():
            if name in idle:
                losses[name] = self._idle(name, arguments)
                continue
            values = {arg: self._value(entry, name, arg) for arg, entry in arguments.items()}
            if not self._gradients_checked:
                self._given[name] = values
            levels = {arg: len(values[arg]) for arg, entry in arguments.items() if self._has_levels(entry)}
            if len(set(levels.values())) > 1:
                raise ConfigError(
                    f'{KEY}.loss_forward_mappings.{name}: the arguments give different numbers of levels, {levels}.'
                )
            if not levels or _takes_levels(self.distill_losses[name]):
                losses[name] = self._loss(name, values, arguments)
            else:
                total = [
                    self._loss(
                        name,
                        {arg: value[i] if arg in levels else value for arg, value in values.items()},
                        {arg: entry[i] if isinstance(entry, list) else entry for arg, entry in arguments.items()},
                    )
                    for i in range(next(iter(levels.values())))
                ]
                losses[name] = torch.stack(total).sum()
        for name, factor in self.loss_factors.items():
            losses[name] = losses[name] * factor
        return losses

    def _idle(self, name: str, arguments: dict[str, _Entry]) -> Tensor:
        """A zero, what its connectors give in the graph."""
        records = [recorder.records for recorder in self.student_recorders.recorders.values()]
        total = torch.zeros((), device=next(tensors_in(records), torch.empty(0)).device)
        for arg, entry in arguments.items():
            if any(source.connector for source in (entry if isinstance(entry, list) else [entry])):
                for tensor in tensors_in(self._value(entry, name, arg)):
                    total = total + 0.0 * tensor.sum()
        return total

    def synchronise(self) -> None:
        """Share with all processes what each one's losses gathered in training (running class means).

        One sum over the processes, in each step of all of them: a sum inside of a loss would keep them waiting for a
        process that had nothing to compute it of. A loss takes part that has `gathered`, a tensor, and
        `take_total`, which gets the sum of all processes' `gathered`.
        """
        losses: list[Any] = [part for part in self.distill_losses.modules() if hasattr(part, 'gathered')]
        if not losses or not self.training or not dist.is_distributed():
            return
        total = torch.cat([loss.gathered.flatten() for loss in losses])
        dist.all_reduce(total)
        for loss, part in zip(losses, total.split([loss.gathered.numel() for loss in losses]), strict=True):
            loss.take_total(part.view_as(loss.gathered))

    @torch.compiler.disable
    def check_gradients(self, losses: Mapping[str, Tensor], student: nn.Module | None) -> None:
        """Once, before anything was trained: each loss must train the student, and some loss each connector.

        A connector that gives no gradient itself (MMRazor's `Paraphraser`, once it is trained) is left alone, and so is
        a loss while it is idle, or a constant 0, for want of anything to learn from.

        Args:
            losses: What `compute_distill_losses` just returned.
            student: The model of the student's recorders; None where it is not to be trained.

        Raises:
            ConfigError: If no gradient reaches any record of the student that a loss uses, or a connector.
        """
        if self._gradients_checked or not torch.is_grad_enabled():
            return
        reaches = {name: Reach(losses[name]) for name in self._given}
        constant = [name for name in self._given if not losses[name].requires_grad and losses[name] == 0]
        if student is not None:
            for name in self._given:
                self._check_student(name, reaches[name], student, name in constant)
        if not constant and len(self._given) == len(self._mappings):  # none was idle
            self._check_connectors(reaches)
            self._gradients_checked = True
            self._given.clear()

    def _check_student(self, name: str, reach: Reach, student: nn.Module, constant: bool) -> None:
        records = [
            (source, tensor)
            for arg, entry in self._mappings[name].items()
            for source in (entry if isinstance(entry, list) else [entry])
            if source.from_student
            for tensor in tensors_in(self._record(source, name, arg))
            if tensor.is_floating_point()
        ]
        carrying = [source for source, tensor in records if tensor.requires_grad]
        if not records or (constant and carrying) or any(tensor in reach for _, tensor in records):
            return
        source = carrying[0] if carrying else records[0][0]
        key = f'{KEY}.loss_forward_mappings.{name}'
        if carrying:
            raise ConfigError(
                f'{key}: the student learns nothing from it: no gradient reaches what its recorder '
                f'{source.recorder!r} gives, which the loss or a connector detaches (are the two sides exchanged?).'
            )
        why = why_none(student, self.student_recorders[source.recorder])
        raise ConfigError(
            f'{key}: the student learns nothing from it: what its recorder {source.recorder!r} gives carries no '
            f'gradient; {why} (model.student_trainable=False trains connectors alone).'
        )

    def _check_connectors(self, reaches: Mapping[str, Reach]) -> None:
        """Each connector's results, where they carry a gradient, must be reached by some loss."""
        untrained: dict[tuple[str, int | None], str] = {}
        trained = set()
        for name, arguments in self._mappings.items():
            for arg, entry in arguments.items():
                for source, value in self._results(entry, self._given[name][arg]):
                    key = str(source.connector), source.connector_level
                    results = [tensor for tensor in tensors_in(value) if tensor.requires_grad]
                    if not results or any(tensor in reaches[name] for tensor in results):
                        trained.add(key)
                    else:
                        untrained.setdefault(key, f'{name}.{arg}')
        for (connector, level), user in untrained.items():
            module: Any = self.connectors[connector]
            module = module if level is None else module[level]
            if (connector, level) not in trained and any(p.requires_grad for p in module.parameters()):
                raise ConfigError(
                    f'{KEY}.connectors.{connector}{"" if level is None else f"[{level}]"} would never be trained: the '
                    f'loss sends no gradient to {KEY}.loss_forward_mappings.{user}; put a connector on the side that '
                    'is trained, or take a loss that trains this one.'
                )

    def _results(self, entry: _Entry, value: Any) -> list[tuple[_Source, Any]]:
        """The sources of an entry that have a connector, and what it made of them."""
        if not isinstance(entry, list):
            pairs = [(entry, value)]
        elif self._fuses(entry[0]):
            pairs = [(entry[0], value)]
        else:
            pairs = list(zip(entry, value, strict=True))
        return [(source, result) for source, result in pairs if source.connector is not None]

    def _has_levels(self, entry: _Entry) -> bool:
        return isinstance(entry, list) or self._fuses(entry)

    def _fuses(self, source: _Source) -> bool:
        return source.connector is not None and _takes_levels(self.connectors[source.connector])

    def _loss(self, name: str, values: dict[str, Any], arguments: dict[str, _Entry]) -> Tensor:
        device = next((t.device.type for t in tensors_in(values)), 'cpu')
        module = self.distill_losses[name]
        try:
            with torch.autocast(device, enabled=False):
                given = map_tensors(_to_float32, values)
                loss = module(**(map_tensors(Tensor.contiguous, given) if _is_of_mmrazor(module) else given))
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise ValueError(f'a loss must be one number, got {_describe(loss)}; set its reduction')
            return loss.reshape(())
        except Exception as error:
            shapes = '; '.join(f'{arg} is {_describe(values[arg])} from {_name(arguments[arg])}' for arg in arguments)
            _explain(error, f'{KEY}.distill_losses.{name}', f'{shapes}{_unlike(values)}')
            raise

    def _value(self, entry: _Entry, loss: str, arg: str) -> Any:
        """What the records of an entry hold, through its connector; a list where it has levels."""
        source = entry[0] if isinstance(entry, list) else entry
        if not isinstance(entry, list):
            value = self._record(entry, loss, arg)
        elif self._fuses(source):
            value = [self._record(level, loss, arg) for level in entry]
        else:
            return [self._value(level, loss, arg) for level in entry]
        return value if source.connector is None else self._connect(entry, source, value)

    def _record(self, source: _Source, loss: str, arg: str) -> Any:
        recorders = self.student_recorders if source.from_student else self.teacher_recorders
        try:
            value = recorders.get(source.recorder, source.record_idx, source.data_idx)
        except ConfigError as error:
            raise ConfigError(f'{KEY}.loss_forward_mappings.{loss}.{arg}: {error}') from None
        return value if source.from_student else map_tensors(Tensor.detach, value)

    def _connect(self, entry: _Entry, source: _Source, value: Any) -> Any:
        connector: Any = self.connectors[str(source.connector)]
        if source.connector_level is not None:
            connector = connector[source.connector_level]
        try:
            versions = [tensor._version for tensor in tensors_in(value)]
            given = map_tensors(Tensor.contiguous, value) if _is_of_mmrazor(connector) else value
            result = _fused(connector, given) if _takes_levels(connector) else connector(given)
            if versions != [tensor._version for tensor in tensors_in(value)]:
                raise ValueError('it changes the record in place, which other losses may use; set inplace=False')
            return result if source.connector_idx is None else result[source.connector_idx]
        except Exception as error:
            _explain(error, f'{KEY}.connectors.{source.connector}', f'given {_describe(value)} by {_name(entry)}')
            raise

    def prepare_from_student(self, model: nn.Module) -> None:
        """Let `with distiller.student_recorders:` record this model."""
        self.student_recorders.initialize(model)

    def prepare_from_teacher(self, model: nn.Module) -> None:
        """Let `with distiller.teacher_recorders:` record this model."""
        self.teacher_recorders.initialize(model)

    def get_record(self, recorder: str, from_student: bool, **where: Any) -> Any:
        """What an entry of a mapping stands for.

        Args:
            recorder: As in an entry of `loss_forward_mappings`.
            from_student: Likewise.
            **where: Likewise: `record_idx`, `data_idx`, `connector`, `connector_idx`. Of a record that losses use, only
                the items that they use are kept.
        """
        entry = self._parse_source(dict(where, recorder=recorder, from_student=from_student), 'get_record')
        return self._value(entry, 'get_record', recorder)

    def clear(self) -> None:
        """Drop all records: none outlives its step."""
        self._given.clear()
        self.student_recorders.clear()
        self.teacher_recorders.clear()


def _check_name(parts: nn.ModuleDict, name: str, key: str) -> None:
    if '.' in name or hasattr(parts, name):
        raise ConfigError(f'{key}: {name!r} cannot be a name here (a dot in it, or a word that torch uses); rename it.')


def _build_connector(cfg: Any, key: str) -> nn.Module:
    """A connector, several in sequence from a list, or one a level from `levels`."""
    if isinstance(cfg, (list, tuple)):
        parts = [build_part(c, MODELS, f'{key}[{i}]') for i, c in enumerate(cfg)]
        if len(set(map(_takes_levels, parts))) > 1:
            raise ConfigError(f'{key}: of connectors in sequence all or none must take all levels at once.')
        return nn.Sequential(*parts)
    if not isinstance(cfg, dict) or 'levels' not in cfg:
        return build_part(cfg, MODELS, key)
    one: Any = ConfigDict(cfg)
    levels = one.pop('levels')
    if not isinstance(levels, int) or levels < 1:
        raise ConfigError(f'{key}.levels must be a whole number >= 1, got {levels!r}.')
    made = nn.ModuleList(build_part(one, MODELS, key) for _ in range(levels))
    if _takes_levels(made[0]):
        raise ConfigError(f'{key}.levels: {type(made[0]).__name__} takes all levels at once; remove `levels`.')
    return made


def _takes_levels(part: nn.Module) -> bool:
    """Whether a loss or a connector wants the list of all levels; a sequence does as its connectors do."""
    return getattr(part, 'takes_levels', isinstance(part, nn.Sequential) and any(map(_takes_levels, part)))


def _fused(connector: nn.Module, levels: Any) -> list:
    """What a connector that takes all levels at once makes of them."""
    if not isinstance(levels, (list, tuple)):
        raise ValueError(f'it takes a list of levels, got {_describe(levels)}; list them in data_idx')
    results = connector(list(levels))
    if not isinstance(results, (list, tuple)) or len(results) != len(levels):
        raise ValueError(f'it must return {len(levels)} levels, got {_describe(results)}')
    return list(results)


def _check_arguments(loss: nn.Module, given: Mapping[str, Any], key: str) -> None:
    """Compare what a mapping gives with what the loss's forward takes."""
    parameters = signature(loss.forward).parameters
    if any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise ConfigError(f'{key}.{name} is no argument of {type(loss).__name__}; {nearest(name, parameters)}.')
    for name, parameter in parameters.items():
        if (
            parameter.default is Parameter.empty
            and parameter.kind is not Parameter.VAR_POSITIONAL
            and name not in given
        ):
            raise ConfigError(f'{key}.{name} is missing: {type(loss).__name__} takes {", ".join(parameters)}.')


def _check_kinds(values: Mapping[str, Any], lists: Mapping[str, Any], key: str) -> None:
    for name, (kinds, what) in _KINDS.items():
        for value in lists.get(name, [values[name]]):
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise ConfigError(f'{key}.{name} must be {what}, or a list with one a level, got {values[name]!r}.')


def _explain(error: Exception, key: str, given: str) -> None:
    """Raise ConfigError for what the config can mend; to any other error add a note of where it happened."""
    if config_can_mend(error):
        reason = str(error).rstrip('.') or 'it refuses what it is given'
        raise ConfigError(f'{key}: {reason} ({given}).') from error
    if hasattr(error, 'add_note'):  # from Python 3.11 on
        error.add_note(f'{key}: {given}.')


def _unlike(values: Mapping[str, Any]) -> str:
    """A hint where some arguments are vectors and others are maps."""
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


def _is_of_mmrazor(part: nn.Module) -> bool:
    """Its parts use `view`, which refuses maps that are not contiguous (channels last, or tokens put back in place)."""
    return any(kind.__module__.startswith('mmrazor.') for kind in type(part).__mro__)


def _to_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _describe(value: Any) -> str:
    """Shapes of a loss argument, for messages."""
    shapes = [tuple(tensor.shape) for tensor in tensors_in(value)]
    if isinstance(value, Tensor):
        return str(shapes[0])
    return f'{type(value).__name__} of {shapes}' if shapes else type(value).__name__


def _name(entry: _Entry) -> str:
    return ', '.join(map(str, entry)) if isinstance(entry, list) else str(entry)
