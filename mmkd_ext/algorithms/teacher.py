"""The teacher: loaded strictly, frozen, always in eval mode, fed with its own pixels, run no further than needed.

A `Teacher` is not an `nn.Module`, so it is in no checkpoint, optimiser, EMA copy or DDP bucket of the algorithm that
holds it; only device and dtype changes are passed on.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmkd_ext.algorithms.acceleration import DTYPES, NOTHING, TOLERANCE, accelerate, run_in
from mmkd_ext.algorithms.pixels import PixelAdapter, changes
from mmkd_ext.algorithms.teacher_weights import (
    KEY,
    Filled,
    check_not_random,
    check_trained,
    initial_weights,
    load_teacher,
    teacher_weights,
)
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import map_tensors
from mmkd_ext.recorders.manager import RecorderManager


class Teacher:
    """A frozen model, and how to run it.

    Its weights come from `checkpoint`, from `pretrained=True` next to a `cfg_path`, from an `init_cfg` of type
    `Pretrained` on the whole model, or from a file that its class loads when it is built. The same rule holds for all:
    no weight may be missing or unexpected, and none may stay random. Loaded weights are not initialised again.

    Args:
        source: Package path, config file, dict, or MMRazor's `dict(cfg_path=..., pretrained=...)`. A backbone alone
            is enough, with its own weights or those of a whole model; its parts are then named `backbone.*`.
        checkpoint: Path or URL of its weights; None if `source` has them.
        student: The student, whose preprocessed images the teacher gets.
        strict: False accepts missing and unexpected weights, and a random teacher.
        initial: A checkpoint of MMRazor's for student and teacher together, used for the teacher's weights if nothing
            else names them.
        pixels: 'student' gives it the student's images as they are, whatever its own config says.
        fold: Run it with its batch norms folded into its convolutions and with channels-last maps, if the records of
            the first batch change by no more than this, as a fraction of their largest value; 0 or False never does. A
            network that is passed as `source`, already built, is not changed.
        dtype: 'bfloat16' or 'float16' runs its backbone and neck in that dtype; their outputs are float32.
        key: The config key that holds all this, for messages.
        size: Height and width to which its images are resized; None for the student's.
        divisor: Without a size: each side is resized to the nearest multiple of this.

    Raises:
        ConfigError: If the model cannot be built or its weights do not fit; missing and unexpected ones are listed.
    """

    def __init__(
        self,
        source: Any,
        checkpoint: str | None,
        student: Any,
        strict: bool = True,
        initial: str | None = None,
        pixels: str = 'own',
        fold: float = TOLERANCE,
        dtype: str = 'float32',
        key: str = KEY,
        size: Sequence[int] | None = None,
        divisor: int = 1,
    ) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f'{key}.teacher_dtype must be one of {", ".join(DTYPES)}, got {dtype!r}.')
        if not isinstance(divisor, int) or divisor < 1:
            raise ConfigError(f'{key}.teacher_size_divisor must be a whole number >= 1, got {divisor!r}.')
        if pixels not in ('own', 'student'):
            raise ConfigError(f"{key}.teacher_pixels must be 'own' or 'student', got {pixels!r}.")
        self.key = key
        self.model: Any
        cfg = ConfigDict() if isinstance(source, nn.Module) else model_config(source, f'{key}.teacher')
        with Filled() as filled:
            self.model = build_model(cfg, f'{key}.teacher') if cfg else source
        weights = teacher_weights(checkpoint, cfg, self.model, key) or initial_weights(initial if cfg else None)
        self.loaded = weights is not None or not cfg
        if strict and not self.loaded:
            check_not_random(self.model, cfg, filled.tensors, key)
            self.loaded = True
        self.predicts = isinstance(self.model, BaseModel)
        if not self.predicts:
            self.model = _Backbone(self.model)
        # By name: moving the model to another device replaces tensors.
        self._own = [name for name, value in self._state().items() if id(value) in filled.tensors]
        silent = 'data_preprocessor' not in cfg and (cfg or isinstance(self.model, _Backbone))
        own = self.model.data_preprocessor
        if silent or pixels == 'student':
            # A teacher without a data preprocessor expects the pixels that the student gets.
            self.model.data_preprocessor = copy.deepcopy(student.data_preprocessor)
        self.classes: list[str] | None = None  # that it was trained on, if its file names them
        if weights is not None:
            check_trained(source, weights)
            self.classes = load_teacher(self.model, weights.file, strict, weights.key, weights.prefix, key)
        self.model.requires_grad_(False)
        self.model.eval()
        self.pixels = PixelAdapter(
            student.data_preprocessor, self.model.data_preprocessor, f'{key}.teacher', _size(size, key), divisor
        )
        given = self.model.data_preprocessor
        self.changes = changes(given if silent else own, given, self.pixels.size, self.pixels.divisor)
        self._features, self._first, self._losses = gives_features(self.model), True, True
        self._to_fold = (TOLERANCE if fold is True else float(fold)) if cfg else 0.0
        self._to_dtype = DTYPES[dtype]

    def init_weights(self) -> None:
        """Initialise as the config's `init_cfg` says, except for weights that were loaded."""
        if self.loaded:
            return
        state = self._state()
        kept = {name: state[name].detach().clone() for name in self._own}
        self.model.init_weights()
        with torch.no_grad():
            for name, value in kept.items():
                state[name].copy_(value)

    @property
    def resized_in_vain(self) -> bool:
        """Whether its images are resized and its heads predict positions in them, which do not fit the annotations."""
        return self.pixels.resizes and getattr(self.model, 'head', None) is None  # a classifier's labels fit any size

    def predict(self, batch: Any) -> Any:
        """Its predictions for a data loader's batch, with its own normalisation, and resized as in training.

        Args:
            batch: A batch as `val_step` of mmengine's models takes it.
        """
        self.model.eval()
        if not self.pixels.resizes:
            return self.model.val_step(batch)
        data = self.model.data_preprocessor(batch, False)
        return self.model._run_forward({**data, 'inputs': self.pixels.resized(data['inputs'])}, mode='predict')

    def _state(self) -> dict[str, Tensor]:
        """The model's tensors by name, not copies of them."""
        return self.model.state_dict(keep_vars=True)

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        """Copies of the algorithm (EMA) share the teacher."""
        return self

    @torch.no_grad()
    def record(
        self,
        recorders: RecorderManager,
        needed: Mapping[str, int | None],
        inputs: Any,
        data_samples: Any,
        forward: Callable[[nn.Module, Any], Any] | None = None,
    ) -> None:
        """Run the teacher on the student's batch until `recorders` hold what is needed.

        Args:
            recorders: Attached to the teacher during the run.
            needed: How many records of each are used, see `RecorderManager.recording`.
            inputs: The student's images, (B, C, H, W), as its data preprocessor made them.
            data_samples: The batch's annotations.
            forward: Called with the model and its images instead of the model's own forward, if only some of its parts
                should run (a detector's box head on given regions).
        """
        self.model.eval()
        images = self.pixels(inputs, data_samples)

        def run(function: Callable[[Any], Any]) -> bool:
            with recorders.recording(self.model, needed):
                if not recorders.hold(needed):  # parameters need no forward
                    function(map_tensors(torch.clone, images))  # copies: some models normalise images in place
            return recorders.hold(needed)

        def whole() -> None:
            if forward is None:
                self._run(run, images, data_samples)
            else:
                run(lambda x: forward(self.model, x))

        if self._to_fold or self._to_dtype:
            self._accelerate(whole, recorders)
        whole()

    @torch.compiler.disable
    def _accelerate(self, run: Callable[[], None], recorders: RecorderManager) -> None:
        """Make the model faster, once; if this batch leaves no records, the next one is tried."""
        if self._to_fold:
            device = next((value.device.type for value in self.model.parameters()), 'cpu')
            with torch.autocast(device, enabled=False):
                reason = accelerate(self.model, run, recorders.tensors, recorders.sources(), self._to_fold)
            if reason == NOTHING:
                return
            if reason:
                print_log(f'{self.key}.teacher_fold={self._to_fold:g}: {reason}. A larger value allows it.', 'current')
        if self._to_dtype:
            run_in(self.model, self._to_dtype)
        self._to_fold, self._to_dtype = 0.0, None

    def _run(self, run: Callable[[Callable[[Any], Any]], bool], images: Any, data_samples: Any) -> None:
        """Run the cheapest forward that reaches all records.

        Features alone need no labels and, for a self-supervised model, are those of the unmasked images. Otherwise the
        losses are computed or, for a model without losses, its plain output.

        Args:
            run: Calls a forward on the images with fresh recording, until all records are there; returns whether they
                are.
            images: The teacher's images.
            data_samples: The batch's annotations.
        """
        if self._features and isinstance(images, Tensor) and images.ndim == 4:
            first, self._first = self._first, False
            try:
                if run(self.model.extract_feat):
                    return
            except (NotImplementedError, AttributeError, TypeError):  # not every model has features in this form
                if not first:
                    raise
            self._features = False
        if self.resized_in_vain:
            raise ConfigError(
                f'{self.key}: teacher_input_size and teacher_size_divisor are only for the features of '
                f'{type(self.model).__name__} (backbone and neck); its heads compare with annotations of the '
                "student's size."
            )
        if self._losses:
            try:
                run(lambda x: self.model(x, data_samples, mode='loss'))
                return
            except RuntimeError as error:
                if not isinstance(error, NotImplementedError) and not str(error).startswith('Invalid mode'):
                    raise
            self._losses = False
        run(lambda x: self.model(x, data_samples, mode='tensor'))


def _size(size: Any, key: str) -> tuple[int, int] | None:
    """Height and width, as given in a config."""
    if size is None:
        return None
    if isinstance(size, (list, tuple)) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size):
        return tuple(size)
    raise ConfigError(f'{key}.teacher_input_size must be (height, width) in pixels, got {size!r}.')


def gives_features(model: nn.Module) -> bool:
    """Whether `extract_feat` can be called as the model's `loss` does it: with the images alone."""
    function = getattr(model, 'extract_feat', None)
    return function is not None and set(list(signature(function).parameters)[1:]) <= {'stage'}


class _Backbone(BaseModel):
    """Wraps a backbone as a whole model, in which it is named `backbone`.

    Args:
        backbone: Called with images (B, C, H, W); its data preprocessor, if any, becomes the whole model's.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone._modules.pop('data_preprocessor', None))
        self.backbone: Any = backbone
        # Backbones of masked image modelling mask by default.
        self._options = dict.fromkeys({'mask', 'importance'} & {*signature(backbone.forward).parameters})
        self.register_load_state_dict_pre_hook(self._name)

    @staticmethod
    def _name(module: nn.Module, state_dict: dict, prefix: str, *_: Any) -> None:
        """Accept the weights of the backbone alone or, from a whole model's weights, the backbone's."""
        whole = any(key.startswith(f'{prefix}backbone.') for key in state_dict)
        for key in list(state_dict):
            if not whole:
                state_dict[f'{prefix}backbone.{key.removeprefix(prefix)}'] = state_dict.pop(key)
            elif not key.startswith(f'{prefix}backbone.'):
                del state_dict[key]

    def extract_feat(self, inputs: Tensor) -> Any:
        """The backbone's outputs for images (B, C, H, W)."""
        return self.backbone(inputs, **self._options)

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """Same as `extract_feat`, whatever the mode."""
        return self.extract_feat(inputs)

    def init_weights(self) -> None:
        """The backbone's own initialisation, if it has one."""
        if hasattr(self.backbone, 'init_weights'):
            self.backbone.init_weights()
