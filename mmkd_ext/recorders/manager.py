"""All recorders of one model as one context, which can end a forward early if its result is not needed."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from mmkd_ext.build import build_part, ours_for_mmrazors
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.recorders.base import Recorder, tensors_in
from mmkd_ext.recorders.module import ModuleInputsRecorder
from mmkd_ext.registry import TASK_UTILS


class _Enough(BaseException):
    """Ends a forward when everything needed was recorded; no `except Exception` catches it."""


class RecorderManager:
    """The recorders of a student or of a teacher.

    Outside a distiller, it is used like MMRazor's: `manager.initialize(model)`, then `with manager: model(x)`, then
    `manager.get_recorder('fpn').get_record_data()`.

    Args:
        recorders: Name to config, such as `dict(fpn=dict(type='ModuleOutputs', source='neck'))`.
        key: The config key that holds them, for messages.
    """

    def __init__(self, recorders: Mapping[str, dict] | None = None, key: str = 'recorders') -> None:
        self.key = key
        self._stack = ExitStack()
        self.recorders: dict[str, Recorder] = {
            name: build_part(ours_for_mmrazors(cfg), TASK_UTILS, f'{key}.{name}')
            for name, cfg in (recorders or {}).items()
        }

    def check(self, model: nn.Module) -> None:
        """Raise ConfigError, with the key, for a recorder whose source `model` does not have."""
        for name, recorder in self.recorders.items():
            try:
                recorder.check(model)
            except ConfigError as error:
                raise ConfigError(f'{self.key}.{name}.{error}') from None

    @contextmanager
    def recording(self, model: nn.Module, needed: Mapping[str, int | None] | None = None) -> Iterator[None]:
        """Record while the block runs.

        Args:
            model: The model whose forward runs in the block.
            needed: For a forward whose own result is not needed: how many records of each recorder are used, None for
                all. The block ends as soon as these exist. Without it, the forward runs to its end.
        """

        def end_if_enough() -> None:
            if self.hold(needed or {}):
                raise _Enough

        try:
            with ExitStack() as stack:
                for recorder in self.recorders.values():
                    stack.enter_context(recorder.attach(model, end_if_enough if needed else None))
                yield
        except _Enough:
            pass

    def hold(self, needed: Mapping[str, int | None]) -> bool:
        """Whether there are as many records as needed."""
        return all(n is not None and len(self.recorders[name].records) >= n for name, n in needed.items())

    def get(self, name: str, record_idx: int = 0, data_idx: int | str | None = None) -> Any:
        """A record, see `Recorder.get`; errors name the recorder's key."""
        try:
            return self[name].get(record_idx, data_idx)
        except ConfigError as error:
            raise ConfigError(f'{self.key}.{name}: {error}') from None

    def __getitem__(self, name: str) -> Recorder:
        if name not in self.recorders:
            raise ConfigError(f'{self.key} has no {name!r}; {nearest(name, self.recorders)}.')
        return self.recorders[name]

    def tensors(self) -> list[Tensor]:
        """All tensors that are recorded."""
        return [tensor for recorder in self.recorders.values() for tensor in tensors_in(recorder.records)]

    def sources(self) -> set[str]:
        """The names of the sources; for a module whose input is recorded, not its output, with `:input` at the end."""
        return {
            recorder.source + (':input' if isinstance(recorder, ModuleInputsRecorder) else '')
            for recorder in self.recorders.values()
        }

    def only(self, names: Collection[str]) -> 'RecorderManager':
        """A manager of some of the recorders, which both managers share."""
        part = RecorderManager(key=self.key)
        part.recorders = {name: self.recorders[name] for name in names}
        return part

    def clear(self) -> None:
        """Drop all records."""
        for recorder in self.recorders.values():
            recorder.clear()

    def initialize(self, model: nn.Module) -> None:
        """Set the model that `with manager:` records, see `Recorder.initialize`; errors name the recorder's key."""
        self.check(model)
        for recorder in self.recorders.values():
            recorder.initialize(model)

    def get_recorder(self, recorder: str) -> Recorder:
        """The recorder of that name."""
        return self[recorder]

    def __enter__(self) -> 'RecorderManager':
        with ExitStack() as stack:
            for recorder in self.recorders.values():
                stack.enter_context(recorder)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)
