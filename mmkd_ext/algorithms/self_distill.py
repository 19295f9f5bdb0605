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

    def loss(self, inputs: Any, data_samples: Any = None) -> dict[str, Any]:
        """The losses of a batch: `student.*` as the student computes them, `distill.*` from the distiller.

        Args:
            inputs: Images (B, C, H, W), preprocessed for the student.
            data_samples: Annotations of the student's toolbox.
        """
        if self.distillation_stopped:
            return {**self._student_losses(inputs, data_samples), **self._stopped_losses()}
        distiller = self.distiller
        try:
            with (
                distiller.student_recorders.recording(self.student),
                distiller.teacher_recorders.recording(self.student),
            ):
                losses = self._student_losses(inputs, data_samples)
            return {**losses, **self._distill_losses(data_samples)}
        finally:
            distiller.clear()
