"""The TFD configs: each parses, has the released settings and the published numbers, builds, and takes a step."""

import copy
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from config_checks import alone, check_dump, check_literals, described, published
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import HOOKS, MODELS, DefaultScope
from support import MINI, ROOT
from torch import Tensor, nn

from mmkd_ext.benchmark.data import random_batch
from mmkd_ext.build import build_model, model_config
from mmkd_ext.export.config import student_config

TFD = ROOT / 'configs' / 'tfd'

# The poster's top-1 of the student alone, Tf-FD, KD and Tf-FD+KD.
CIFAR = {
    'resnet20': (69.06, 70.62, 70.67, 71.56),
    'resnet32': (71.14, 72.55, 73.08, 73.68),
    'wrn16_2': (73.26, 74.33, 74.92, 75.68),
    'resnet8x4': (72.50, 73.62, 73.33, 75.65),
    'vgg8': (70.36, 71.62, 72.98, 74.08),
}
TEACHERS = [
    ('resnet56', 'resnet20'), ('resnet110', 'resnet20'), ('resnet110', 'resnet32'), ('wrn40_2', 'wrn16_2'),
    ('resnet32x4', 'resnet8x4'), ('vgg13', 'vgg8'),
]  # fmt: skip
# What is published of others: the gain of TFD and that of Tf-FD, or Tf-FD beside the student alone.
OTHERS: dict[str, tuple[dict, dict]] = {
    'resnet18_in1k': (dict(Gain={'Top 1 Accuracy': 0.8}), dict(Gain={'Top 1 Accuracy': 0.91})),
    'resnet50_in1k': ({}, dict(Gain={'Top 1 Accuracy': 1.84})),
    'deeplabv3_r18_cityscapes': ({}, dict(Student=69.19, Result=70.83)),
    'pspnet_r18_cityscapes': ({}, {}),
    'faster_rcnn_r50_coco': ({}, {}),
}
STUDENTS = [f'{student}_cifar100' for student in CIFAR] + list(OTHERS)
LEAVES = {f'{student}_{kind}': student for student in STUDENTS for kind in ('tfd', 'tffd')}
LEAVES |= {f'resnet20_cifar100_{kind}_readme_weights': 'resnet20_cifar100' for kind in ('tfd', 'tffd')}
WITH_KD = {f'{teacher}_{student}_cifar100_tffd_kd': f'{student}_cifar100' for teacher, student in TEACHERS}
LEAVES |= WITH_KD

# Channels and strides of the stages that are compared.
MAPS = {
    'resnet20_cifar100': ((16, 32, 64), (1, 2, 4)),
    'resnet32_cifar100': ((16, 32, 64), (1, 2, 4)),
    'wrn16_2_cifar100': ((32, 64, 128), (1, 2, 4)),
    'resnet8x4_cifar100': ((64, 128, 256), (1, 2, 4)),
    'vgg8_cifar100': ((64, 128, 256, 512, 512), (1, 2, 4, 8, 8)),
    'resnet18_in1k': ((64, 128, 256, 512), (4, 8, 16, 32)),
    'resnet50_in1k': ((256, 512, 1024, 2048), (4, 8, 16, 32)),
    'deeplabv3_r18_cityscapes': ((64, 128, 256, 512), (4, 8, 8, 8)),
    'pspnet_r18_cityscapes': ((64, 128, 256, 512), (4, 8, 8, 8)),
    'faster_rcnn_r50_coco': ((512, 1024, 2048), (8, 16, 32)),  # the first stage is frozen
}


@cache
def read(name: str) -> Config:
    return Config.fromfile(TFD / f'{name}.py')


def test_every_student_and_pair_has_its_configs() -> None:
    assert {path.stem for path in TFD.glob('*.py')} == set(LEAVES)


def test_one_dumps_and_reloads_to_the_same(tmp_path: Path) -> None:
    check_dump(read('resnet56_resnet20_cifar100_tffd_kd'), tmp_path / 'dumped.py')


@pytest.mark.parametrize('name', LEAVES)
def test_losses_and_warm_up_are_the_released_ones(name: str) -> None:
    cfg = read(name)
    check_literals(cfg)
    inter, intra = (5e-4, 8e-4) if name.endswith('_readme_weights') else (5e-3, 4e-4)
    losses = dict(loss_tfd=dict(type='TFDLoss', loss_weight=inter))
    if '_tffd' in name:
        losses['loss_intra'] = dict(type='IntraTFDLoss', loss_weight=intra)
        if name.endswith('_readme_weights'):
            losses['loss_intra']['detach_salient'] = False
    if name in WITH_KD:
        losses['loss_kd'] = dict(type='KDLoss', tau=4.0)
    distiller = cfg.model.distiller
    assert distiller.distill_losses == losses
    every_stage = [recorder for recorder in distiller.student_recorders if recorder != 'logits']
    for loss in ('loss_tfd', 'loss_intra')[: len(losses)]:
        assert distiller.loss_forward_mappings[loss].features.recorder == every_stage
    assert cfg.model.type == f'mmkd_ext.{"SingleTeacher" if name in WITH_KD else "Self"}Distill'
    (hook,) = cfg.custom_hooks
    hook = HOOKS.build(hook)
    assert hook.losses == list(losses)
    steps = dict(cityscapes=7438, coco=7330).get(LEAVES[name].split('_')[-1], 20)
    assert hook.by_epoch == (steps == 20)
    assert [hook._factor(i) for i in (0, 1, steps - 2, steps - 1, steps)] == [
        1 / steps, 2 / steps, (steps - 1) / steps, 1, 1
    ]  # fmt: skip


@pytest.mark.parametrize('name', LEAVES)
def test_the_rest_is_what_trains_the_student_alone(name: str) -> None:
    cfg, student = read(name).to_dict(), alone(TFD / f'{name}.py').to_dict()
    model = cfg.pop('model')
    assert model['architecture'] == student.pop('model')
    for key in ('custom_hooks', 'custom_imports', 'distiller', 'features', 'logits', 'last_layer', 'teacher'):
        cfg.pop(key, None)
        student.pop(key, None)
    assert cfg == student
    if 'cifar100' in name:
        crop = cfg['train_dataloader']['dataset']['pipeline'][0]
        assert crop == dict(type='RandomCrop', crop_size=32, padding=4, padding_mode='reflect')
        expected = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
        assert cfg['optim_wrapper']['optimizer'] == expected
        assert cfg['train_dataloader']['batch_size'] == cfg['auto_scale_lr']['base_batch_size'] == 128
        assert (cfg['param_scheduler']['milestones'], cfg['train_cfg']['max_epochs']) == ([150, 180, 210], 240)


@pytest.mark.parametrize('name', LEAVES)
def test_published_numbers(name: str) -> None:
    student, _, data = LEAVES[name].rpartition('_')
    if data != 'cifar100':
        expected = OTHERS[LEAVES[name]][name.endswith('_tffd')]
    else:
        without, tffd, kd, both = CIFAR[student]
        if name in WITH_KD:
            expected = {'Student': without, 'Tf-FD': tffd, 'KD': kd, 'Result': both}
        elif '_tffd' in name:
            expected = dict(Student=without, Result=tffd)
        else:
            expected = {'Student': without, 'Tf-FD': tffd}  # of TFD no tables were at hand
    assert published(described('tfd')[name]) == expected


def build(cfg: Config, **overrides: Any) -> Any:
    """As the runner does on one process without GPUs, but for initial weights."""
    torch.manual_seed(0)
    cfg = copy.deepcopy(cfg)
    model = dict(cfg.model, data_preprocessor=cfg.model.get('data_preprocessor', cfg.get('data_preprocessor')))
    if 'teacher' in model:
        model.pop('teacher_ckpt')
        overrides['teacher'] = build_model(model_config(model['teacher'], 'model.teacher'), 'model.teacher')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return revert_sync_batchnorm(MODELS.build({**model, **overrides})).train()


SIZES = dict(mmpretrain=64, mmseg=64, mmdet=96)


def batch(cfg: Config, model: Any, count: int = 2, size: int = 0) -> dict:
    """Random images and labels, preprocessed."""
    size = size or (32 if 'CIFAR' in str(cfg.model) else SIZES[cfg.default_scope])
    return model.data_preprocessor(random_batch(cfg, count, size), True)


class Counter:
    """A forward hook that counts."""

    calls = 0

    def __call__(self, *_: Any) -> None:
        self.calls += 1


STEPS = [*(f'{student}_tffd' for student in STUDENTS), *WITH_KD, 'resnet20_cifar100_tffd_readme_weights']


@pytest.mark.parametrize('name', STEPS)
def test_a_step_runs_the_student_once_and_compares_its_stages(name: str) -> None:
    """Of each student Tf-FD, which has TFD's loss and one more."""
    cfg = copy.deepcopy(read(name))
    if 'coco' in name:
        train = cfg.model.architecture.train_cfg
        train.rpn_proposal.update(nms_pre=50, max_per_img=20)
        train.rcnn.sampler.num = 16
    if 'cityscapes' in name:
        cfg.model.architecture.data_preprocessor.size = cfg.data_preprocessor.size = (64, 64)  # to which it pads
    model = build(cfg)
    forwards = Counter()
    model.student.backbone.register_forward_hook(forwards)
    given: list[list[Tensor]] = []
    losses = model.distiller.distill_losses
    losses.loss_tfd.register_forward_pre_hook(
        lambda _, args, kwargs: given.append(kwargs['features']), with_kwargs=True
    )
    data = batch(cfg, model)
    found = model(**data, mode='loss')
    assert forwards.calls == 1
    assert {key for key in found if key.startswith('distill.')} == {f'distill.{key}' for key in losses}
    total, values = model.parse_losses(found)
    assert all(value.isfinite() for value in values.values())
    assert min(value for key, value in found.items() if key.startswith('distill.')) > 0
    total.backward()
    assert not [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None]
    channels, strides = MAPS[LEAVES[name]]
    assert tuple(m.shape[1] for m in given[0]) == channels
    height = data['inputs'].shape[2]
    assert tuple(m.shape[2] for m in given[0]) == tuple(-(-height // stride) for stride in strides)
    assert all(m.requires_grad and m.min() == 0 for m in given[0])  # post-ReLU, and each can learn


@pytest.mark.parametrize('name', ['resnet18_in1k_tffd', 'resnet20_cifar100_tfd'])
def test_odd_sizes_and_a_batch_of_one(name: str) -> None:
    cfg = read(name)
    model = build(cfg)
    losses = model(**batch(cfg, model, count=1, size=75), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_a_step_with_autocast_computes_the_losses_in_float32() -> None:
    cfg = Config.fromfile(MINI / 'resnet_tffd.py')
    model = build(cfg)
    given: list[Tensor] = []
    model.distiller.distill_losses.loss_tfd.register_forward_hook(lambda *args: given.append(args[-1]))
    data = batch(cfg, model, size=32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(**data, mode='loss')
    assert given[0].dtype == torch.float32
    model.parse_losses(losses)[0].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    exact = model(**data, mode='loss')
    for key in ('distill.loss_tfd', 'distill.loss_intra'):
        assert losses[key].item() == pytest.approx(exact[key].item(), rel=0.05)


def only(losses: dict, *names: str) -> Tensor:
    return sum(losses[f'distill.{name}'] for name in names)


def grads(model: nn.Module) -> dict[str, Tensor | None]:
    return {key: p.grad for key, p in model.named_parameters() if not key.startswith('distiller')}


def test_with_a_teacher_on_top_the_engine_is_the_other_and_the_losses_are_the_same() -> None:
    """Tf-FD+KD on SingleTeacherDistill: the terms and the gradients of Tf-FD on SelfDistill, plus KD's."""
    name = 'resnet56_resnet20_cifar100_tffd_kd'
    alone, taught = build(read('resnet20_cifar100_tffd')), build(read(name))
    taught.load_state_dict(alone.state_dict())
    data = batch(read(name), alone)
    ours, theirs = alone(**data, mode='loss'), taught(**data, mode='loss')
    for key, value in ours.items():
        assert torch.equal(theirs[key], value), key
    assert set(theirs) - set(ours) == {'distill.loss_kd'}
    only(ours, 'loss_tfd', 'loss_intra').backward()
    only(theirs, 'loss_tfd', 'loss_intra').backward()
    torch.testing.assert_close(grads(taught), grads(alone), rtol=0, atol=0)


@pytest.mark.parametrize('name', ['resnet20_cifar100_tfd', 'resnet56_resnet20_cifar100_tffd_kd'])
def test_the_deepest_stage_learns_nothing_from_teaching(name: str) -> None:
    model = build(read(name))
    only(model(**batch(read(name), model), mode='loss'), 'loss_tfd').backward()
    for key, grad in grads(model).items():
        assert (grad is None) == key.startswith(('backbone.layer3', 'head')), key


def test_the_value_is_that_of_the_maps_of_the_plain_student() -> None:
    """And all pairs are in it, with the weight."""
    name = 'resnet20_cifar100_tfd'
    model, plain = build(read(name)), build(student_config(read(name)))
    plain.load_state_dict(model.state_dict())
    data = batch(read(name), model)
    plain.backbone.out_indices = [0, 1, 2]
    maps = plain.backbone(data['inputs'])
    terms = []
    for i, j in combinations(range(3), 2):
        pooled = nn.functional.adaptive_avg_pool2d(maps[i], maps[j].shape[2:])
        terms.append((pooled - maps[j][:, : maps[i].shape[1]]).square().mean())
    torch.testing.assert_close(model(**data, mode='loss')['distill.loss_tfd'], 5e-3 * sum(terms) / 3)


@pytest.mark.parametrize('name', ['resnet_tfd', 'resnet_tffd', 'pspnet_tfd'])
def test_a_checkpoint_of_the_mini_configs_is_the_plain_students(name: str) -> None:
    cfg = Config.fromfile(MINI / f'{name}.py')
    assert list(build(cfg).state_dict()) == list(build(student_config(cfg)).state_dict())
    plain = Config.fromfile(MINI / f'{name.split("_")[0]}_student.py').model
    assert dict(plain, _scope_=None) == dict(student_config(cfg).model, _scope_=None)
