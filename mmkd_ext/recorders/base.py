"""The base of all recorders: it keeps values safe from later in-place operations, and hands them out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_ext.errors import ConfigError


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """A copy of nested lists, tuples and dicts with `function` applied to each tensor; other values as they are."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return _like(value, [map_tensors(function, item) for item in value])
    if isinstance(value, dict):
        return {key: map_tensors(function, item) for key, item in value.items()}
    return value


def inputs(args: tuple, kwargs: dict, parameters: Sequence[str]) -> tuple:
    """The positional arguments, followed by the keyword arguments.

    Args:
        args: The positional arguments.
        kwargs: The keyword arguments.
        parameters: Names in the order of the signature, which is used, not the order of the call.
    """
    named = sorted(kwargs, key=lambda name: parameters.index(name) if name in parameters else len(parameters))
    return (*args, *(kwargs[name] for name in named))


def _like(value: Any, items: list) -> Any:
    return type(value)(*items) if hasattr(value, '_fields') else type(value)(items)


def _only(value: Any, items: Collection[int | str] | None) -> Any:
    """A list, tuple or dict with only some of its items, the others None; other values as they are."""
    if items is None:
        return value
    if isinstance(value, (list, tuple)):
        count = len(value)
        return _like(value, [item if i in items or i - count in items else None for i, item in enumerate(value)])
    if isinstance(value, dict):
        return {key: item if key in items else None for key, item in value.items()}
    return value


class Recorder(ABC):
    """Records one intermediate result of a model while it is attached.

    A source that runs several times in one forward leaves several records. A record is a copy, in the graph, so it
    stays what the source returned at that moment: whether a later operation will change the tensor in place (an
    in-place ReLU, `out += identity`) is not known in time, may differ from step to step, and is invisible inside a
    compiled graph. Copying a detector's FPN levels takes less than a hundredth of its step.

    Outside a distiller, a recorder is used like MMRazor's: `recorder.initialize(model)`, then `with recorder:
    model(x)`, then `recorder.get_record_data()`.

    Args:
        source: Name of the source; each kind of recorder says how it is written.

    Attributes:
        items: The items of a record that are used, if it is a list, tuple or dict; the others are recorded as None, at
            no cost. None if all are used.
        paused: More than 0 while the source should not be recorded.
    """

    may_be_empty = False  # the source

    def __init__(self, source: str) -> None:
        if not isinstance(source, str) or not (source or self.may_be_empty):
            raise ValueError(f'source must be a name, got {source!r}')
        self.source = source
        self.items: set[int | str] | None = None
        self.paused = 0
        self.records: list[Any] = []
        self._on_record: Callable[[], None] | None = None
        self._model: nn.Module | None = None
        self._initialized = False
        self._context: AbstractContextManager | None = None

    @abstractmethod
    def check(self, model: nn.Module) -> None:
        """Raise ConfigError if `model` has no such source; the caller adds the config key to the message."""

    @abstractmethod
    def _tap(self, model: nn.Module) -> AbstractContextManager:
        """A context within which the source calls `self.record`."""

    def attach(self, model: nn.Module, on_record: Callable[[], None] | None = None) -> AbstractContextManager:
        """A context that drops earlier records, and within which the source of `model` is recorded.

        Args:
            model: The model with the source.
            on_record: Called after each record; may raise to end the forward.
        """
        self.clear()
        self._on_record = on_record
        return self._tap(model)

    def record(self, value: Any) -> None:
        """Keep a copy of `value`, or of the items that are used."""
        if self.paused:
            return
        self.records.append(_only(value, self.items))
        if self._on_record:
            self._on_record()  # if this ends the forward, nothing can change the value any more
        self.records[-1] = map_tensors(torch.clone, self.records[-1])

    def get(self, record_idx: int = 0, data_idx: int | str | None = None) -> Any:
        """One record, or one item of it.

        Args:
            record_idx: Which of the forward's records; negative counts from the end.
            data_idx: Which item of the record, if it is a list, tuple or dict; None for the whole record.

        Raises:
            ConfigError: If the source was not reached or an index is out of range.
        """
        if not self.records:
            raise ConfigError(f'{self.source} was not reached in the forward pass, so there is nothing to distil from.')
        if not -len(self.records) <= record_idx < len(self.records):
            raise ConfigError(
                f'record_idx={record_idx} but {self.source} ran {len(self.records)} times in the forward pass.'
            )
        record = self.records[record_idx]
        if data_idx is None:
            return record
        try:
            if isinstance(record, torch.Tensor):  # data_idx picks an item of the returned value, not of a batch
                raise TypeError
            return record[data_idx]
        except (KeyError, IndexError, TypeError):
            given = f'a single {type(record).__name__}, not a list: leave out data_idx'
            if isinstance(record, (list, tuple)):
                given = f'{len(record)} items'
            elif isinstance(record, dict):
                given = f'the keys {sorted(map(str, record))}'
            raise ConfigError(f'data_idx={data_idx!r} but {self.source} gave {given}.') from None

    def clear(self) -> None:
        """Drop all records."""
        self.records = []

    def initialize(self, model: nn.Module | None = None) -> None:
        """Set the model that `with recorder:` records.

        Args:
            model: The model with the source; recorders of methods and functions need none.

        Raises:
            ConfigError: If `model` has no such source.
        """
        self.check(nn.Module() if model is None else model)
        self._model, self._initialized = model, True

    def __enter__(self) -> 'Recorder':
        """Start recording; earlier records are dropped."""
        if not self._initialized:
            raise RuntimeError(f'call initialize(model) of the recorder of {self.source!r} first')
        self._context = self.attach(nn.Module() if self._model is None else self._model)
        self._context.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """Stop recording; the records stay until recording starts again."""
        context, self._context = self._context, None
        if context is not None:
            context.__exit__(*error)

    @property
    def recording(self) -> bool:
        """Whether the block of `with recorder:` is running."""
        return self._context is not None

    @property
    def data_buffer(self) -> list:
        """The records."""
        return self.records

    def get_record_data(self, record_idx: int = 0, data_idx: int | str | None = None) -> Any:
        """Same as `get`."""
        return self.get(record_idx, data_idx)
