"""Distillation from one frozen teacher."""

import logging
from collections.abc import Sequence
from typing import Any

from mmengine.logging import MessageHub, print_log
from torch import nn

from mmkd_ext.algorithms.base import DistillAlgorithm
from mmkd_ext.algorithms.engine import TOLERANCE
from mmkd_ext.algorithms.pixels import same_pixels
from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.distillers.classes import class_names
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.registry import MODELS


@MODELS.register_module(name=['SingleTeacherDistill', 'FpnTeacherDistill', 'OverhaulFeatureDistillation'])
class SingleTeacherDistill(DistillAlgorithm):
    """A student, a distiller and a frozen teacher.

    The teacher runs first, without gradient, until the last record that a loss uses; what lies behind (a detector's
    heads, when FPN levels are distilled) is never computed. So MMRazor's `FpnTeacherDistill` is the same class here,
    and so is its `OverhaulFeatureDistillation`, whose distiller is `OFDDistiller`.

    Args:
        architecture: The student, see `DistillAlgorithm`.
        teacher: The teacher: package path, config file, dict, or MMRazor's `dict(cfg_path=...)`.
        distiller: Config of the distiller.
        teacher_ckpt: Path or URL of the teacher's weights.
        teacher_strict: False accepts a teacher whose weights are missing or do not all fit.
        inherit: Parts of the student that start with the teacher's weights, such as `['neck', 'bbox_head']`. They are
            copied when the student is initialised, so that what is loaded later (`load_from`, `--resume`) stands, and
            then train like all others.
        teacher_pixels: 'own' gives the teacher images in its own normalisation, whatever the student's is; 'student'
            those of the student, as MMRazor does.
        teacher_fold: Fold the teacher's batch norms into its convolutions and make its maps channels-last, if what is
            recorded of the first batch changes by no more than this, as a part of its largest value. The default allows
            float32 rounding; a deep teacher may need 1e-4, of which the log tells. 0 never folds.
        teacher_dtype: 'bfloat16' (or, on a GPU, 'float16') runs the teacher's backbone and neck in this dtype. Records
            differ by the rounding of that dtype.
        teacher_trainable: MMRazor's switch; only False is possible.
        teacher_norm_eval: MMRazor's switch; only True is possible.
        teacher_module_inplace: MMRazor's switch; records are safe here either way.
        **kwargs: Further arguments of `DistillAlgorithm`.

    Raises:
        ConfigError: If student, teacher and distiller do not fit together.
    """

    # Subclasses whose teacher looks at what the student recorded (its sampled regions) set this to False.
    teacher_first = True

    def __init__(
        self,
        architecture: Any = None,
        teacher: Any = None,
        distiller: Any = None,
        teacher_ckpt: str | None = None,
        teacher_strict: bool = True,
        inherit: str | Sequence[str] | None = (),
        teacher_pixels: str = 'own',
        teacher_fold: float = TOLERANCE,
        teacher_dtype: str = 'float32',
        teacher_trainable: bool = False,
        teacher_norm_eval: bool = True,
        teacher_module_inplace: bool = True,
        **kwargs: Any,
    ) -> None:
        if teacher_trainable:
            raise ConfigError('model.teacher_trainable must be False: the teacher is frozen.')
        if not teacher_norm_eval:
            raise ConfigError('model.teacher_norm_eval must be True: the whole teacher is in eval mode.')
        super().__init__(architecture, distiller, **kwargs)
        self.teacher = Teacher(
            teacher,
            teacher_ckpt,
            self.student,
            teacher_strict,
            self.initial,
            teacher_pixels,
            teacher_fold,
            teacher_dtype,
        )
        self.distiller.teacher_recorders.check(self.teacher.model)
        self.distiller.check_classes(self.student, self.teacher.model)
        self._data_unseen = True
        self.inherit = [inherit] if isinstance(inherit, str) else list(inherit or ())
        for name in self.inherit:
            self._check_heir(name)
        if self.teacher.loaded:
            self.distiller.check_teacher(self.teacher.model)

    def _check_heir(self, name: str) -> None:
        """Refuse a part that student and teacher do not both have, with the same weights in the same shapes."""
        key, shapes = f'model.inherit={name!r}', []
        for who, model in (('student', self.student), ('teacher', self.teacher.model)):
            parts = dict(model.named_modules())
            parts.pop('')
            if name not in parts:
                raise ConfigError(f'{key} is not a part of the {who}; {nearest(str(name), parts)}.')
            shapes.append({weight: tuple(value.shape) for weight, value in parts[name].state_dict().items()})
        ours, theirs = shapes
        for weight in (*ours, *theirs):
            if ours.get(weight) != theirs.get(weight):
                raise ConfigError(
                    f'{key} does not fit: {name}.{weight} is {ours.get(weight, "absent")} in the student and '
                    f'{theirs.get(weight, "absent")} in the teacher.'
                )
        first = next((n for n, m in parts.items() if isinstance(m, (nn.Conv2d, nn.Linear))), '')
        if f'{first}.'.startswith(f'{name}.') and not same_pixels(
            self.student.data_preprocessor, self.teacher.model.data_preprocessor
        ):
            raise ConfigError(
                f'{key} holds {first}, made for pixels that the student normalises otherwise (mean, std or channel '
                "order); give it the teacher's data_preprocessor, or leave the part out."
            )

    def init_weights(self) -> None:
        """Initialise the student, and the teacher where it has no checkpoint; then hand down what is inherited."""
        super().init_weights()
        if not self.teacher.loaded:
            self.teacher.init_weights()
            self.distiller.check_teacher(self.teacher.model)
        for name in self.inherit:
            self.student.get_submodule(name).load_state_dict(self.teacher.model.get_submodule(name).state_dict())

    def train(self, mode: bool = True) -> 'SingleTeacherDistill':
        """Same as in `nn.Module`; when training begins, what compares classes sees those of the data set."""
        super().train(mode)
        if mode and self._data_unseen:
            data = class_names(MessageHub.get_current_instance().runtime_info.get('dataset_meta'))
            if data is not None:  # mmengine's Runner notes it right before the first epoch
                self._data_unseen = False
                for note in self.distiller.check_data(data, self.student, self.teacher.classes):
                    print_log(note, 'current', logging.WARNING)
        return self

    def _apply(self, fn: Any, *args: Any, **kwargs: Any) -> 'SingleTeacherDistill':
        """The teacher goes to the same device."""
        self.teacher.model._apply(fn, *args, **kwargs)
        return super()._apply(fn, *args, **kwargs)

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
            if self.teacher_first:
                self._record_teacher(inputs, data_samples)
            with distiller.student_recorders.recording(self.student):
                losses = self._student_losses(inputs, data_samples)
            if not self.teacher_first:
                self._record_teacher(inputs, data_samples)
            return {**losses, **self._distill_losses(data_samples)}
        finally:
            distiller.clear()

    def _record_teacher(self, inputs: Any, data_samples: Any) -> None:
        """Run the teacher; a subclass may run other parts of it, on what the student's recorders hold."""
        needed = self.distiller.needed(from_student=False)
        if needed:
            self.teacher.record(self.distiller.teacher_recorders, needed, inputs, data_samples)
