"""The ND configs: each parses, has the released settings and the published numbers, builds, and takes a step."""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from config_checks import (
    alone,
    check_dump,
    check_literals,
    check_start,
    described,
    published,
    random_teacher,
    step,
    with_random_teacher,
)  # fmt: skip
from mmengine.config import Config
from support import ROOT

from mmkd_ext.extraction.taps import find_taps

ND = ROOT / 'configs' / 'nd'
METHODS = ('', '_distpp', '_dkdpp', '_reviewkdpp')
LOSSES = dict(zip(METHODS, ('loss_kd', 'loss_dist', 'loss_dkd', 'loss_hcl'), strict=True))

# Teacher, student and data set; released weights of KD++ (kd, nd), DIST++ (kd, nd), DKD++ (alpha, beta, nd) and
# ReviewKD++ (kd, nd), None where there is no such setting.
WEIGHTS: dict[tuple[str, str, str], tuple] = {
    ('resnet56', 'resnet20', 'cifar100'): ((1.0, 2.0), (2.0, 1.0), (2.5, 4.0, 3.5), (1.2, 1.0)),
    ('resnet32x4', 'resnet8x4', 'cifar100'): ((3.5, 2.0), (1.5, 4.0), (2.0, 8.0, 0.5), (8.0, 1.0)),
    ('wrn40_2', 'wrn40_1', 'cifar100'): ((1.0, 1.5), (2.5, 3.0), (1.0, 6.0, 1.0), (5.0, 4.0)),
    ('resnet50', 'mobilenetv2', 'cifar100'): ((3.0, 0.5), (7.0, 1.0), (0.5, 8.0, 1.0), (6.0, 2.0)),
    ('resnet32x4', 'shufflenetv1', 'cifar100'): ((2.5, 1.5), (2.5, 3.0), (0.5, 8.0, 4.0), (7.0, 1.0)),
    ('resnet32x4', 'shufflenetv2', 'cifar100'): ((4.0, 0.5), (3.0, 4.0), (0.5, 6.0, 0.5), (8.0, 1.5)),
    ('resnet34', 'resnet18', 'in1k'): ((2.5, 1.0), None, (0.8, 0.5, 1.0), (1.0, 3.0)),
    ('resnet50', 'resnet18', 'in1k'): ((4.0, 1.0), None, (0.6, 0.5, 2.0), (3.0, 2.0)),
    ('resnet101', 'resnet18', 'in1k'): ((3.5, 4.0), None, (0.8, 0.5, 1.0), (3.0, 1.0)),
    ('resnet152', 'resnet18', 'in1k'): ((4.0, 2.0), None, (1.0, 1.0, 1.0), (3.0, 1.0)),
    ('resnet152', 'resnet34', 'in1k'): ((4.0, 2.0), None, None, None),  # of which nothing is released but the name
    ('resnet152', 'resnet50', 'in1k'): ((4.0, 2.0), None, None, None),
    ('resnet152', 'resnet101', 'in1k'): ((4.0, 2.0), None, None, None),
    ('resnet50', 'mobilenetv1', 'in1k'): ((4.0, 1.0), None, (0.8, 1.0, 1.0), (8.0, 4.0)),
    ('vit_s', 'resnet18', 'in1k'): ((1.5, 1.0), None, (1.0, 1.0, 2.0), None),
    ('vit_b', 'resnet18', 'in1k'): ((2.0, 1.0), None, (1.4, 0.5, 2.0), None),
    ('regnety_16gf', 'deit_base', 'in1k'): ((0.5, 1.5), None, None, None),
    ('faster_rcnn_r101', 'r18', 'coco'): ((1.0, 1.5), None, None, (1.2, 1.5)),
    ('faster_rcnn_r101', 'r50', 'coco'): ((1.0, 1.0), None, None, (1.4, 1.0)),
    ('faster_rcnn_r50', 'mobilenetv2', 'coco'): ((1.0, 1.0), None, None, (2.2, 1.5)),
}
# Published top-1: of the student alone and the teacher; then by method without and with ND.
PUBLISHED: dict[str, tuple] = {
    'resnet56_resnet20_cifar100': (69.06, 72.34, (70.66, 72.53), (71.78, 72.52), (71.97, 72.16), (71.89, 72.05)),
    'wrn40_2_wrn40_1_cifar100': (71.98, 75.61, (73.54, 74.59), (74.42, 75.00), (74.81, 75.02), (75.09, 75.66)),
    'resnet32x4_resnet8x4_cifar100': (72.50, 79.42, (73.33, 75.54), (75.79, 76.13), (75.44, 76.28), (75.63, 76.07)),
    'resnet50_mobilenetv2_cifar100': (64.60, 79.34, (67.65, 70.10), (69.17, 69.80), (70.35, 70.82), (69.89, 70.45)),
    'resnet32x4_shufflenetv1_cifar100': (70.50, 79.42, (74.07, 75.45), (75.23, 75.60), (76.45, 77.11), (77.45, 77.68)),
    'resnet32x4_shufflenetv2_cifar100': (71.82, 79.42, (74.45, 76.42), (76.08, 76.64), (77.07, 77.49), (77.78, 77.93)),
    'resnet34_resnet18_in1k': (69.76, 73.31, (70.66, 71.98), None, (71.70, 72.07), (71.62, 71.64)),
    'resnet50_mobilenetv1_in1k': (68.87, 76.16, (70.50, 72.77), None, (72.05, 72.63), (72.56, 72.96)),
    'resnet50_resnet18_in1k': (69.76, 76.16, (71.35, 72.53), None, (71.87, 72.08), (71.10, 71.71)),
    'resnet101_resnet18_in1k': (69.76, 77.37, (71.09, 72.54), None, (72.10, 72.26), (70.98, 71.77)),
    'resnet152_resnet18_in1k': (69.76, 78.31, (71.12, 72.54), None, (71.97, 72.48), (71.36, 71.79)),
    'vit_s_resnet18_in1k': (69.76, 74.64, (71.32, 71.46), None, (71.21, 71.33), None),
    'vit_b_resnet18_in1k': (69.76, 78.00, (71.63, 71.84), None, (71.62, 71.69), None),
}
LEAVES = {
    '_'.join(pair) + method: (pair, method, weights)
    for pair, row in WEIGHTS.items()
    for method, weights in zip(METHODS, row, strict=True)
    if weights
}
# By teacher, so that one is built once.
BY_TEACHER = sorted(LEAVES, key=lambda name: (LEAVES[name][0][2], LEAVES[name][0][0]))
PROJECTED = {  # where the teacher's embedding is wider or narrower
    ('wrn40_1', 64, 128), ('mobilenetv2', 1280, 2048), ('shufflenetv1', 960, 256), ('shufflenetv2', 1024, 256),
    ('mobilenetv1', 1024, 2048), ('resnet18', 512, 2048), ('resnet18', 512, 384), ('resnet18', 512, 768),
    ('resnet34', 512, 2048), ('deit_base', 768, 3024),
}  # fmt: skip
FAST = ('resnet56', 'resnet50_mobilenetv2', 'vit_s')  # every method, with and without connectors; the others are slow


@cache
def read(name: str) -> Config:
    return Config.fromfile(ND / f'{name}.py')


def names(data: str = '') -> list[str]:
    return [name for name, (pair, _, _) in LEAVES.items() if data in pair[2]]


def test_every_released_pair_and_method_has_its_config() -> None:
    assert {path.stem for path in ND.glob('*.py')} == set(LEAVES)


def test_one_dumps_and_reloads_to_the_same(tmp_path: Path) -> None:
    check_dump(read('resnet34_resnet18_in1k_reviewkdpp'), tmp_path / 'dumped.py')


@pytest.mark.parametrize('name', LEAVES)
def test_losses_are_the_released_ones(name: str) -> None:
    (_, student, data), method, weights = LEAVES[name]
    check_literals(read(name))
    distiller = read(name).model.distiller
    assert list(distiller.distill_losses) == list(distiller.loss_forward_mappings) == [LOSSES[method], 'loss_nd']
    kd, nd = distiller.distill_losses.values()
    tau = 4.0 if data == 'cifar100' else 1.0
    *base, weight = weights
    assert (
        kd
        == {
            '': dict(type='KDLoss', tau=tau, loss_weight=base[0]),
            '_distpp': dict(type='DISTLoss', tau=tau, loss_weight=base[0]),
            '_dkdpp': dict(type='DKDLoss', tau=tau, alpha=base[0], beta=base[-1]),
            '_reviewkdpp': dict(type='HCLLoss', loss_weight=base[0]),
        }[method]
    )
    assert nd == dict(type='NDLoss', class_means=nd.class_means, loss_weight=weight)  # the background counts, too
    hook = dict(type='mmkd_ext.LossWeightHook', loss=LOSSES[method], schedule='linear', end=20 if tau == 4 else 5)
    assert read(name).get('custom_hooks', []) == ([] if data == 'coco' else [hook])
    embed = distiller.get('connectors', {}).get('embedding')
    if embed is None:
        assert data == 'coco' or student in ('resnet20', 'resnet8x4', 'resnet18', 'resnet50', 'resnet101')
    else:
        assert (student, embed.in_channels, embed.out_channels) in PROJECTED
        assert embed.get('init_std') == (None if data == 'cifar100' else 0.01)


@pytest.mark.parametrize(
    ('student', 'kind'),
    [
        ('resnet20_cifar100', 'pytorch'), ('resnet8x4_cifar100', 'pytorch'), ('wrn40_1_cifar100', 'zero bias'),
        ('shufflenetv1_cifar100', 'zero bias'), ('shufflenetv2_cifar100', 'zero bias'),
        ('mobilenetv2_cifar100', 'normal'), ('mobilenetv1_in1k', 'normal'), ('resnet18_in1k', 'normal'),
        ('resnet18_in1k_torch_head', 'pytorch'),
    ],
)  # fmt: skip
def test_classifiers_start_as_released(student: str, kind: str) -> None:
    check_start(read(f'../students/nd/{student}'), kind)


class TestSchedules:
    @pytest.mark.parametrize('name', names('cifar100'))
    def test_cifar(self, name: str) -> None:
        cfg = read(name)
        lr = 0.02 if cfg.model.architecture.backbone.type.startswith(('mmkd_ext.CIFARM', 'mmkd_ext.CIFARS')) else 0.1
        expected = dict(type='SGD', lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
        assert cfg.optim_wrapper.optimizer == expected
        assert (cfg.param_scheduler.milestones, cfg.train_cfg.max_epochs) == ([150, 180, 210], 240)
        assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 128

    @pytest.mark.parametrize('name', names('in1k'))
    def test_imagenet(self, name: str) -> None:
        cfg = read(name)
        optimizer, images = cfg.optim_wrapper.optimizer, 8 * cfg.train_dataloader.batch_size
        assert images == cfg.auto_scale_lr.base_batch_size
        if 'deit_base' in name:
            assert (optimizer.type, optimizer.lr, optimizer.betas, optimizer.weight_decay) == (
                'AdamW', 8e-4, (0.9, 0.95), 0.3
            )  # fmt: skip
            assert (images, cfg.train_cfg.max_epochs, cfg.param_scheduler[0].end) == (2048, 300, 20)
            assert [a.type for a in cfg.model.architecture.train_cfg.augments] == ['Mixup', 'CutMix']
        else:
            assert optimizer == dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=1e-4, nesterov=True)
            assert (images, cfg.train_cfg.max_epochs, cfg.param_scheduler.milestones) == (512, 100, [30, 60, 90])
        assert cfg.default_hooks.checkpoint.save_best == 'auto'

    @pytest.mark.parametrize('name', names('coco'))
    def test_coco_has_the_1x_of_mmdet_at_the_released_sizes(self, name: str, tmp_path: Path) -> None:
        (tmp_path / 'stock.py').write_text("_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'\n")
        cfg, stock = read(name), Config.fromfile(tmp_path / 'stock.py')
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'val_dataloader'):
            assert cfg[key] == stock[key]
        sizes = [(1333, short) for short in (640, 672, 704, 736, 768, 800)]
        assert cfg.train_dataloader.dataset.pipeline[2].scales == sizes
        assert cfg.train_dataloader.batch_size == 2
        backbone = cfg.model.architecture.backbone
        assert backbone.norm_eval
        assert backbone.norm_cfg == dict(type='BN', requires_grad=False)  # as Detectron2's


@pytest.mark.parametrize('name', LEAVES)
def test_the_class_means_are_the_teachers_and_the_student_is_one_that_trains_alone(name: str) -> None:
    teacher, student, data = LEAVES[name][0]
    model = read(name).model
    assert model.distiller.distill_losses.loss_nd.class_means == (f'work_dirs/class_means/{teacher}_{data}.safetensors')
    path = Path(alone(ND / f'{name}.py').filename)
    assert path.stem.removesuffix('_torch_head') == f'{"faster_rcnn_" if data == "coco" else ""}{student}_{data}'
    # The only pair whose classifier the released code leaves as it is.
    assert path.stem.endswith('_torch_head') == (teacher == 'resnet34')
    assert model.architecture == Config.fromfile(path).model


@pytest.mark.parametrize('name', LEAVES)
def test_published_numbers(name: str) -> None:
    (teacher, student, data), method, _ = LEAVES[name]
    found = published(described('nd')[name])
    if student == 'deit_base':
        assert found == dict(Student=81.8, DeiT=83.4, Result=83.6, Teacher=82.9)
    elif data == 'coco' or (teacher == 'resnet152' and student != 'resnet18'):
        assert found == {}  # the numbers were not at hand
    else:
        alone, top, *methods = PUBLISHED[f'{teacher}_{student}_{data}']
        base, plus = methods[METHODS.index(method)]
        word = ('KD', 'DIST', 'DKD', 'ReviewKD')[METHODS.index(method)]
        assert found == {'Student': alone, word: base, 'Result': plus, 'Teacher': top}


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=() if n.startswith(FAST) else pytest.mark.slow) for n in BY_TEACHER]
)
def test_a_step_reaches_all_that_trains(name: str) -> None:
    """Losses are there and finite, and no parameter is without a gradient, which distributed training would refuse."""
    if 'regnety' in name:
        pytest.importorskip('timm')
    cfg = copy.deepcopy(read(name))
    teacher = random_teacher(cfg.model.teacher)
    taps = find_taps(cfg.model, teacher)  # of tools/class_means.py
    assert {tap.recorder['source'] for tap in taps.values()} <= set(dict(teacher.named_modules()))
    classes, channels = teacher.get_submodule(taps['embedding'].recorder['source']).weight.shape
    assert classes == dict(cifar100=100, in1k=1000, coco=81)[LEAVES[name][0][2]]
    cfg.model.distiller.distill_losses.loss_nd.class_means = torch.rand(classes, channels)
    model = with_random_teacher(cfg)
    given: list[dict] = []  # to the loss
    key = LOSSES[LEAVES[name][1]]
    kd = model.distiller.distill_losses[key]
    kd.register_forward_pre_hook(lambda _, args, kwargs: given.append(kwargs), with_kwargs=True)
    losses = step(cfg, model)
    assert [part for part in losses if part.startswith('distill.')] == [f'distill.{key}', 'distill.loss_nd']
    assert min(losses[f'distill.{key}'], losses['distill.loss_nd']) > 0
    if name.endswith('_reviewkdpp') and 'coco' not in name:
        *stages, embedding = given[0]['teacher']
        assert all(stage.min() < 0 for stage in stages)  # not after ReLU
        assert (embedding.ndim, bool((embedding >= 0).all())) == (2, True)
