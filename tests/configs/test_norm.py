"""The NORM configs: each parses, has the released settings and what its header promises, builds, steps and folds."""

import copy
import re
from functools import cache
from typing import Any

import pytest
import torch
from config_checks import build, header, image_side, step, with_random_teacher
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from support import ROOT
from torch import Tensor, nn

from mmkd_ext.export.config import student_config
from mmkd_ext.export.fold import fold_student
from mmkd_ext.export.student import stock_config
from mmkd_ext.models.mdistiller import classifier_config

NORM = ROOT / 'configs' / 'norm'

# Teacher, student and data set; published top-1 of the student alone, KD, NORM, NORM+KD and the teacher.
PAIRS: dict[tuple[str, str, str], tuple] = {
    ('wrn40_2', 'wrn16_2', 'cifar100'): (73.80, 74.92, 75.65, 76.26, 75.61),
    ('wrn40_2', 'wrn40_1', 'cifar100'): (71.70, 73.54, 74.82, 75.42, 75.61),
    ('resnet56', 'resnet20', 'cifar100'): (69.53, 70.66, 71.35, 71.61, 72.34),
    ('resnet110', 'resnet20', 'cifar100'): (69.53, 70.67, 71.55, 72.00, 74.31),
    ('resnet110', 'resnet32', 'cifar100'): (71.56, 73.08, 73.67, 73.95, 74.31),
    ('resnet32x4', 'resnet8x4', 'cifar100'): (72.87, 73.33, 76.49, 76.98, 79.42),
    ('vgg13', 'vgg8', 'cifar100'): (70.75, 72.98, 73.95, 74.46, 74.64),
    ('vgg13', 'mobilenetv2', 'cifar100'): (64.81, 67.37, 68.94, 69.38, 74.64),
    ('resnet50', 'mobilenetv2', 'cifar100'): (64.81, 67.35, 70.56, 71.17, 79.34),
    ('resnet50', 'vgg8', 'cifar100'): (70.75, 73.81, 75.17, 75.67, 79.34),
    ('resnet32x4', 'shufflenetv1', 'cifar100'): (71.63, 74.07, 77.42, 77.79, 79.42),
    ('resnet32x4', 'shufflenetv2', 'cifar100'): (72.96, 74.45, 78.07, 78.32, 79.42),
    ('wrn40_2', 'shufflenetv1', 'cifar100'): (71.63, 74.83, 77.06, 77.63, 75.61),
    ('resnet34', 'resnet18', 'in1k'): (70.13, 70.68, 72.14, None, 73.31),
    ('resnet50', 'mobilenetv1', 'in1k'): (69.63, 70.68, 74.26, None, 76.16),
    ('resnet50', 'resnet50_quarter', 'in1k'): (65.00, None, 68.03, None, 76.16),
}
CE_WEIGHTS = {('resnet32x4', 'resnet8x4'): 0.1, ('resnet34', 'resnet18'): 1.0}  # elsewhere 1/8
PAPER = 'resnet32x4_resnet8x4_cifar100_paper'
LEAVES = {'_'.join(pair) + method: pair for pair in PAIRS for method in ('', '_kd')} | {
    PAPER: ('resnet32x4', 'resnet8x4', 'cifar100')
}
STUDENTS = {(pair[1], pair[2]): '_'.join(pair) for pair in PAIRS}  # one pair of each


@cache
def read(name: str) -> Config:
    return Config.fromfile(NORM / f'{name}.py')


def test_every_published_pair_has_its_configs() -> None:
    assert {path.stem for path in NORM.glob('*.py')} == set(LEAVES)


@pytest.mark.parametrize('name', LEAVES)
def test_it_dumps_and_reloads_to_the_same(name: str, tmp_path: Any) -> None:
    read(name).dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == read(name).to_dict()
    assert 'mmkd_ext' in read(name).custom_imports.imports


@pytest.mark.parametrize('name', LEAVES)
def test_losses_and_stages_are_the_released_ones(name: str) -> None:
    teacher, student, data = LEAVES[name]
    cfg, with_kd = read(name), name.endswith('_kd')
    ce = dict(type='CrossEntropyLoss', loss_weight=0.5 if with_kd else CE_WEIGHTS.get((teacher, student), 0.125))
    loss = ce if name == PAPER else dict(type='mmkd_ext.LogitNormLoss', scale=2.5, loss=ce)
    assert cfg.model.architecture.head.loss == loss
    norm = dict(type='NORMLoss', **(dict(loss_weight=0.5) if with_kd else {}))
    kd = dict(loss_kd=dict(type='KDLoss', tau=4.0, loss_weight=0.5)) if with_kd else {}
    assert cfg.model.distiller.distill_losses == dict(loss_norm=norm, **kd)
    (hook,) = cfg.custom_hooks
    assert (hook.type, hook.loss, hook.schedule) == ('mmkd_ext.LossWeightHook', 'loss_norm', 'table')
    assert (hook.milestones, hook.factors) == {
        'cifar100': ([10, 20, 180, 210], [0.1, 0.5, 1.0, 0.5, 0.1]),
        'in1k': ([5, 15, 60, 80], [0.1, 0.5, 0.9, 0.5, 0.1]),
    }[data]


@pytest.mark.parametrize('name', LEAVES)
def test_schedules(name: str) -> None:
    _, student, data = LEAVES[name]
    cfg = read(name)
    optimizer = cfg.optim_wrapper.optimizer
    small = student in ('mobilenetv2', 'shufflenetv1', 'shufflenetv2')
    lr, decay, images, epochs = (
        (0.01 if small else 0.05, 5e-4, 64, 240) if data == 'cifar100' else (0.1, 1e-4, 256, 100)
    )
    assert optimizer == dict(type='SGD', lr=lr, momentum=0.9, weight_decay=decay, nesterov=False)
    assert cfg.train_dataloader.batch_size * (1 if data == 'cifar100' else 8) == images
    assert (cfg.auto_scale_lr.base_batch_size, cfg.train_cfg.max_epochs) == (images, epochs)
    if data == 'cifar100':
        assert cfg.param_scheduler.milestones == [150, 180, 210]
    else:
        assert cfg.param_scheduler == dict(type='CosineAnnealingLR', by_epoch=True, T_max=100)


@pytest.mark.parametrize('name', LEAVES)
def test_the_header_says_what_is_needed(name: str) -> None:
    teacher, student, data = LEAVES[name]
    alone, kd, norm, norm_kd, top = PAIRS[LEAVES[name]]
    text = header(NORM / f'{name}.py')
    for word in ('Schedule: ', 'Settings: ', 'one training step on random data; not trained to the end.'):
        assert word in text
    with_kd = name.endswith('_kd')
    published = (
        f'NORM+KD {norm_kd:.2f}' if with_kd and norm_kd else f'NORM{" without KD" if with_kd else ""} {norm:.2f}'
    )
    between = f', KD {kd:.2f}' if kd else ''
    assert f"(authors' README): student alone {alone:.2f}{between}, {published}; teacher {top:.2f}." in text
    file = f'_base_/students/{student}_{data}.py'
    assert f'Student: {file}, which trains it alone.' in text
    plain = Config.fromfile(NORM / file).model
    model = dict(read(name).model.architecture)
    assert model.pop('neck').type == 'mmkd_ext.NORMNeck'
    assert plain.pop('neck').type == 'GlobalAveragePooling'
    model['head'] = {key: value for key, value in model['head'].items() if key != 'loss'}
    plain.head.pop('loss', None)
    if student == 'mobilenetv2':
        assert model['backbone'].pop('final_relu') is False
    assert model == plain


def shapes(model: dict) -> dict[str, torch.Size]:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return {key: value.shape for key, value in MODELS.build(model).state_dict().items()}


@pytest.mark.parametrize('name', [name for name, pair in LEAVES.items() if pair[2] == 'cifar100'])
def test_a_teacher_of_mdistiller_is_the_one_that_is_converted(name: str) -> None:
    model = read(name).model
    command = r'tools/convert_mdistiller.py SRC (\S+) --arch (\S+)\n'
    file, arch = re.search(command, (NORM / f'{name}.py').read_text()).groups()
    assert file == model.teacher_ckpt
    assert shapes(Config.fromfile(model.teacher).model) == shapes(classifier_config(arch))


@pytest.mark.parametrize('path', sorted(NORM.glob('_base_/students/*.py')), ids=lambda path: path.stem)
def test_a_student_builds_alone(path: Any) -> None:
    cfg = Config.fromfile(path)
    assert sum(p.numel() for p in build(cfg, cfg.model).parameters()) > 1e5


def steps() -> list:
    """All pairs with KD, which has all losses; one without and the paper's. Slow but for one pair a student."""
    fast = {f'{name}_kd' for name in STUDENTS.values()} | {PAPER, 'resnet56_resnet20_cifar100'}
    names = sorted({name for name in LEAVES if name.endswith('_kd')} | fast)
    return [pytest.param(name, marks=() if name in fast else pytest.mark.slow) for name in names]


@pytest.mark.parametrize('name', steps())
def test_a_step_reaches_all_that_trains(name: str) -> None:
    """Losses are there and finite, and no parameter is without a gradient; with two segments, for speed."""
    cfg = copy.deepcopy(read(name))
    cfg.merge_from_dict({'model.architecture.neck.num_segments': 2})  # the one place, as of --cfg-options
    losses = step(cfg, with_random_teacher(cfg))
    expected = {'distill.loss_norm', *(['distill.loss_kd'] if name.endswith('_kd') else [])}
    assert {key for key in losses if key.startswith('distill.')} == expected
    assert min(losses[key] for key in expected) > 0


def randomise(model: nn.Module) -> None:
    """Weights and batch norms as after training."""
    generator = torch.Generator().manual_seed(4)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
            for values in (module.bias.data, module.running_mean):
                values.copy_(0.3 * torch.randn(values.shape, generator=generator))


@pytest.mark.parametrize('name', STUDENTS.values())
@torch.no_grad()
def test_every_student_folds_to_the_stock_one(name: str) -> None:
    """To 1e-5 in float32 and 1e-10 in float64; with few channels of the teacher, for speed."""
    cfg = copy.deepcopy(read(name))
    cfg.model.architecture.neck.update(teacher_channels=5, num_segments=3)
    trained, stock = (build(c, c.model).eval() for c in (student_config(cfg), stock_config(cfg)))
    alone = Config.fromfile(NORM / '_base_' / 'students' / f'{LEAVES[name][1]}_{LEAVES[name][2]}.py')
    assert count(stock) == count(build(alone, alone.model))
    assert 'NORM' not in str(stock_config(cfg).model)
    randomise(trained)
    side = image_side(cfg)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(5))
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        trained, stock, images = trained.to(dtype), stock.to(dtype), images.to(dtype)
        folded = fold_student(trained)
        assert folded.notes == ['neck folded into head.fc']
        stock.load_state_dict(folded.weights, strict=True)
        expected, found = trained(images), stock(images)
        assert relative(found, expected) <= tolerance
        unfolded = {key: value for key, value in trained.state_dict().items() if not key.startswith('neck.')}
        stock.load_state_dict(unfolded, strict=True)
        assert relative(stock(images), expected) > 1e-3  # the transform does something


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def relative(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()
