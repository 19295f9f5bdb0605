"""The teacher: loaded strictly, frozen, in eval mode always, fed with its own pixels, run no further than needed.

A `Teacher` is no `nn.Module`. So it is in no checkpoint, no optimiser, no EMA copy and no DDP bucket of the algorithm
that holds it; only device and dtype changes are passed on.
"""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmkd_ext.build import build_model, model_config
from mmkd_ext.compat import load_checkpoint_file
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager

KEY = 'model.teacher'


class Teacher:
    """A frozen model and the way to run it.

    Args:
        source: Package path, config file, dict, or MMRazor's `dict(cfg_path=..., pretrained=...)`.
        checkpoint: Path or URL of its weights. None is accepted where `source` has them (`pretrained=True`, or an
            `init_cfg` of type `Pretrained` on the model) or `strict` is False.
        student: The student, whose preprocessed images the teacher is given.
        strict: False accepts missing and unexpected weights.

    Raises:
        ConfigError: If the model cannot be built or its weights do not fit; missing and unexpected ones are listed.
    """

    def __init__(self, source: Any, checkpoint: str | None, student: Any, strict: bool = True) -> None:
        self.model: Any
        if isinstance(source, nn.Module):
            self.model = source
        else:
            cfg = model_config(source, KEY)
            checkpoint = checkpoint or cfg.get('_checkpoint_')
            if 'data_preprocessor' not in cfg:
                # An inline dict that says nothing of its pixels means those that the student is given.
                self.model = build_model(
                    ConfigDict(cfg, data_preprocessor=copy.deepcopy(student.data_preprocessor)), KEY
                )
            else:
                self.model = build_model(cfg, KEY)
            if checkpoint is None and strict:
                _check_pretrained(cfg)
        self.loaded = checkpoint is not None or isinstance(source, nn.Module)
        if checkpoint is not None:
            _check_trained(source, checkpoint)
            load_teacher(self.model, checkpoint, strict)
        self.model.requires_grad_(False)
        self.model.eval()
        self.pixels = PixelAdapter(student.data_preprocessor, self.model.data_preprocessor)

    def init_weights(self) -> None:
        """Initialise as the config's `init_cfg` says, where no checkpoint was loaded."""
        if not self.loaded:
            self.model.init_weights()

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
            recorders: Attached to the teacher meanwhile.
            needed: How many records of each are used, as of `RecorderManager.recording`.
            inputs: The student's images, (B, C, H, W), as its data preprocessor made them.
            data_samples: The batch's annotations.
            forward: Called with the model and its images instead of the model's own forward, where only some of its
                parts are to run (a detector's box head on given regions).
        """
        self.model.eval()
        images = self.pixels(inputs, data_samples)
        with recorders.recording(self.model, needed):
            if recorders.hold(needed):
                return  # parameters are there without a forward
            if forward is None:
                self.model(images, data_samples, mode='loss')
            else:
                forward(self.model, images)


def _check_pretrained(cfg: ConfigDict) -> None:
    """Refuse a teacher that has no checkpoint and does not load one by its own `init_cfg`."""
    init = cfg.get('init_cfg') or {}
    if not any(i.get('type') == 'Pretrained' for i in (init if isinstance(init, list) else [init])):
        raise ConfigError(
            'model.teacher_ckpt is missing: the teacher would be random. Name its checkpoint (path or URL), or set '
            'model.teacher_strict=False if that is meant.'
        )


def _check_trained(source: Any, checkpoint: str) -> None:
    """Where a missing checkpoint is one that training the config `source` writes, say so."""
    if not isinstance(source, str) or '://' in checkpoint:
        return
    path = Path(checkpoint).expanduser()
    if path.parent.name == Path(source).stem and not path.exists():
        raise ConfigError(
            f'model.teacher_ckpt: the checkpoint {checkpoint} does not exist; tools/train.py {source} makes it.'
        )


def load_teacher(model: nn.Module, checkpoint: str, strict: bool = True) -> None:
    """Load a teacher's weights, all of them and nothing else.

    Args:
        model: The teacher.
        checkpoint: Path or URL. Weights may stand under `state_dict`, behind `module.` or, as MMRazor saves students,
            `architecture.`; what a distillation run keeps under `distiller.` and `teacher.` is left out.
        strict: False goes on where weights are missing or unexpected.

    Raises:
        ConfigError: If the file is unreadable or does not fit.
    """
    try:
        content = load_checkpoint_file(checkpoint, map_location='cpu')
    except ConfigError as error:
        raise ConfigError(f'model.teacher_ckpt: {error}') from None
    weights = content.get('state_dict', content) if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ConfigError(
            f'model.teacher_ckpt: {checkpoint} holds no weights (a dict of tensors, or one under `state_dict`).'
        )
    weights = {key.removeprefix('module.').removeprefix('architecture.'): value for key, value in weights.items()}
    weights = {key: value for key, value in weights.items() if not key.startswith(('distiller.', 'teacher.'))}
    wrong = _wrong_shapes(model, weights)
    if wrong:
        name, found, expected = wrong[0]
        hint = ' (another number of classes?)' if found[1:] == expected[1:] and found[:1] != expected[:1] else ''
        raise ConfigError(
            f'model.teacher_ckpt: {checkpoint} is not of this teacher: {name} is {found} in the file and {expected} in '
            f'the model{hint}; {len(wrong)} weights have another shape.'
        )
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing = [key for key in missing if not key.endswith('num_batches_tracked')]  # absent from files of old torch
    if strict and (missing or unexpected):
        raise ConfigError(
            f'model.teacher_ckpt: {checkpoint} is not of this teacher: {_listed("missing", missing)}, '
            f'{_listed("unexpected", unexpected)}. Set model.teacher_strict=False if that is meant.'
        )


def _wrong_shapes(model: nn.Module, weights: Mapping[str, Tensor]) -> list[tuple[str, tuple, tuple]]:
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return [
        (key, tuple(value.shape), tuple(own[key].shape))
        for key, value in weights.items()
        if key in own and own[key].shape != value.shape
    ]


def _listed(what: str, keys: list[str]) -> str:
    shown = ', '.join(keys[:6]) + (', ...' if len(keys) > 6 else '')
    return f'{len(keys)} {what}' + (f' ({shown})' if keys else '')


class _Pixels(NamedTuple):
    """What a data preprocessor does to a pixel."""

    mean: Tensor
    std: Tensor
    swap: bool
    pad: float


def _pixels(preprocessor: Any) -> _Pixels:
    """Read it off the preprocessors of the toolboxes, which name the same things differently."""
    normalises = getattr(preprocessor, '_enable_normalize', False)
    mean = preprocessor.mean.detach().float().cpu() if normalises else torch.zeros(1, 1, 1)
    std = preprocessor.std.detach().float().cpu() if normalises else torch.ones(1, 1, 1)
    swap = any(getattr(preprocessor, name, False) for name in ('_channel_conversion', 'channel_conversion', 'to_rgb'))
    pad = getattr(preprocessor, 'pad_value', getattr(preprocessor, 'pad_val', 0))
    return _Pixels(mean, std, swap, float(pad))


class PixelAdapter:
    """Turns the student's normalised images into the teacher's: mean, std, channel order and padding value.

    The map is exact up to float32 rounding, and the identity (no work at all) where both agree. Geometry (size,
    padding) stays the student's. Padding is at the right and the bottom, as all three toolboxes make it, and is found
    by the samples' `img_shape`.

    Args:
        student: The student's data preprocessor.
        teacher: The teacher's.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        s, t = _pixels(student), _pixels(teacher)
        self.swap = s.swap != t.swap
        mean, std = (s.mean.flip(0), s.std.flip(0)) if self.swap else (s.mean, s.std)
        self.scale, self.shift = std / t.std, (mean - t.mean) / t.std
        self._on: dict[torch.device, tuple[Tensor, Tensor]] = {}  # a copy to a device makes the host wait for it
        self.pad = t.pad
        same_affine = bool((self.scale == 1).all() and (self.shift == 0).all())
        self.identity = same_affine and not self.swap and s.pad == t.pad

    def __call__(self, inputs: Any, data_samples: Any) -> Any:
        """The teacher's images.

        Args:
            inputs: (B, C, H, W), preprocessed for the student.
            data_samples: For each image an object with `img_shape`, its height and width without padding; or None.

        Raises:
            ConfigError: If the two normalise differently and `inputs` is no batch of images.
        """
        if self.identity:
            return inputs
        if not isinstance(inputs, Tensor) or inputs.ndim != 4:
            raise ConfigError(
                f'{KEY}: it normalises images differently than the student, which works for (B, C, H, W) only.'
            )
        images = inputs.flip(1) if self.swap else inputs
        device = inputs.device
        if device not in self._on:
            self._on[device] = self.scale.to(device), self.shift.to(device)
        scale, shift = self._on[device]
        images = images * scale + shift
        for image, sample in zip(images, data_samples or [], strict=False):
            height, width = getattr(sample, 'img_shape', image.shape[-2:])[:2]
            image[:, height:] = self.pad
            image[:, :, width:] = self.pad
        return images
