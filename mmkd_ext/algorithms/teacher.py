"""The teacher: loaded strictly, frozen, in eval mode always, fed with its own pixels, run no further than needed.

A `Teacher` is no `nn.Module`. So it is in no checkpoint, no optimiser, no EMA copy and no DDP bucket of the algorithm
that holds it; only device and dtype changes are passed on.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel, PretrainedInit
from torch import Tensor, nn

from mmkd_ext.build import build_model, model_config
from mmkd_ext.compat import load_checkpoint_file
from mmkd_ext.distillers.classes import class_names
from mmkd_ext.errors import ConfigError, listed
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.weights import load_weights, weights_of

TEACHER_KEY = 'model.teacher'
CHECKPOINT_KEY = 'model.teacher_ckpt'


class Teacher:
    """A frozen model and the way to run it.

    Its weights are those of `checkpoint`, of `pretrained=True` beside a `cfg_path`, of an `init_cfg` of type
    `Pretrained` on the whole model, or what its class loads when it is built. All are held to the same: no weight may
    be missing or unexpected, none may stay random. What was loaded is not initialised again.

    Args:
        source: Package path, config file, dict, or MMRazor's `dict(cfg_path=..., pretrained=...)`. A backbone alone
            will do, with its own weights or those of a whole model; its parts are then named `backbone.*`.
        checkpoint: Path or URL of its weights; None where `source` has them.
        student: The student, whose preprocessed images the teacher is given.
        strict: False accepts missing and unexpected weights, and a random teacher.
        initial: A checkpoint of MMRazor's for student and teacher together, in which the teacher's weights are where
            nothing else names them.
        pixels: 'student' gives it the student's images as they are, whatever its own config says.

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
    ) -> None:
        if pixels not in ('own', 'student'):
            raise ConfigError(f"model.teacher_pixels must be 'own' or 'student', got {pixels!r}.")
        self.model: Any
        cfg = ConfigDict() if isinstance(source, nn.Module) else model_config(source, TEACHER_KEY)
        with _noting_loaded() as own:
            self.model = build_model(cfg, TEACHER_KEY) if cfg else source
        weights = teacher_weights(checkpoint, cfg, self.model) or _initial_weights(initial if cfg else None)
        self.loaded = weights is not None or not cfg
        if strict and not self.loaded:
            _check_not_random(self.model, cfg, own)
            self.loaded = True
        self.predicts = isinstance(self.model, BaseModel)
        if not self.predicts:
            self.model = _Backbone(self.model)
        # By name: moving the model to another device replaces tensors.
        self._own = [name for name, value in self._state().items() if id(value) in own]
        silent = 'data_preprocessor' not in cfg and (cfg or isinstance(self.model, _Backbone))
        if silent or pixels == 'student':
            # One that says nothing of its pixels means those that the student is given.
            self.model.data_preprocessor = copy.deepcopy(student.data_preprocessor)
        self.classes: list[str] | None = None  # that it was trained on, where its file says so
        if weights is not None:
            _check_trained(source, weights)
            self.classes = load_teacher(self.model, weights.file, strict, weights.key, weights.prefix)
        self.model.requires_grad_(False)
        self.model.eval()
        self.pixels = PixelAdapter(student.data_preprocessor, self.model.data_preprocessor)
        self._features, self._first, self._losses = _gives_features(self.model), True, True

    def init_weights(self) -> None:
        """Initialise as the config's `init_cfg` says, but for weights that are loaded."""
        if self.loaded:
            return
        state = self._state()
        kept = {name: state[name].detach().clone() for name in self._own}
        self.model.init_weights()
        with torch.no_grad():
            for name, value in kept.items():
                state[name].copy_(value)

    def _state(self) -> dict[str, Tensor]:
        """The model's tensors themselves, by name."""
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
            recorders: Attached to the teacher meanwhile.
            needed: How many records of each are used, as of `RecorderManager.recording`.
            inputs: The student's images, (B, C, H, W), as its data preprocessor made them.
            data_samples: The batch's annotations.
            forward: Called with the model and its images instead of the model's own forward, where only some of its
                parts are to run (a detector's box head on given regions).
        """
        self.model.eval()
        images = self.pixels(inputs, data_samples)

        def run(function: Callable[[], Any]) -> bool:
            with recorders.recording(self.model, needed):
                if not recorders.hold(needed):  # parameters are there without a forward
                    function()
            return recorders.hold(needed)

        if forward is None:
            self._run(run, images, data_samples)
        else:
            run(lambda: forward(self.model, images))

    def _run(self, run: Callable[[Callable[[], Any]], bool], images: Any, data_samples: Any) -> None:
        """Run the cheapest forward that reaches all records.

        The features alone need no labels and are, of a self-supervised model, those of the unmasked images. Else the
        losses are computed or, of a model that has none, its plain output.

        Args:
            run: Calls a forward, from which it begins to record anew, until all records are there; says if they are.
            images: The teacher's.
            data_samples: The batch's annotations.
        """
        if self._features and isinstance(images, Tensor) and images.ndim == 4:
            first, self._first = self._first, False
            try:
                if run(lambda: self.model.extract_feat(images)):
                    return
            except (NotImplementedError, AttributeError, TypeError):  # not every model gives them so
                if not first:
                    raise
            self._features = False
        if self._losses:
            try:
                run(lambda: self.model(images, data_samples, mode='loss'))
                return
            except RuntimeError as error:
                if not isinstance(error, NotImplementedError) and not str(error).startswith('Invalid mode'):
                    raise
            self._losses = False
        run(lambda: self.model(images, data_samples, mode='tensor'))


def _gives_features(model: nn.Module) -> bool:
    """Whether `extract_feat` can be called as the model's `loss` does: with the images alone."""
    function = getattr(model, 'extract_feat', None)
    return function is not None and set(list(signature(function).parameters)[1:]) <= {'stage'}


class _Backbone(BaseModel):
    """A backbone as a whole model, in which it is named `backbone`.

    Args:
        backbone: Called with images (B, C, H, W); a data preprocessor that it has becomes the whole model's.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone._modules.pop('data_preprocessor', None))
        self.backbone: Any = backbone
        # Backbones of masked image modelling mask by default.
        self._options = dict.fromkeys({'mask', 'importance'} & {*signature(backbone.forward).parameters})
        self.register_load_state_dict_pre_hook(self._name)

    @staticmethod
    def _name(module: nn.Module, state_dict: dict, prefix: str, *_: Any) -> None:
        """Take the weights of the backbone alone or, from those of a whole model, the backbone's."""
        whole = any(key.startswith(f'{prefix}backbone.') for key in state_dict)
        for key in list(state_dict):
            if not whole:
                state_dict[f'{prefix}backbone.{key.removeprefix(prefix)}'] = state_dict.pop(key)
            elif not key.startswith(f'{prefix}backbone.'):
                del state_dict[key]

    def extract_feat(self, inputs: Tensor) -> Any:
        """What the backbone returns of images (B, C, H, W)."""
        return self.backbone(inputs, **self._options)

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """As `extract_feat`, whatever the mode."""
        return self.extract_feat(inputs)

    def init_weights(self) -> None:
        """As the backbone's, where it has one."""
        if hasattr(self.backbone, 'init_weights'):
            self.backbone.init_weights()


class Weights(NamedTuple):
    """Where weights are: the config key that says so, the path or URL, and what the names in it begin with."""

    key: str
    file: str
    prefix: str = ''


def teacher_weights(checkpoint: str | None, cfg: Mapping, model: Any) -> Weights | None:
    """The file that a teacher's weights are in; None where none is named for the whole model.

    Args:
        checkpoint: `teacher_ckpt`.
        cfg: The teacher's config, as of `model_config`; empty where `model` was not built from one.
        model: The teacher.
    """
    if checkpoint:
        return Weights(CHECKPOINT_KEY, str(checkpoint))
    if cfg.get('_checkpoint_'):
        return Weights(f'{TEACHER_KEY}.pretrained', cfg['_checkpoint_'])
    init = (getattr(model, 'init_cfg', None) if cfg else None) or []
    for entry in init if isinstance(init, (list, tuple)) else [init]:
        if entry.get('type') in ('Pretrained', PretrainedInit) and entry.get('checkpoint'):
            return Weights(f'{TEACHER_KEY}.init_cfg', entry['checkpoint'], entry.get('prefix') or '')
    return None


def _initial_weights(file: str | None) -> Weights | None:
    """The teacher's weights in a checkpoint of the whole algorithm, as MMRazor writes it; None where it has none."""
    if file is None:
        return None
    try:
        content = load_checkpoint_file(file, map_location='cpu')
    except ConfigError as error:
        raise ConfigError(f'model.init_cfg.checkpoint: {error}') from None
    named = weights_of(content, f'model.init_cfg.checkpoint: {file}', without=())
    there = any(name.startswith('teacher.') for name in named)
    return Weights('model.init_cfg.checkpoint', file, 'teacher.') if there else None


@contextmanager
def _noting_loaded() -> Iterator[dict[int, Tensor]]:
    """A context that collects, by their id, the tensors of modules that `load_state_dict` fills meanwhile."""
    load = nn.Module._load_from_state_dict
    loaded: dict[int, Tensor] = {}

    def noting(module: nn.Module, state_dict: dict, prefix: str, *args: Any, **kwargs: Any) -> None:
        load(module, state_dict, prefix, *args, **kwargs)
        for name, value in (*module._parameters.items(), *module._buffers.items()):
            given = state_dict.get(prefix + name)
            if value is not None and given is not None and given.shape == value.shape:
                loaded[id(value)] = value

    nn.Module._load_from_state_dict = noting  # type: ignore[assignment, method-assign]
    try:
        yield loaded
    finally:
        nn.Module._load_from_state_dict = load  # type: ignore[method-assign]


def _check_not_random(model: nn.Module, cfg: ConfigDict, loaded: Mapping[int, Tensor]) -> None:
    """Refuse a teacher with weights that its class does not load when it is built: a second one has others."""
    with torch.random.fork_rng(devices=[]):
        other = build_model(cfg, TEACHER_KEY).state_dict()
    random = [
        name
        for name, value in model.state_dict(keep_vars=True).items()
        if id(value) not in loaded and not torch.equal(value, other[name])
    ]
    if random:
        raise ConfigError(
            f'{CHECKPOINT_KEY} is missing: the teacher would be random ({_counted("weights", random)}). Name its '
            'checkpoint (path or URL), or set model.teacher_strict=False if that is meant.'
        )


def _check_trained(source: Any, weights: Weights) -> None:
    """Where a missing checkpoint is one that training the config `source` writes, say so."""
    if not isinstance(source, str) or '://' in weights.file:
        return
    path = Path(weights.file).expanduser()
    if path.parent.name == Path(source).stem and not path.exists():
        raise ConfigError(
            f'{weights.key}: the checkpoint {weights.file} does not exist; python -m mmkd_ext train {source} makes it.'
        )


def load_teacher(
    model: nn.Module, checkpoint: str, strict: bool = True, key: str = CHECKPOINT_KEY, prefix: str = ''
) -> list[str] | None:
    """Load a teacher's weights, all of them and nothing else.

    Args:
        model: The teacher. What it does itself to weights that are loaded (renames, resizes) is done before they are
            judged.
        checkpoint: Path or URL. Weights may stand under `state_dict`, behind `module.` or, as MMRazor saves students,
            `architecture.`; what a distillation run keeps under `distiller.` and `teacher.` is left out.
        strict: False goes on where weights are missing or unexpected.
        key: The config key that names the file, for messages.
        prefix: Only the weights whose names begin so are taken, without it.

    Returns:
        The names of the classes that it was trained on, where the file says so.

    Raises:
        ConfigError: If the file is unreadable or does not fit.
    """
    try:
        content = load_checkpoint_file(checkpoint, map_location='cpu')
    except ConfigError as error:
        raise ConfigError(f'{key}: {error}') from None
    weights = weights_of(content, f'{key}: {checkpoint}', prefix)
    missing, unexpected = load_weights(model, weights, f'{key}: {checkpoint} is not of this teacher')
    if strict and (missing or unexpected):
        raise ConfigError(
            f'{key}: {checkpoint} is not of this teacher: {_counted("missing", missing)}, '
            f'{_counted("unexpected", unexpected)}. Set model.teacher_strict=False if that is meant.'
        )
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    return class_names(meta.get('dataset_meta', meta))


def _counted(what: str, keys: list[str]) -> str:
    return f'{len(keys)} {what}' + (f' ({listed(keys)})' if keys else '')


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


def same_pixels(student: nn.Module, teacher: nn.Module) -> bool:
    """Whether two data preprocessors normalise pixels alike, to a hundredth, in one channel order; padding aside."""
    s, t = _pixels(student), _pixels(teacher)
    same_std = torch.allclose(s.std, t.std, rtol=0.01)
    return s.swap == t.swap and same_std and bool(((s.mean - t.mean).abs() <= 0.01 * t.std).all())


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
                f'{TEACHER_KEY}: it normalises images differently than the student, which works for (B, C, H, W) only.'
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
