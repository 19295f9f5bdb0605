"""The NORM configs: each parses, has the released settings and the published numbers, builds, steps and folds."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from config_checks import (
    alone,
    build,
    check_dump,
    check_literals,
    check_start,
    described,
    image_side,
    published,
    random_batch,
    step,
    with_random_teacher,
)  # fmt: skip
from mmengine.config import Config
from support import ROOT
from torch import Tensor, nn

from mmkd_ext.export.config import student_config
from mmkd_ext.export.fold import fold_student
from mmkd_ext.export.student import stock_config

NORM = ROOT / 'configs' / 'norm'
STUDENT_FOLDER = ROOT / 'configs' / 'students' / 'norm'

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
# Published top-1 of NORM with the plain transform.
PLAIN = {
    ('wrn40_2', 'wrn16_2'): 75.57, ('wrn40_2', 'wrn40_1'): 74.78, ('resnet56', 'resnet20'): 70.70,
    ('resnet110', 'resnet20'): 71.01, ('resnet110', 'resnet32'): 73.27, ('resnet32x4', 'resnet8x4'): 76.76,
    ('vgg13', 'vgg8'): 73.64, ('vgg13', 'mobilenetv2'): 69.37, ('resnet50', 'mobilenetv2'): 70.94,
    ('resnet50', 'vgg8'): 74.37, ('resnet32x4', 'shufflenetv1'): 75.93, ('resnet32x4', 'shufflenetv2'): 77.34,
    ('wrn40_2', 'shufflenetv1'): 76.61,
}  # fmt: skip
LEAVES = {'_'.join(pair) + method: pair for pair in PAIRS for method in ('', '_kd')}
LEAVES |= {'_'.join(pair) + '_cifar100_plain': (*pair, 'cifar100') for pair in PLAIN}
LEAVES |= {PAPER: ('resnet32x4', 'resnet8x4', 'cifar100')}
# Published top-1 of a student with the transform and without a teacher, and with the plain one; how its classifier
# starts.
TRANSFORMS = {
    'wrn16_2': (73.72, 72.59, 'zero bias'), 'wrn40_1': (72.09, 71.14, 'zero bias'),
    'resnet20': (69.55, 68.09, 'pytorch'),
    'resnet32': (71.64, 70.17, 'pytorch'), 'resnet8x4': (73.72, 73.51, 'pytorch'), 'vgg8': (70.64, 70.17, 'normal'),
    'mobilenetv2': (64.13, 63.95, 'normal'), 'shufflenetv1': (71.76, 71.82, 'pytorch'),
    'shufflenetv2': (72.71, 72.55, 'pytorch'),
}  # fmt: skip
STUDENTS = {(pair[1], pair[2]): '_'.join(pair) for pair in PAIRS}  # one pair of each


@cache
def read(name: str) -> Config:
    return Config.fromfile(NORM / f'{name}.py')


def test_every_pair_and_student_has_its_configs() -> None:
    alone = {f'{student}_cifar100_transform' for student in TRANSFORMS}
    assert {path.stem for path in NORM.glob('*.py')} == {*LEAVES, *alone}


def test_one_dumps_and_reloads_to_the_same(tmp_path: Any) -> None:
    check_dump(read('wrn40_2_shufflenetv1_cifar100_kd'), tmp_path / 'dumped.py')


@pytest.mark.parametrize('name', LEAVES)
def test_losses_and_stages_are_the_released_ones(name: str) -> None:
    teacher, student, data = LEAVES[name]
    cfg, with_kd = read(name), name.endswith('_kd')
    check_literals(cfg)
    assert cfg.model.architecture.neck.get('residual', True) is not name.endswith('_plain')
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
        (0.01 if small else 0.05, 5e-4, 64, 241) if data == 'cifar100' else (0.1, 1e-4, 256, 100)
    )
    assert optimizer == dict(type='SGD', lr=lr, momentum=0.9, weight_decay=decay, nesterov=False)
    assert cfg.train_dataloader.batch_size * (1 if data == 'cifar100' else 8) == images
    assert (cfg.auto_scale_lr.base_batch_size, cfg.train_cfg.max_epochs) == (images, epochs)
    if data == 'cifar100':
        assert cfg.param_scheduler.milestones == [151, 181, 211]
    else:
        assert cfg.param_scheduler == dict(type='CosineAnnealingLR', by_epoch=True, T_max=100)
    assert cfg.default_hooks.checkpoint.save_best == 'auto'


@pytest.mark.parametrize('name', LEAVES)
def test_published_numbers(name: str) -> None:
    teacher, student, _ = LEAVES[name]
    numbers = dict(zip(('Student', 'KD', 'NORM', 'NORM+KD', 'Teacher'), PAIRS[LEAVES[name]], strict=True))
    if name.endswith('_plain'):
        result = PLAIN[teacher, student]
    else:
        result = numbers.pop('NORM+KD' if name.endswith('_kd') else 'NORM')
    beside = ('Student', 'KD', 'Teacher', *(['NORM'] if name.endswith('_plain') or result is None else []))
    expected = {key: numbers[key] for key in beside} | dict(Result=result)
    assert published(described('norm')[name]) == {key: value for key, value in expected.items() if value is not None}


@pytest.mark.parametrize('name', LEAVES)
def test_the_student_is_the_one_that_trains_alone_but_for_the_transform(name: str) -> None:
    _, student, data = LEAVES[name]
    base = alone(NORM / f'{name}.py')
    assert Path(base.filename) == STUDENT_FOLDER / f'{student}_{data}.py'
    plain = base.model
    model = copy.deepcopy(read(name).model.architecture)
    assert model.pop('neck').type == 'mmkd_ext.NORMNeck'
    assert plain.pop('neck').type == 'GlobalAveragePooling'
    model['head'] = {key: value for key, value in model['head'].items() if key != 'loss'}
    plain.head.pop('loss', None)
    if student == 'mobilenetv2':
        assert model['backbone'].pop('final_relu') is False
    assert model == plain


def steps() -> list:
    """All pairs with KD, which has all losses, and in plain form. Slow but for one pair a student."""
    fast = {f'{name}_kd' for name in STUDENTS.values()} | {PAPER, 'resnet56_resnet20_cifar100'}
    names = sorted({name for name in LEAVES if name.endswith(('_kd', '_plain'))} | fast)
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


@pytest.mark.parametrize('student', TRANSFORMS)
def test_a_student_with_the_transform_and_no_teacher(student: str) -> None:
    with_transform, plain, start = TRANSFORMS[student]
    name = f'{student}_cifar100_transform'
    without = next(numbers[0] for pair, numbers in PAIRS.items() if pair[1:] == (student, 'cifar100'))
    found = published(described('norm')[name])
    assert found == {'Student': without, 'Plain form': plain, 'Result': with_transform}
    cfg, base = copy.deepcopy(read(name)), alone(NORM / f'{name}.py')
    check_literals(cfg)
    check_start(base, start)
    for key in ('train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg'):
        assert cfg[key] == base[key]
    neck = cfg.model.neck
    assert neck.in_channels == neck.teacher_channels == base.model.head.in_channels
    pair = read(next(name for name, leaf in LEAVES.items() if leaf[1:] == (student, 'cifar100')))
    assert cfg.model.backbone == pair.model.architecture.backbone
    assert neck.get('init_cfg') == pair.model.architecture.neck.get('init_cfg')
    neck.num_segments = 2
    model = build(cfg, cfg.model).train()
    model.parse_losses(model(**random_batch(cfg, model), mode='loss'))[0].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('student', ['resnet18', 'mobilenetv1', 'resnet50_quarter'])
def test_classifiers_of_imagenet_start_as_released(student: str) -> None:
    check_start(read(f'../students/norm/{student}_in1k'), 'pytorch')


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
    base = alone(NORM / f'{name}.py')
    assert count(stock) == count(build(base, base.model))
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
