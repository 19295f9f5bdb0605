"""The parts that algorithms with one or several frozen teachers share."""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.logging import MessageHub, print_log
from torch import Tensor, nn

from mmkd_ext.algorithms.acceleration import TOLERANCE
from mmkd_ext.algorithms.base import DistillAlgorithm
from mmkd_ext.algorithms.regions import is_on_regions, stage_of
from mmkd_ext.algorithms.sampled_regions import SampledRegions
from mmkd_ext.algorithms.stored_outputs import TeacherOutputs, print_of
from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.distillers.classes import class_names
from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager

STUDENT = 'student'  # the owner of a teacher's recorder on the student, whose record is then a target


@dataclass
class Taught:
    """One teacher and its recorders.

    Attributes:
        key: The config key that holds it.
        teacher: The frozen network.
        recorders: The distiller's recorders that are on it.
        sampled_regions: Whether its box heads see the regions that the student samples.
    """

    key: str
    teacher: Teacher
    recorders: RecorderManager
    sampled_regions: bool


class TeacherDistill(DistillAlgorithm):
    """Base of the algorithms with teachers; a subclass calls `_teach` when it has a student and a distiller."""

    taught: dict[str, Taught]
    regions: SampledRegions | None
    stored: TeacherOutputs | None = None  # the teacher's outputs, if it does not run
    replays = False  # whether each step must have the same images as in another run
    _keep: Callable[[Tensor], None] | None = None  # see `teach_only`

    def _teach(self, teachers: Mapping[str, dict], owners: Mapping[str, str] | None = None) -> None:
        """Build the teachers, and check that they fit the student and the distiller.

        Args:
            teachers: The arguments of `_build_teacher`, by the config key that holds them.
            owners: The key of the teacher that each of the distiller's teacher recorders is on, or `student`; None if
                there is one teacher.
        """
        recorders = self.distiller.teacher_recorders
        of_all = owners or dict.fromkeys(recorders.recorders, next(iter(teachers)))
        names = {key: [name for name, owner in of_all.items() if owner == key] for key in (*teachers, STUDENT)}
        self.taught = {
            key: self._build_teacher(key, recorders.only(names[key]), **cfg) for key, cfg in teachers.items()
        }
        self._own = recorders.only(names[STUDENT])
        self._own.check(self.student)
        for taught in self.taught.values():
            taught.recorders.check(taught.teacher.model)
            self.distiller.check_classes(self.student, taught.teacher.model, self._only(taught))
            self.distiller.check_images(taught.teacher.changes, self._only(taught))
        self._check_regions(of_all)
        self._data_unseen = True
        for taught in self.taught.values():
            if taught.teacher.loaded:
                self.distiller.check_teacher(taught.teacher.model, self._only(taught))

    def _read_outputs(self, folder: str) -> None:
        """Read a teacher's outputs from disk instead of building the teacher.

        Raises:
            ConfigError: See `TeacherOutputs`.
        """
        self.taught, self.regions = {}, None
        self._own = self.distiller.teacher_recorders.only([])
        self.stored, self.replays, self._data_unseen = TeacherOutputs(folder, self.distiller), True, True

    def _build_teacher(
        self,
        key: str,
        recorders: RecorderManager,
        teacher: Any = None,
        teacher_ckpt: str | None = None,
        teacher_strict: bool = True,
        teacher_pixels: str = 'own',
        teacher_fold: float = TOLERANCE,
        teacher_dtype: str = 'float32',
        teacher_input_size: Any = None,
        teacher_size_divisor: int = 1,
        sampled_regions: bool = False,
        initial: str | None = None,
    ) -> Taught:
        if sampled_regions and (teacher_input_size is not None or teacher_size_divisor != 1):
            raise ConfigError(
                f'{key}: the student samples regions of its own images; leave out teacher_input_size and '
                'teacher_size_divisor.'
            )
        with torch.random.fork_rng(devices=[]):  # the student's initialisation does not depend on building the teacher
            network = Teacher(
                teacher,
                teacher_ckpt,
                self.student,
                teacher_strict,
                initial,
                teacher_pixels,
                teacher_fold,
                teacher_dtype,
                key,
                teacher_input_size,
                teacher_size_divisor,
            )
        return Taught(key, network, recorders, sampled_regions)

    def _check_regions(self, owners: Mapping[str, str]) -> None:
        """Use the student's sampled regions for the teachers that see them; refuse to compare them with others."""

        def model_of(recorder: str) -> nn.Module:
            return self.student if owners[recorder] == STUDENT else self.taught[owners[recorder]].teacher.model

        looking = [taught for taught in self.taught.values() if taught.sampled_regions]
        same = {STUDENT, *(taught.key for taught in looking)}
        for loss, sources in self.distiller.levels():
            of_regions, of_boxes = {}, True
            for argument, source in sources.items():
                recorder = self.distiller.recorder(source)
                if is_on_regions(recorder):
                    owner = STUDENT if source.from_student else owners[source.recorder]
                    of_regions[f'`{argument}` ({recorder.source})'] = owner
                    of_boxes = of_boxes and stage_of(recorder.source) is not None
            others = [owner for owner in of_regions.values() if owner not in same]
            if others and len(set(of_regions.values())) > 1:
                advice = 'compare parts in front of the regions, such as the levels of the neck'
                if of_boxes:
                    advice = f"{self._same_regions(others[0])}, so that the teacher sees the student's"
                raise ConfigError(
                    f'{DISTILLER_KEY}.loss_forward_mappings.{loss}: {" and ".join(of_regions)} see different regions, '
                    f'because each detector samples its own; {advice}.'
                )
        models = {f'{taught.key}.teacher': taught.teacher.model for taught in looking}
        self.regions = SampledRegions(self.student, models, self.distiller, model_of) if looking else None

    @staticmethod
    def _same_regions(key: str) -> str:
        """What to set, for a message."""
        return f'set {key}.sampled_regions=True'

    def _only(self, taught: Taught) -> Collection[str] | None:
        """The names of a teacher's recorders if there are other teachers; None if all are its own."""
        everything = self.distiller.teacher_recorders.recorders
        return None if len(taught.recorders.recorders) == len(everything) else taught.recorders.recorders

    def _needed(self, taught: Taught) -> dict[str, int | None]:
        """How many records of a teacher's recorders the losses use."""
        needed = self.distiller.needed(from_student=False)
        return {name: count for name, count in needed.items() if name in taught.recorders.recorders}

    def init_weights(self) -> None:
        """Initialise the student, and teachers without a checkpoint."""
        super().init_weights()
        for taught in self.taught.values():
            if not taught.teacher.loaded:
                taught.teacher.init_weights()
                self.distiller.check_teacher(taught.teacher.model, self._only(taught))

    def train(self, mode: bool = True) -> 'TeacherDistill':
        """Same as in `nn.Module`; when training begins, losses that compare classes check those of the data set."""
        super().train(mode)
        if mode and self._data_unseen:
            data = class_names(MessageHub.get_current_instance().runtime_info.get('dataset_meta'))
            if data is not None:  # mmengine's Runner sets it right before the first epoch
                self._data_unseen = False
                known = [(taught.teacher.classes, self._only(taught)) for taught in self.taught.values()]
                for classes, recorders in [(self.stored.note['classes'], None)] if self.stored else known:
                    for note in self.distiller.check_data(data, self.student, classes, recorders):
                        print_log(note, 'current', logging.WARNING)
        return self

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> 'TeacherDistill':
        """Also move the teachers to the device."""
        for taught in self.taught.values():
            taught.teacher.model._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)

    def _run_networks(self, inputs: Any, data_samples: Any) -> dict[str, Any]:
        self.run_teachers(inputs, data_samples)
        if self.stored:
            self.stored.fill(self.distiller, inputs)
        with ExitStack() as stack:
            stack.enter_context(self.distiller.student_recorders.recording(self.student))
            stack.enter_context(self._own.recording(self.student))
            if self.regions:
                stack.enter_context(self.regions.recorded(inputs))
            losses = self._student_losses(inputs, data_samples)
        self.run_teachers(inputs, data_samples, sampled_regions=True)
        return losses

    def run_teachers(self, inputs: Any, data_samples: Any, sampled_regions: bool = False) -> None:
        """Run the teachers that see the student's regions, or the others; what they give is in their recorders."""
        for taught in self.taught.values():
            if taught.sampled_regions == sampled_regions and (needed := self._needed(taught)):
                forward = self.regions.forward(taught.recorders) if self.regions and sampled_regions else None
                taught.teacher.record(taught.recorders, needed, inputs, data_samples, forward)

    def teach_only(self, keep: Callable[[Tensor], None]) -> None:
        """From now on a step runs the teachers alone; its loss is 0.

        Args:
            keep: Called in each step with the images' print, while the recorders hold what the teachers gave.
        """
        self._keep, self.replays = keep, True

    def loss(self, inputs: Any, data_samples: Any = None) -> dict[str, Any]:
        """Same as in `DistillAlgorithm`, unless `teach_only` was called."""
        if self._keep is None:
            return super().loss(inputs, data_samples)
        try:
            self.run_teachers(inputs, data_samples)
            self._keep(print_of(inputs))
        finally:
            self.distiller.clear()
        return dict(loss=sum(0.0 * p.sum() for p in self.parameters() if p.requires_grad))

    def idle_losses(self) -> Collection[str]:
        """The losses on regions, if the student sampled none."""
        return self.regions.idle() if self.regions else ()

    def losses_of_records(self, data_samples: Any) -> dict[str, Tensor]:
        """The distiller's losses; those on regions are zero if the student sampled none."""
        losses, idle = super().losses_of_records(data_samples), self.idle_losses()
        if idle:
            parameters = [*self.student.roi_head.parameters(), *self.distiller.parameters()]
            losses[f'distill.{next(iter(idle))}'] += self._in_graph('zero', parameters).get('zero', 0.0)
        return losses
