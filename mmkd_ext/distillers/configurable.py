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

The keys are MMRazor's, with two additional shorthands. In a mapping, `recorder`, `record_idx`, `data_idx` or
`connector` may be a list: the loss is computed for each level and summed (a loss with `takes_levels = True` gets the
lists instead). And a connector's config may have `levels=4`, which makes four connectors, one per level. A connector
with `takes_levels = True` is named once, gets the list of all levels and returns as many. `mapping` reads all this once
into plain data, which the distiller uses in each step.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd_ext.distillers.gradients import GradientCheck
from mmkd_ext.distillers.loss_checks import LossChecks
from mmkd_ext.distillers.mapping import (
    DISTILLER_KEY,
    MAPPINGS_KEY,
    Argument,
    Arguments,
    Source,
    Wiring,
    levels_of,
    needed_records,
    parse_argument,
    parse_mappings,
    sources_of,
)
from mmkd_ext.distillers.parts import (
    build_all,
    build_connector,
    build_loss,
    call_connector,
    call_loss,
    connector_at,
    describe,
    explain,
    takes_levels,
    unlike,
)
from mmkd_ext.distillers.widths import explain_compared, explain_given
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import Recorder, map_tensors, tensors_in
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.registry import MODELS


@MODELS.register_module(name=['ConfigurableDistiller', 'BYOTDistiller'])
class ConfigurableDistiller(LossChecks, nn.Module):
    """Computes distillation losses from records; the trainable parts are its connectors.

    The teacher's records carry no gradient, so MMRazor's `BYOTDistiller` is the same class here. Connectors and losses
    that no mapping uses are left out, with a warning.

    Args:
        student_recorders: Name to recorder config, attached to the student.
        teacher_recorders: The same for the teacher.
        distill_deliveries: Not supported; must be empty.
        connectors: Name to connector config. A list of configs is applied in sequence. `levels=n` in a config makes n
            connectors.
        distill_losses: Name to loss config; names must contain `loss`, because mmengine sums those.
        loss_forward_mappings: Name of a loss to {argument of its forward: where that comes from}, with the keys
            `from_student`, `recorder` and, optionally, `record_idx` (0), `data_idx` (None: the whole record),
            `connector` (None) and `connector_idx` (None: everything that the connector returns).

    Raises:
        ConfigError: If any of these does not fit the others; the message begins with the config key.
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
            raise ConfigError(f'{DISTILLER_KEY}.distill_deliveries is not supported; remove it.')
        self.student_recorders = RecorderManager(student_recorders, f'{DISTILLER_KEY}.student_recorders')
        self.teacher_recorders = RecorderManager(teacher_recorders, f'{DISTILLER_KEY}.teacher_recorders')
        self._connector_cfgs = dict(connectors or {})
        self.connectors = build_all(self._connector_cfgs, f'{DISTILLER_KEY}.connectors', build_connector)
        self.distill_losses = build_all(distill_losses or {}, f'{DISTILLER_KEY}.distill_losses', build_loss)
        self.wiring = parse_mappings(loss_forward_mappings or {}, self.parts)
        self._tell_recorders()
        self._drop_unused()
        self._check_gradients = GradientCheck()
        self.loss_factors: dict[str, float] = {}  # for scheduled losses, set by a hook before each step
        self.stopped: set[str] = set()  # losses that are no longer computed

    def _tell_recorders(self) -> None:
        """Tell the recorders which items of their records the losses use; a recorder that no loss uses keeps all."""
        used: dict[Recorder, set] = {}
        for source in sources_of(self.wiring):
            used.setdefault(self.recorder(source), set()).add(source.data_idx)
        for recorder, items in used.items():
            recorder.items = None if None in items else items

    def _drop_unused(self) -> None:
        """Drop connectors that no loss uses: they would get no gradient, which distributed training refuses."""
        used = {source.connector for source in sources_of(self.wiring)}
        for parts, what, kept in (
            (self.distill_losses, 'distill_losses', self.wiring),
            (self.connectors, 'connectors', used),
        ):
            for name in [name for name in parts if name not in kept]:
                del parts[name]
                unused = f'{DISTILLER_KEY}.{what}.{name} is not used by any entry of {MAPPINGS_KEY}; it is left out.'
                print_log(unused, 'current', logging.WARNING)

    @property
    def active(self) -> Wiring:
        """The wiring of the losses that are still computed."""
        return {name: arguments for name, arguments in self.wiring.items() if name not in self.stopped}

    def stop(self, losses: Iterable[str]) -> None:
        """Stop computing these losses, and anything that only they use; logged if one of them was still computed.

        This is not in the checkpoint: code that stops a loss must stop it again in a resumed run.
        """
        new = [name for name in losses if name in self.wiring and name not in self.stopped]
        if new:
            self.stopped |= set(new)
            left = f'left: {", ".join(self.active)}' if self.active else 'nothing is distilled, and no teacher runs'
            print_log(f'{DISTILLER_KEY}: no longer computed: {", ".join(new)}; {left}.', 'current')

    def idle_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters of stopped losses, and of the connectors that only they use."""
        used = {source.connector for source in sources_of(self.active)}
        for parts, busy in ((self.distill_losses, set(self.active)), (self.connectors, used)):
            for name, part in parts.items():
                if name not in busy:
                    yield from part.parameters()

    def needed(self, from_student: bool) -> dict[str, int | None]:
        """How many records of each recorder the losses use; None if an index counts from the end."""
        return needed_records(self.active, from_student)

    def levels(self) -> Iterator[tuple[str, dict[str, Source]]]:
        """Each loss's name, and where its arguments come from, once per level."""
        return levels_of(self.wiring)

    def recorder(self, source: Source) -> Recorder:
        """The recorder of a source."""
        return self.parts.recorders(source)[source.recorder]

    def compute_distill_losses(self, idle: Collection[str] = ()) -> dict[str, Tensor]:
        """The losses of the current records, computed in float32, whatever the autocast context.

        Args:
            idle: Losses that are 0 because there is nothing to compare in this process. Their connectors still run, so
                that a connector that sums over all processes (SyncBN) does not keep the others waiting.

        Returns:
            Name to 0-dim tensor, as named in `distill_losses`, without stopped losses.

        Raises:
            ConfigError: If a record is missing, or a connector or a loss rejects its input.
        """
        return {name: self._compute(name, name in idle) for name in self.active}

    def _compute(self, name: str, idle: bool) -> Tensor:
        arguments = self.wiring[name]
        if idle:
            loss = self._idle(name, arguments)
        else:
            values = {arg: self._value(argument, f'{name}.{arg}') for arg, argument in arguments.items()}
            self._check_gradients.note(name, values)
            loss = self._over_levels(name, values, arguments)
        return loss * self.loss_factors[name] if name in self.loss_factors else loss

    def faults(self, idle: Collection[str] = ()) -> list[str]:
        """What is wrong with each of the losses; `compute_distill_losses` raises the first of these errors.

        Args:
            idle: As in `compute_distill_losses`.
        """
        found = []
        for name in self.active:
            try:
                self._compute(name, name in idle)
            except ConfigError as error:
                found.append(str(error))
        return list(dict.fromkeys(found))

    def _over_levels(self, name: str, values: dict[str, Any], arguments: Arguments) -> Tensor:
        """Compute a loss: called once if it takes the list of levels or there is no list, else summed over levels."""
        counts = {arg: len(values[arg]) for arg, argument in arguments.items() if argument.has_levels}
        if len(set(counts.values())) > 1:
            raise ConfigError(f'{MAPPINGS_KEY}.{name}: the arguments give different numbers of levels, {counts}.')
        if not counts or takes_levels(self.distill_losses[name]):
            return self._loss(name, values, arguments)
        levels = [
            self._loss(
                name,
                {arg: value[i] if arg in counts else value for arg, value in values.items()},
                {arg: argument.at(i) if argument.listed else argument for arg, argument in arguments.items()},
            )
            for i in range(next(iter(counts.values())))
        ]
        return torch.stack(levels).sum()

    def _loss(self, name: str, values: dict[str, Any], origins: Mapping[str, Argument | Source]) -> Tensor:
        try:
            return call_loss(self.distill_losses[name], values)
        except Exception as error:
            explain_compared(error, values, origins, self._connector_cfgs)
            shapes = '; '.join(f'{arg} is {describe(values[arg])} from {origins[arg]}' for arg in origins)
            explain(error, f'{DISTILLER_KEY}.distill_losses.{name}', f'{shapes}{unlike(values)}')
            raise

    def _value(self, argument: Argument, key: str) -> Any:
        """The value of an argument: its records, through their connectors; a list if it has levels."""
        records = [self._record(source, key) for source in argument.sources]
        if argument.fused:
            return self._connect(argument.sources[0], 0, records if argument.listed else records[0], argument)
        sources = enumerate(zip(argument.sources, records, strict=True))
        values = [self._connect(source, level, record, source) for level, (source, record) in sources]
        return values if argument.listed else values[0]

    def _record(self, source: Source, key: str) -> Any:
        try:
            value = self.parts.recorders(source).get(source.recorder, source.record_idx, source.data_idx)
        except ConfigError as error:
            raise ConfigError(f'{MAPPINGS_KEY}.{key}: {error}') from None
        return value if source.from_student else map_tensors(Tensor.detach, value)

    def _connect(self, source: Source, level: int, value: Any, origin: Argument | Source) -> Any:
        """The output of a source's connector for a record, or for the list of all levels."""
        if source.connector is None:
            return value
        try:
            _, connector = connector_at(self.connectors, source.connector, level)
            result = call_connector(connector, value)
            return result if source.connector_idx is None else result[source.connector_idx]
        except Exception as error:
            explain_given(error, value, source, self._connector_cfgs)
            given = f'given {describe(value)} by {origin}'
            explain(error, f'{DISTILLER_KEY}.connectors.{source.connector}', given)
            raise

    def _idle(self, name: str, arguments: Arguments) -> Tensor:
        """A zero that keeps the outputs of the loss's connectors in the graph."""
        records = [recorder.records for recorder in self.student_recorders.recorders.values()]
        total = torch.zeros((), device=next(tensors_in(records), torch.empty(0)).device)
        for arg, argument in arguments.items():
            if any(source.connector for source in argument.sources):
                for tensor in tensors_in(self._value(argument, f'{name}.{arg}')):
                    total = total + 0.0 * tensor.sum()
        return total

    def check_gradients(self, losses: Mapping[str, Tensor], student: nn.Module | None) -> None:
        """See `GradientCheck`: in the first step, each loss must train the student, and some loss each connector.

        Args:
            losses: What `compute_distill_losses` just returned.
            student: The model of the student's recorders; None if it is not trained.

        Raises:
            ConfigError: If one does not.
        """
        self._check_gradients(losses, self.active, self.parts, student)

    def prepare_from_student(self, model: nn.Module) -> None:
        """Let `with distiller.student_recorders:` record this model."""
        self.student_recorders.initialize(model)

    def prepare_from_teacher(self, model: nn.Module) -> None:
        """Let `with distiller.teacher_recorders:` record this model."""
        self.teacher_recorders.initialize(model)

    def get_record(self, recorder: str, from_student: bool, **where: Any) -> Any:
        """The value that an entry of a mapping stands for.

        Args:
            recorder: As in an entry of `loss_forward_mappings`.
            from_student: Likewise.
            **where: Likewise: `record_idx`, `data_idx`, `connector`, `connector_idx`. If losses use a record, only the
                items that they use are kept.
        """
        entry = dict(where, recorder=recorder, from_student=from_student)
        return self._value(parse_argument(entry, 'get_record', self.parts), f'get_record.{recorder}')

    def clear(self) -> None:
        """Drop all records: none outlives its step."""
        self._check_gradients.values.clear()
        self.student_recorders.clear()
        self.teacher_recorders.clear()
