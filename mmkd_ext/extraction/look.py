"""Run a frozen teacher on a batch, for the embeddings and the classes that a loss would get."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_ext.algorithms.acceleration import accelerate
from mmkd_ext.algorithms.regions import (
    Part,
    check_compared,
    check_regions,
    counted_runs,
    region_recorders,
    run_heads,
)
from mmkd_ext.algorithms.teacher import Teacher, gives_features
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.taps import Tap
from mmkd_ext.recorders.base import tensors_in
from mmkd_ext.recorders.manager import RecorderManager


class Look:
    """Runs the teacher alone on a batch.

    Args:
        teacher: The teacher.
        taps: Where `embedding` and `labels` are in it.
        size: See `Teacher`.
        divisor: See `Teacher`.
    """

    def __init__(
        self, teacher: Any, taps: Mapping[str, Tap], size: Sequence[int] | None = None, divisor: int = 1
    ) -> None:
        self.taps = taps
        self.labels = self.embeddings = self._manager(teacher, 'teacher', *taps)
        parts = {name: Part.of(self.labels[name], teacher) for name in taps}
        check_compared(parts, taps['labels'].key)
        self.teacher = Teacher(teacher, None, teacher, size=size, divisor=divisor)

    def _manager(self, model: nn.Module, who: str, *names: str) -> RecorderManager:
        manager = RecorderManager({name: self.taps[name].recorder for name in names}, 'class means')
        for name in names:
            try:
                manager[name].check(model)
            except ConfigError as error:
                raise ConfigError(
                    f'{self.taps[name].key}: the {who} must have it, too, for the {name}, but {error}'
                ) from None
        return manager

    def speed_up(self, batch: Any) -> None:
        """Fold batch norms and use channels-last maps, if the features of a batch stay the same up to rounding.

        Not for a detector: rounding a feature may make it sample another region.
        """
        model = self.teacher.model
        data = model.data_preprocessor(batch, False)
        images, features = data['inputs'], [torch.empty(0)]
        if self.teacher.pixels.resizes:
            images = self.teacher.pixels.resized(images)

        def run() -> None:
            features[:] = tensors_in(model.extract_feat(images))

        if gives_features(model) and isinstance(images, Tensor) and images.ndim == 4 and not hasattr(model, 'roi_head'):
            with torch.no_grad():
                accelerate(model, run, lambda: features, self.embeddings.sources())

    def record(self, batch: Any) -> None:
        """Make the records of a batch."""
        data = self.teacher.model.data_preprocessor(batch, False)
        needed = {name: tap.needed for name, tap in self.taps.items()}
        with counted_runs(self.teacher.model, self.labels.recorders.values()):
            self.teacher.record(self.labels, needed, data['inputs'], data['data_samples'])

    def __call__(self, batch: Any) -> tuple[Tensor, Tensor]:
        """The embeddings (N, C) and the classes (N,) of a batch."""
        self.record(batch)
        values = {}
        for name, manager in dict(embedding=self.embeddings, labels=self.labels).items():
            tap = self.taps[name]
            try:
                values[name] = manager[name].get(tap.record_idx, tap.data_idx)
            except ConfigError as error:
                raise ConfigError(f'{tap.key}: {error}') from None
            if not isinstance(values[name], Tensor):
                raise ConfigError(f'{tap.key}: the {name} must be a tensor, got {type(values[name]).__name__}.')
            manager[name].clear()
        embeddings, labels = values['embedding'], _classes(values['labels'])
        if embeddings.ndim != 2:
            raise ConfigError(
                f'{self.taps["embedding"].key}: embeddings must be (N, C), got {tuple(embeddings.shape)}.'
            )
        return embeddings, labels


class StudentsRegions(Look):
    """Runs the teacher's box head on the regions that a student samples in a batch.

    Args:
        student: The student, in eval mode.
        teacher: The teacher.
        taps: Where `embedding` is in the teacher, and `labels` in the student.
    """

    def __init__(self, student: Any, teacher: Any, taps: Mapping[str, Tap]) -> None:
        self.taps = taps
        self.student = student
        self.embeddings = self._manager(teacher, 'teacher', 'embedding')
        self.labels = self._manager(student, 'student', 'labels')
        self.regions = region_recorders(student)
        self.labels.recorders.update(self.regions)
        check_regions(teacher, 'model.teacher')
        embedding, labels = Part.of(self.embeddings['embedding'], teacher), Part.of(self.labels['labels'], student)
        if embedding.stage is not None:
            embedding = embedding._replace(stage=min(embedding.stage, len(self.regions) - 1))
        check_compared(dict(embedding=embedding, labels=labels), taps['labels'].key)
        self.teacher = Teacher(teacher, None, student)

    @torch.no_grad()
    def record(self, batch: Any) -> None:
        """Make the records of a batch."""
        data = self.student.data_preprocessor(batch, False)
        needed = {'labels': self.taps['labels'].needed, **dict.fromkeys(self.regions, 1)}
        with self.labels.recording(self.student, needed), counted_runs(self.student, self.labels.recorders.values()):
            self.student(data['inputs'], data['data_samples'], mode='loss')
        regions = [recorder.get(data_idx=1) for recorder in self.regions.values()]

        def forward(teacher: Any, images: Any) -> None:
            run_heads(teacher, teacher.extract_feat(images), regions)

        wanted = dict(embedding=self.taps['embedding'].needed)
        self.teacher.record(self.embeddings, wanted, data['inputs'], data['data_samples'], forward)


def _classes(labels: Tensor) -> Tensor:
    """The class of each row if labels are one-hot, as made by a preprocessor for mixed images."""
    if labels.ndim == 2 and bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(1) == 1).all()):
        return labels.argmax(1)
    return labels
