"""Distillation without a teacher: the student's own outputs, detached, are the targets."""

from typing import Any

from mmkd_ext.algorithms.base import DistillAlgorithm
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class SelfDistill(DistillAlgorithm):
    """A student whose deeper parts teach its shallower ones, in one forward.

    `teacher_recorders` are attached to the student as well; what they record (`from_student=False`) gets no gradient.

    Args:
        architecture: The student, see `DistillAlgorithm`.
        distiller: Config of the distiller.
        **kwargs: Further arguments of `DistillAlgorithm`.

    Raises:
        ConfigError: If student and distiller do not fit together.
    """

    def __init__(self, architecture: Any = None, distiller: Any = None, **kwargs: Any) -> None:
        super().__init__(architecture, distiller, **kwargs)
        self.distiller.teacher_recorders.check(self.student)

    def _run_networks(self, inputs: Any, data_samples: Any) -> dict[str, Any]:
        recorders = self.distiller.student_recorders, self.distiller.teacher_recorders
        with recorders[0].recording(self.student), recorders[1].recording(self.student):
            return self._student_losses(inputs, data_samples)
