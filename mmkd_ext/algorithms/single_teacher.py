"""Distillation from one frozen teacher."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from mmkd_ext.algorithms.acceleration import TOLERANCE
from mmkd_ext.algorithms.pixels import same_pixels
from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.algorithms.teacher_distill import TeacherDistill
from mmkd_ext.algorithms.teacher_weights import KEY
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.registry import MODELS


@MODELS.register_module(name=['SingleTeacherDistill', 'FpnTeacherDistill', 'OverhaulFeatureDistillation'])
class SingleTeacherDistill(TeacherDistill):
    """A student, a distiller and a frozen teacher.

    The teacher runs first, without gradient, until the last record that a loss uses; anything after it (a detector's
    heads, when FPN levels are distilled) is never computed. So MMRazor's `FpnTeacherDistill` is the same class here,
    and so is its `OverhaulFeatureDistillation`, whose distiller is `OFDDistiller`.

    Args:
        architecture: The student, see `DistillAlgorithm`.
        teacher: The teacher: package path, config file, dict, or MMRazor's `dict(cfg_path=...)`.
        distiller: Config of the distiller.
        teacher_ckpt: Path or URL of the teacher's weights.
        teacher_strict: False accepts a teacher whose weights are missing or do not all fit.
        inherit: Parts of the student that start with the teacher's weights, such as `['neck', 'bbox_head']`. They are
            copied when the student is initialised, so weights that are loaded later (`load_from`, `--resume`) take
            precedence, and then train like all others.
        teacher_pixels: 'own' gives the teacher images in its own normalisation, whatever the student's is; 'student'
            gives it the student's images, as MMRazor does.
        teacher_fold: Fold the teacher's batch norms into its convolutions and make its maps channels-last, if the
            records of the first batch change by no more than this, as a fraction of their largest value. The default
            allows float32 rounding; a deep teacher may need 1e-4, which the log then says. 0 never folds.
        teacher_dtype: 'bfloat16' (or, on a GPU, 'float16') runs the teacher's backbone and neck in this dtype. Records
            change by the rounding of that dtype.
        teacher_input_size: Height and width to which the teacher's images are resized; the student's size if None. Its
            maps then differ in size from the student's: `CWTLoss` and `Conv1x1Connector` can resize. For records of the
            teacher's backbone and neck, and for classifiers.
        teacher_size_divisor: Without `teacher_input_size`: resize each side to the nearest multiple of this, such as
            the patch size of a ViT.
        teacher_outputs: Folder with the teacher's outputs in each step of this same run, made by
            `tools/teacher_outputs.py`; then no teacher is built or run.
        teacher_trainable: MMRazor's switch; only False is possible.
        teacher_norm_eval: MMRazor's switch; only True is possible.
        teacher_module_inplace: MMRazor's switch; records are safe here either way.
        **kwargs: Further arguments of `DistillAlgorithm`.

    Raises:
        ConfigError: If student, teacher and distiller do not fit together.
    """

    sampled_regions = False  # whether the teacher's box heads see the regions that the student samples

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
        teacher_input_size: Sequence[int] | None = None,
        teacher_size_divisor: int = 1,
        teacher_outputs: str | None = None,
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
        options = dict(
            teacher=teacher,
            teacher_ckpt=teacher_ckpt,
            teacher_strict=teacher_strict,
            teacher_pixels=teacher_pixels,
            teacher_fold=teacher_fold,
            teacher_dtype=teacher_dtype,
            teacher_input_size=teacher_input_size,
            teacher_size_divisor=teacher_size_divisor,
            sampled_regions=self.sampled_regions,
            initial=self.initial,
        )
        self.inherit = [inherit] if isinstance(inherit, str) else list(inherit or ())
        if teacher_outputs is not None:
            if self.inherit or self.sampled_regions:
                what = 'model.inherit' if self.inherit else f'model.type={type(self).__name__!r}'
                raise ConfigError(f'model.teacher_outputs is for runs without a teacher, and {what} needs one.')
            self._read_outputs(teacher_outputs)
            return
        self._teach({KEY: options})
        for name in self.inherit:
            self._check_heir(name)

    @property
    def teacher(self) -> Teacher:
        """The teacher.

        Raises:
            AttributeError: If there is none because its outputs are read from disk.
        """
        if KEY not in self.taught:
            raise AttributeError('the teacher is not built: model.teacher_outputs has its outputs')
        return self.taught[KEY].teacher

    @staticmethod
    def _same_regions(key: str) -> str:
        """What to set, for a message."""
        return "set model.type='RoIDistill'"

    def _check_heir(self, name: str) -> None:
        """Refuse a part that student and teacher do not both have with the same weights in the same shapes."""
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
                f'{key} holds {first}, trained on pixels that the student normalises differently (mean, std or '
                "channel order); give the student the teacher's data_preprocessor, or leave out this part."
            )

    def init_weights(self) -> None:
        """Initialise the student, and a teacher without a checkpoint; then copy the inherited parts."""
        super().init_weights()
        for name in self.inherit:
            self.student.get_submodule(name).load_state_dict(self.teacher.model.get_submodule(name).state_dict())
