"""Where the gradient of a loss goes, read from autograd's graph without a backward pass."""

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd_ext.distillers.mapping import (
    DISTILLER_KEY,
    MAPPINGS_KEY,
    Argument,
    Arguments,
    Parts,
    Source,
    Wiring,
    sources_of,
)
from mmkd_ext.distillers.parts import connector_at
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import Recorder, tensors_in
from mmkd_ext.recorders.parameter import ParameterRecorder


class Reach:
    """The tensors that a loss sends a gradient to, as a container: `tensor in Reach(loss)`."""

    def __init__(self, loss: Tensor) -> None:
        self._nodes: set[Any] = set()
        ahead = [loss.grad_fn]
        while ahead:
            node = ahead.pop()
            if node is not None and node not in self._nodes:
                self._nodes.add(node)
                ahead += [before for before, _ in node.next_functions]
        self._leaves = {id(node.variable) for node in self._nodes if hasattr(node, 'variable')}

    def __contains__(self, tensor: Tensor) -> bool:
        return tensor.grad_fn in self._nodes if tensor.grad_fn is not None else id(tensor) in self._leaves


def why_none(model: nn.Module, recorder: Recorder) -> str:
    """The part of a sentence that says why a record carries no gradient although `model` is trained."""
    source = recorder.source
    if isinstance(recorder, ParameterRecorder):
        return f'the parameter {source} is frozen (frozen_stages?)'
    modules = dict(model.named_modules())
    parts = source.split('.')
    around = ['.'.join(parts[:i]) for i in range(len(parts) - 1, 0, -1)]
    for name in around if source in modules else []:
        if getattr(modules[name], 'with_cp', False):
            return (
                f'{source} is inside {name}, which runs under activation checkpointing and keeps no graph: set '
                f'with_cp=False, or record what {name} returns'
            )
    return f'{source} is in a frozen stage (frozen_stages), under activation checkpointing (with_cp) or behind a detach'


def other_runs(wiring: Wiring, parts: Parts) -> Iterator[str]:
    """Yield a sentence for each source on the student of which losses use the first run, although it runs again."""
    used: dict[str, set[int]] = {}
    for source in sources_of(wiring):
        if source.from_student:
            used.setdefault(source.recorder, set()).add(source.record_idx)
    for name, runs in used.items():
        recorder = parts.student_recorders[name]
        count = len(recorder.records)
        if runs == {0} and count > 1:
            yield (
                f'{DISTILLER_KEY}.student_recorders.{name}: {recorder.source} ran {count} times in the forward pass, '
                'as a head does on several levels, and losses use the first run alone; for all of them, map '
                f'record_idx={list(range(count))}.'
            )


@cache  # once, not in a dry run and again in the first step
def _say(note: str) -> None:
    print_log(note, 'current', logging.WARNING)


class GradientCheck:
    """Checks once, before training, that each loss trains the student and that some loss trains each connector.

    A connector that passes no gradient on by design (MMRazor's `Paraphraser`, once it is trained) is not checked, and
    neither is a loss while it is idle, or a constant 0 because there is nothing to learn from.
    """

    def __init__(self) -> None:
        self.done = False
        self.values: dict[str, dict[str, Any]] = {}  # the arguments of each loss, until they are checked

    def note(self, loss: str, values: dict[str, Any]) -> None:
        """Keep a loss's inputs in this step, if it has not been checked yet."""
        if not self.done:
            self.values[loss] = values

    @torch.compiler.disable
    def __call__(self, losses: Mapping[str, Tensor], wiring: Wiring, parts: Parts, student: nn.Module | None) -> None:
        """Check a step's losses.

        Args:
            losses: Name to 0-dim tensor.
            wiring: The arguments of each loss.
            parts: Where they come from.
            student: The model of the student's recorders; None if it is not trained.

        Raises:
            ConfigError: If no gradient reaches any of the student's records that a loss uses, or a connector.
        """
        if self.done or not torch.is_grad_enabled():
            return
        reaches = {name: Reach(losses[name]) for name in self.values}
        constant = [name for name in self.values if not losses[name].requires_grad and losses[name] == 0]
        if student is not None:
            for name, reach in reaches.items():
                _check_student(name, wiring[name], reach, parts, student, name in constant)
        if not constant and len(self.values) == len(wiring):  # none was idle
            self._check_connectors(reaches, wiring, parts.connectors)
            for note in other_runs(wiring, parts):
                _say(note)
            self.done = True
            self.values.clear()

    def _check_connectors(self, reaches: Mapping[str, Reach], wiring: Wiring, connectors: nn.ModuleDict) -> None:
        """Check that some loss reaches each connector's results, if they carry a gradient."""
        untrained: dict[str, tuple[str, nn.Module]] = {}
        trained = set()
        for loss, values in self.values.items():
            for arg, argument in wiring[loss].items():
                for level, (source, value) in enumerate(_results(argument, values[arg])):
                    if source.connector is None:
                        continue
                    name, module = connector_at(connectors, source.connector, level)
                    results = [tensor for tensor in tensors_in(value) if tensor.requires_grad]
                    if not results or any(tensor in reaches[loss] for tensor in results):
                        trained.add(name)
                    else:
                        untrained.setdefault(name, (f'{loss}.{arg}', module))
        for name, (user, module) in untrained.items():
            if name not in trained and any(p.requires_grad for p in module.parameters()):
                raise ConfigError(
                    f'{DISTILLER_KEY}.connectors.{name} would never be trained: the loss sends no gradient to '
                    f'{MAPPINGS_KEY}.{user}; put the connector on the side that is trained, or use a loss that trains '
                    'this one.'
                )


def _check_student(
    name: str, arguments: Arguments, reach: Reach, parts: Parts, student: nn.Module, constant: bool
) -> None:
    """Check that a loss sends a gradient to some record of the student, unless it is constant for now."""
    sources = [source for argument in arguments.values() for source in argument.sources if source.from_student]
    records = [
        (source, tensor)
        for source in sources
        for tensor in tensors_in(parts.student_recorders.get(source.recorder, source.record_idx, source.data_idx))
        if tensor.is_floating_point()
    ]
    carrying = [source for source, tensor in records if tensor.requires_grad]
    if not records or (constant and carrying) or any(tensor in reach for _, tensor in records):
        return
    source = carrying[0] if carrying else records[0][0]
    key = f'{MAPPINGS_KEY}.{name}'
    if carrying:
        raise ConfigError(
            f'{key}: the student learns nothing from it: no gradient reaches the record of {source.recorder!r}, '
            'because the loss or a connector detaches it (are student and teacher swapped?).'
        )
    why = why_none(student, parts.student_recorders[source.recorder])
    raise ConfigError(
        f'{key}: the student learns nothing from it: the record of {source.recorder!r} carries no gradient; {why} '
        '(model.student_trainable=False trains only connectors).'
    )


def _results(argument: Argument, value: Any) -> list[tuple[Source, Any]]:
    """The sources of an argument, and the value of each; all levels together if the connector takes them at once."""
    if argument.fused or not argument.listed:
        return [(argument.sources[0], value)]
    return list(zip(argument.sources, value, strict=True))
