"""The checks of a distiller's losses: whether teacher, images and classes are the right ones."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from mmengine import dist
from torch import nn

from mmkd_ext.distillers import classes
from mmkd_ext.distillers.mapping import DISTILLER_KEY, Parts, Wiring
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager


class LossChecks:
    """The part of a distiller that runs the checks of its losses; see `DistillLoss` for these."""

    distill_losses: nn.ModuleDict
    connectors: nn.ModuleDict
    student_recorders: RecorderManager
    teacher_recorders: RecorderManager
    wiring: Wiring
    training: bool

    @property
    def parts(self) -> Parts:
        """The parts that a mapping may name."""
        return Parts(self.distill_losses, self.connectors, self.student_recorders, self.teacher_recorders)

    def _fed_by(self, recorders: Collection[str] | None) -> list[str]:
        """The losses that get a record of one of these teacher recorders; all losses if None."""
        if recorders is None:
            return list(self.distill_losses)
        return [
            name
            for name, arguments in self.wiring.items()
            if any(not s.from_student and s.recorder in recorders for a in arguments.values() for s in a.sources)
        ]

    def check_teacher(self, teacher: nn.Module, recorders: Collection[str] | None = None) -> None:
        """Let each loss that holds something made by a teacher (class means) check that it was this teacher.

        Args:
            teacher: The teacher.
            recorders: The names of its recorders, if there are several teachers.

        Raises:
            ConfigError: If it was another teacher.
        """
        self._ask_losses('check_teacher', teacher, recorders)

    def check_images(self, changes: str, recorders: Collection[str] | None = None) -> None:
        """Let each loss that holds something made by a teacher (class means) check that it was made from such images.

        Args:
            changes: How the teacher's images differ from those that it would get on its own, in words.
            recorders: The names of its recorders, if there are several teachers.

        Raises:
            ConfigError: If it was made from other images.
        """
        self._ask_losses('check_images', changes, recorders)

    def _ask_losses(self, check: str, value: Any, recorders: Collection[str] | None) -> None:
        for name in self._fed_by(recorders):
            try:
                getattr(self.distill_losses[name], check, lambda _: None)(value)
            except ValueError as error:
                raise ConfigError(f'{DISTILLER_KEY}.distill_losses.{name}: {str(error).rstrip(".")}.') from None

    def _by_class(self, recorders: Collection[str] | None) -> list[str]:
        """The losses from `_fed_by` that compare class by class."""
        fed = self._fed_by(recorders)
        return [name for name in classes.losses_by_class(self.wiring, self.parts) if name in fed]

    def check_classes(self, student: nn.Module, teacher: nn.Module, recorders: Collection[str] | None = None) -> None:
        """Refuse a loss that compares class by class if student and teacher have different numbers of classes.

        Args:
            student: The student.
            teacher: The teacher.
            recorders: The names of its recorders, if there are several teachers.

        Raises:
            ConfigError: If they do; the message names both keys.
        """
        classes.check_counts(self._by_class(recorders), student, teacher)

    def check_data(
        self,
        data: Sequence[str],
        student: nn.Module,
        teacher: Sequence[str] | None,
        recorders: Collection[str] | None = None,
    ) -> Iterator[str]:
        """Refuse a loss that compares class by class if the data set's classes differ from the student's or teacher's.

        Args:
            data: The names of the data set's classes.
            student: The student.
            teacher: The names of the classes that the teacher was trained on; None if its file does not have them.
            recorders: The names of its recorders, if there are several teachers.

        Yields:
            A sentence if the teacher's names differ, which may only be another spelling.

        Raises:
            ConfigError: If the student has a different number of classes, the teacher has them in another order, or the
                class means of a loss have other classes.
        """
        yield from classes.check_names(self._by_class(recorders), data, student, teacher)
        self._ask_losses('check_data', data, recorders)

    def synchronise(self) -> None:
        """Share what the losses gathered in training (running class means) with all processes.

        There is one sum over the processes, in each step of all of them: a sum inside a loss would keep them waiting
        for a process that has nothing to compute. A loss takes part if it has `gathered`, a tensor, and `take_total`,
        which gets the sum of all processes' `gathered`.
        """
        losses: list[Any] = [part for part in self.distill_losses.modules() if hasattr(part, 'gathered')]
        if not losses or not self.training or not dist.is_distributed():
            return
        total = torch.cat([loss.gathered.flatten() for loss in losses])
        dist.all_reduce(total)
        for loss, part in zip(losses, total.split([loss.gathered.numel() for loss in losses]), strict=True):
            loss.take_total(part.view_as(loss.gathered))
