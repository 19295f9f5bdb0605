"""Build the networks of a config that run over the data."""

from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

from mmkd_ext.algorithms.pixels import changes
from mmkd_ext.algorithms.regions import check_regions
from mmkd_ext.algorithms.teacher_weights import load_teacher, teacher_weights
from mmkd_ext.build import build_model, build_student, model_config
from mmkd_ext.class_means import fingerprint
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.data import SEED, reseed


def build_teacher(cfg: Config, checkpoint: str | None) -> tuple[Any, dict[str, str]]:
    """The teacher with its own pixel normalisation, and its entries for the file's header."""
    model, own = cfg.get('model'), True
    pixels: Any = None  # the student's, if they replace the teacher's own
    if not isinstance(model, dict):
        raise ConfigError('the config defines no `model`.')
    if 'teacher' in model:
        source = model['teacher']
        teacher_cfg = model_config(source, 'model.teacher')
        checkpoint = checkpoint or model.get('teacher_ckpt')
        own = 'data_preprocessor' in teacher_cfg
        if not own or model.get('teacher_pixels') == 'student':
            given = model.get('data_preprocessor') or cfg.get('data_preprocessor')
            pixels = build_student(model['architecture'], given).data_preprocessor
        name = source if isinstance(source, str) and '::' in source else None
        name = name or (Path(source).name if isinstance(source, (str, Path)) else str(teacher_cfg.get('type')))
    elif 'teachers' in model:
        raise ConfigError(
            'the config has model.teachers, but class means are made from one of them; give the config that trained '
            'it, with --checkpoint, and use model.distiller.distill_losses.NAME.class_means for --out.'
        )
    elif 'architecture' in model:
        raise ConfigError('the config has no model.teacher to take class means from.')
    else:
        teacher_cfg = ConfigDict(model)
        teacher_cfg.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
        name = Path(cfg.filename).name if cfg.filename else str(model.get('type'))
    network: Any = build_model(teacher_cfg, 'model.teacher')
    # In a config that trains the teacher itself, init_cfg says where that training starts.
    weights = teacher_weights(checkpoint, teacher_cfg if 'teacher' in model else {}, network)
    if weights is None:
        raise ConfigError('the teacher has no checkpoint: give --checkpoint FILE, or model.teacher_ckpt in the config.')
    load_teacher(network, weights.file, model.get('teacher_strict', True), weights.key, weights.prefix)
    about = dict(teacher=name, checkpoint=Path(weights.file).name, fingerprint=fingerprint(network), changes='')
    if pixels is not None:
        about['changes'] = changes(network.data_preprocessor, pixels) if own else ''
        network.data_preprocessor = pixels
    network.to(get_device())
    return network, about


def build_proposer(cfg: Config, checkpoint: str | None) -> tuple[Any, str]:
    """The student of a distillation config, whose regions are used, and its entries for the file's header."""
    if 'architecture' not in cfg.model or 'teacher' not in cfg.model:
        raise ConfigError('--proposals student needs a distillation config, with model.architecture and model.teacher.')
    pixels = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    student: Any = build_student(cfg.model['architecture'], pixels)
    check_regions(student, 'model.architecture')
    reseed(SEED)
    student.init_weights()
    if checkpoint:
        try:
            load_teacher(student, checkpoint, key='--student-ckpt')
        except ConfigError as error:
            raise ConfigError(str(error).replace('this teacher', 'this student')) from None
    student.to(get_device()).eval()
    return student, f'student, {Path(checkpoint).name if checkpoint else "as it starts"}: {fingerprint(student)}'
