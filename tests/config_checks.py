"""Shared by tests of shipped configs: a model as the runner builds it, random batches, a step, the zoos' own lists."""

import ast
import copy
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import yaml
from mmengine.config import Config, config
from mmengine.registry import MODELS, DefaultScope
from support import ROOT, load_tool
from torch import Tensor, nn
from yapf.yapflib.yapf_api import FormatCode

from mmkd_ext.benchmark import data
from mmkd_ext.build import build_model, model_config
from mmkd_ext.mdistiller import classifier_config


@cache
def described(method: str) -> dict[str, dict]:
    """The entries of configs/METHOD/metafile.yml by the config's name."""
    return {Path(model['Config']).stem: model for model in load_tool('config_tables').read_models(method)}


def published(model: dict) -> dict[str, float]:
    """The numbers that a metafile gives for a config, the method's own as `Result`."""
    numbers = {key: value for key, value in model['Metadata'].get('Published', {}).items() if key != 'Source'}
    if 'Metrics' in numbers:
        (numbers['Result'],) = numbers.pop('Metrics').values()
    return numbers


def alone(path: Path) -> Config:
    """The config that trains the student of a leaf config alone: the first base of the leaf."""
    student = load_tool('config_tables').bases(path)[0]
    assert student.is_relative_to(ROOT / 'configs' / 'students')
    return Config.fromfile(student)


def check_literals(cfg: Config) -> None:
    """A config can be written down: it holds literals only, as every file of a run's own config does.

    That mmengine writes these so that they read back is seen once a method, by `check_dump`: its formatter takes
    seconds a config.
    """
    content = cfg.to_dict()
    assert ast.literal_eval(repr(content)) == content
    assert 'mmkd_ext' in cfg.custom_imports.imports


def check_dump(cfg: Config, path: Path) -> None:
    """A config is the same after writing and reading it with mmengine's formatter, which `conftest` skips elsewhere."""
    with patch.object(config, 'FormatCode', FormatCode):
        cfg.dump(path)
    assert Config.fromfile(path).to_dict() == cfg.to_dict()


def check_start(cfg: Config, kind: str) -> None:
    """Check a student's classifier initialisation: `pytorch`, `zero bias` (PyTorch's weight) or `normal` (std 0.01)."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        head = MODELS.build(cfg.model.head)
    head.init_weights()
    weight, bias = head.fc.weight, head.fc.bias
    bound = weight.shape[1] ** -0.5
    assert bool(bias.any()) == (kind == 'pytorch')
    if kind == 'normal':
        assert abs(weight.std().item() - 0.01) < 1e-3
    else:
        assert 0.99 * bound < weight.abs().max().item() <= bound
    assert bias.abs().max().item() <= bound


@cache
def _models(metafile: Path) -> list[dict]:
    return yaml.safe_load(metafile.read_text())['Models']


def listed(config: str, checkpoint: str) -> dict[str, float]:
    """The metrics of a checkpoint in the metafile of the toolbox, which must list it for this config."""
    package, name = config.split('::')
    path = Path(find_spec(package).origin).parent / '.mim' / 'configs' / name
    (metafile,) = path.parent.glob('metafile.y*ml')
    (found,) = [m for m in _models(metafile) if m['Config'] == f'configs/{name}' and m['Weights'] == checkpoint]
    results = found['Results'] if isinstance(found['Results'], list) else [found['Results']]
    return {metric: value for result in results if result for metric, value in (result['Metrics'] or {}).items()}


@cache
def shapes(source: str) -> dict[str, tuple]:
    """The shapes of the weights of a teacher's config, or of a model of mdistiller."""
    cfg = model_config(source if source.endswith('.py') else classifier_config(source), 'model.teacher')
    return {name: tuple(value.shape) for name, value in build_model(cfg, 'model.teacher').state_dict().items()}


def build(cfg: Config, model: Any) -> Any:
    """Build a model as the runner does, except for initial weights."""
    model = dict(model, data_preprocessor=model.get('data_preprocessor', cfg.get('data_preprocessor')))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(model)


@lru_cache(maxsize=1)
def random_teacher(source: str) -> Any:
    """A teacher without its checkpoint; tests that share one are next to each other."""
    return build_model(model_config(source, 'model.teacher'), 'model.teacher')


def with_random_teacher(cfg: Config) -> Any:
    """The algorithm of a config, its teacher's weights random and its regions few."""
    cfg = copy.deepcopy(cfg)
    cfg.model.pop('teacher_ckpt')
    teacher = random_teacher(cfg.model.pop('teacher'))
    train = cfg.model.architecture.get('train_cfg') or {}
    if 'rpn_proposal' in train:
        train.rpn_proposal.update(nms_pre=50, max_per_img=20)
        train.rcnn.sampler.num = 16
    if cfg.default_scope == 'mmseg':
        cfg.model.architecture.data_preprocessor.size = cfg.data_preprocessor.size = (64, 64)
    return build(cfg, dict(cfg.model, teacher=teacher)).train()


def image_side(cfg: Config) -> int:
    """The image side: CIFAR's own, or one on which an ImageNet network can run."""
    return 32 if cfg.train_dataloader.dataset.type == 'CIFAR100' else 64


def random_batch(cfg: Config, model: Any) -> dict:
    """Two images of noise with annotations (four to classify), preprocessed for the student."""
    count, side = dict(mmdet=(2, 96), mmseg=(2, 64), mmpretrain=(4, image_side(cfg)))[cfg.default_scope]
    torch.manual_seed(0)  # for the regions that a detector samples
    return model.data_preprocessor(data.random_batch(cfg, count, side), True)


def step(cfg: Config, model: Any) -> dict[str, Tensor]:
    """One forward and backward on random data: everything is finite, and every trained parameter has a gradient."""
    losses = model(**random_batch(cfg, model), mode='loss')
    total, values = model.parse_losses(losses)
    assert all(value.isfinite() for value in values.values())
    total.backward()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert not [name for name, p in trained.items() if p.grad is None or not p.grad.isfinite().all()]
    assert all(p.grad.abs().sum() > 0 for p in model.distiller.parameters())
    return losses


def calibrate(model: Any, images: Tensor) -> None:
    """Give a random network the batch statistics of real activations, or its features vanish in eval mode."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            module.reset_running_stats()
            module.train()
    with torch.no_grad():
        model.extract_feat(images)
    model.eval()
