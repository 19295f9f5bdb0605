"""Where a teacher's weights are, whether they are complete, and how they are loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import ConfigDict
from mmengine.model import PretrainedInit
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mmkd_ext.build import build_model
from mmkd_ext.checkpoints import load_checkpoint_file, load_weights, weights_of
from mmkd_ext.distillers.classes import class_names
from mmkd_ext.errors import ConfigError, listed

KEY = 'model'  # holds `teacher`, `teacher_ckpt` and so on; with several teachers, `model.teachers.NAME`


class Weights(NamedTuple):
    """The location of weights: the config key that names it, the path or URL, and the prefix of the names in it."""

    key: str
    file: str
    prefix: str = ''


def teacher_weights(checkpoint: str | None, cfg: Mapping, model: Any, key: str = KEY) -> Weights | None:
    """The file with a teacher's weights; None if no file is named for the whole model.

    Args:
        checkpoint: `teacher_ckpt`.
        cfg: The teacher's config, see `model_config`; empty if `model` was not built from one.
        model: The teacher.
        key: The config key that holds `teacher` and `teacher_ckpt`.
    """
    if checkpoint:
        return Weights(f'{key}.teacher_ckpt', str(checkpoint))
    if cfg.get('_checkpoint_'):
        return Weights(f'{key}.teacher.pretrained', cfg['_checkpoint_'])
    init = (getattr(model, 'init_cfg', None) if cfg else None) or []
    for entry in init if isinstance(init, (list, tuple)) else [init]:
        if entry.get('type') in ('Pretrained', PretrainedInit) and entry.get('checkpoint'):
            return Weights(f'{key}.teacher.init_cfg', entry['checkpoint'], entry.get('prefix') or '')
    return None


def initial_weights(file: str | None) -> Weights | None:
    """The teacher's weights in a checkpoint of the whole algorithm, as MMRazor writes it; None if it has none."""
    if file is None:
        return None
    try:
        content = load_checkpoint_file(file, map_location='cpu')
    except ConfigError as error:
        raise ConfigError(f'model.init_cfg.checkpoint: {error}') from None
    named = weights_of(content, f'model.init_cfg.checkpoint: {file}', without=())
    there = any(name.startswith('teacher.') for name in named)
    return Weights('model.init_cfg.checkpoint', file, 'teacher.') if there else None


class Filled(TorchFunctionMode):
    """Notes the tensors that are written to within the block, for example by `load_state_dict`.

    Attributes:
        tensors: These tensors, by id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tensors: dict[int, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run a torch function, and note the tensor that it writes to."""
        if func is Tensor.copy_:
            self.tensors[id(args[0])] = args[0]
        return func(*args, **(kwargs or {}))


def check_not_random(model: nn.Module, cfg: ConfigDict, loaded: Mapping[int, Tensor], key: str = KEY) -> None:
    """Refuse a teacher with weights that its class does not load when it is built, which a second build shows."""
    with torch.random.fork_rng(devices=[]):
        other = build_model(cfg, f'{key}.teacher').state_dict()
    random = [
        name
        for name, value in model.state_dict(keep_vars=True).items()
        if id(value) not in loaded and not torch.equal(value, other[name])
    ]
    if random:
        raise ConfigError(
            f'{key}.teacher_ckpt is missing: the teacher would be random ({_counted("weights", random)}). Name its '
            f'checkpoint (path or URL), or set {key}.teacher_strict=False if that is intended.'
        )


def check_trained(source: Any, weights: Weights) -> None:
    """Raise if a checkpoint is missing that training the config `source` would write."""
    if not isinstance(source, str) or '://' in weights.file:
        return
    path = Path(weights.file).expanduser()
    if path.parent.name == Path(source).stem and not path.exists():
        raise ConfigError(
            f'{weights.key}: the checkpoint {weights.file} does not exist; python -m mmkd_ext train {source} makes it.'
        )


def load_teacher(
    model: nn.Module,
    checkpoint: str,
    strict: bool = True,
    key: str = f'{KEY}.teacher_ckpt',
    prefix: str = '',
    parent: str = KEY,
) -> list[str] | None:
    """Load a teacher's weights, all of them and nothing else.

    Args:
        model: The teacher. Its own changes to loaded weights (renaming, resizing) are made before they are checked.
        checkpoint: Path or URL. Weights may be under `state_dict`, and their names may begin with `module.` or, in
            MMRazor's students, with `architecture.`; the parts of a distillation run under `distiller.` and `teacher.`
            are left out.
        strict: False accepts missing and unexpected weights.
        key: The config key that names the file, for messages.
        prefix: Keep only the weights whose names begin with it, and remove it.
        parent: The config key that holds `teacher_strict`, for messages.

    Returns:
        The names of the classes that it was trained on, if the file has them.

    Raises:
        ConfigError: If the file is unreadable or does not fit.
    """
    try:
        content = load_checkpoint_file(checkpoint, map_location='cpu')
    except ConfigError as error:
        raise ConfigError(f'{key}: {error}') from None
    weights = weights_of(content, f'{key}: {checkpoint}', prefix)
    missing, unexpected = load_weights(model, weights, f'{key}: {checkpoint} does not belong to this teacher')
    if strict and (missing or unexpected):
        raise ConfigError(
            f'{key}: {checkpoint} does not belong to this teacher: {_counted("missing", missing)}, '
            f'{_counted("unexpected", unexpected)}. Set {parent}.teacher_strict=False if that is intended.'
        )
    meta = content.get('meta')
    meta = meta if isinstance(meta, dict) else {}
    return class_names(meta.get('dataset_meta', meta))


def _counted(what: str, keys: list[str]) -> str:
    return f'{len(keys)} {what}' + (f' ({listed(keys)})' if keys else '')
