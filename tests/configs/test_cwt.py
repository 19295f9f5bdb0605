"""The CWT configs: each parses, has the settings and the published numbers, builds, and takes a step."""

from functools import cache
from pathlib import Path

import pytest
import torch
from config_checks import alone, build, check_dump, check_literals, described, published, step, with_random_teacher
from mmengine.config import Config
from support import MINI, ROOT

from mmkd_ext.checkpoints import load_checkpoint_file

CWT = ROOT / 'configs' / 'cwt'
# By alpha, channels of the student's and the teacher's maps, levels; the published gain; in the order of teachers, so
# that one is built once.
LEAVES: dict[str, tuple] = {
    'resnet34_resnet18_in1k': (7e-5, 512, 512, 1, None),
    'resnet50_mobilenetv1_in1k': (7e-5, 1024, 2048, 1, {'Top 1 Accuracy': 3.28}),
    'cascade_mask_rcnn_x101_dcn_faster_rcnn_r50_coco': (
        5e-7, 256, 256, 4, {'box AP': 3.9}
    ),
    'cascade_mask_rcnn_x101_dcn_mask_rcnn_r50_coco': (
        5e-7, 256, 256, 4, {'mask AP': 2.8}
    ),
    'faster_rcnn_r101_r50_coco': (5e-7, 256, 256, 4, None),
    'mask_rcnn_r101_r50_coco': (5e-7, 256, 256, 4, None),
    'retinanet_x101_r50_coco': (2e-5, 256, 256, 5, None),
    'pspnet_r101_r18_cityscapes_512x512': (2e-5, 512, 2048, 1, {'mIoU': 4.66}),
    'pspnet_r101_r18_cityscapes': (2e-5, 512, 2048, 1, None),
    'deeplabv3_r101_r18_cityscapes_512x512': (2e-5, 512, 2048, 1, None),
}  # fmt: skip
LARGE = [name for name in LEAVES if 'x101' in name or 'mask_rcnn' in name]


@cache
def read(name: str) -> Config:
    return Config.fromfile(CWT / f'{name}.py')


def test_every_pair_has_its_config() -> None:
    assert {path.stem for path in CWT.glob('*.py')} == set(LEAVES)


def test_one_dumps_and_reloads_to_the_same(tmp_path: Path) -> None:
    check_dump(read('resnet34_resnet18_in1k'), tmp_path / 'dumped.py')


@pytest.mark.parametrize('name', LEAVES)
def test_the_loss_and_the_connectors(name: str) -> None:
    check_literals(read(name))
    alpha, student, teacher, levels, _ = LEAVES[name]
    model = read(name).model
    assert model.distiller.distill_losses == dict(loss_cwt=dict(type='CWTLoss', alpha=alpha))
    (connector,) = model.distiller.connectors.values()
    expected = dict(type='ChannelMLPConnector', in_channels=student, out_channels=teacher)
    assert connector == (expected if levels == 1 else dict(expected, levels=levels))
    assert model.get('inherit') == (['neck', 'bbox_head'] if name.startswith('retinanet') else None)


@pytest.mark.parametrize('name', LEAVES)
def test_schedules(name: str) -> None:
    cfg = read(name)
    optimizer, clip = cfg.optim_wrapper.optimizer, cfg.optim_wrapper.get('clip_grad')
    images, total = cfg.train_dataloader.batch_size, cfg.auto_scale_lr.base_batch_size
    assert (optimizer.type, optimizer.momentum) == ('SGD', 0.9)
    if name.endswith('in1k'):
        assert (optimizer.lr, optimizer.weight_decay, optimizer.nesterov) == (0.1, 1e-4, False)
        assert (images, total, cfg.train_cfg.max_epochs) == (32, 256, 100)
        assert cfg.param_scheduler.milestones == [30, 60, 90]
        assert clip == (dict(max_norm=5.0) if 'mobilenet' in name else None)
    elif name.endswith('coco'):
        assert (optimizer.lr, optimizer.weight_decay) == (0.01 if 'retinanet' in name else 0.02, 1e-4)
        assert (images, total, cfg.train_cfg.max_epochs) == (2, 16, 24)
        assert cfg.param_scheduler[1].milestones == [16, 22]
        assert clip == dict(max_norm=35, norm_type=2)
    else:
        square = name.endswith('512x512')
        assert (optimizer.lr, optimizer.weight_decay, clip) == (0.01, 5e-4, None)
        assert (images, total, cfg.train_cfg.max_iters) == (2, 16 if square else 8, 40000 if square else 80000)
        crop = (512, 512) if square else (512, 1024)
        assert cfg.model.architecture.data_preprocessor.size == crop
        (cropping,) = [part for part in cfg.train_dataloader.dataset.pipeline if part.type == 'RandomCrop']
        assert tuple(cropping.crop_size) == crop


@pytest.mark.parametrize('name', LEAVES)
def test_published_gains(name: str) -> None:
    gain = LEAVES[name][-1]
    assert published(described('cwt')[name]) == (dict(Gain=gain) if gain else {})


@pytest.mark.parametrize('name', LEAVES)
def test_the_rest_is_what_trains_the_student_alone(name: str) -> None:
    student, cfg = alone(CWT / f'{name}.py'), read(name)
    assert cfg.model.architecture == student.model
    for key in ('train_dataloader', 'val_dataloader', 'val_evaluator', 'param_scheduler', 'train_cfg', 'default_hooks'):
        assert cfg[key] == student[key]
    assert cfg.optim_wrapper.optimizer == student.optim_wrapper.optimizer


@pytest.mark.parametrize('name', [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in LEAVES])
def test_a_step_reaches_all_that_trains(name: str) -> None:
    _, _, channels, levels, _ = LEAVES[name]
    model = with_random_teacher(read(name))
    teacher = model.teacher.model
    given, maps = [], []  # to the loss, by the teacher
    taps = [teacher.neck.fpn_convs[i].conv for i in range(levels)] if levels > 1 else [teacher.backbone.layer4]
    hooks = [tap.register_forward_hook(lambda *args: maps.append(args[2].clone())) for tap in taps]
    loss = model.distiller.distill_losses['loss_cwt']
    loss.register_forward_pre_hook(lambda _, args, kwargs: given.append(kwargs['teacher']), with_kwargs=True)
    losses = step(read(name), model)
    for hook in hooks:
        hook.remove()
    assert losses['distill.loss_cwt'] > 0
    assert [key for key in losses if key.startswith('distill.')] == ['distill.loss_cwt']
    assert len(given) == len(maps) == levels
    assert all(torch.equal(a, b) for a, b in zip(given, maps, strict=True))
    assert {x.shape[1] for x in maps} == {channels}


def test_the_mini_mask_rcnn_teacher_starts_from_the_shipped_detector() -> None:
    cfg = Config.fromfile(MINI / 'mask_rcnn_teacher.py')
    model, shipped = build(cfg, cfg.model), load_checkpoint_file(cfg.load_from)
    missing, unexpected = model.load_state_dict(shipped.get('state_dict', shipped), strict=False)
    assert not unexpected
    assert {key.split('.')[1] for key in missing} == {'mask_head'}


def test_the_retinanet_starts_with_its_teachers_neck_and_head() -> None:
    model = with_random_teacher(read('retinanet_x101_r50_coco'))
    model.backbone.init_cfg = None  # would be fetched
    model.init_weights()
    for part in ('neck', 'bbox_head'):
        ours, theirs = (getattr(m, part).state_dict() for m in (model, model.teacher.model))
        assert all(torch.equal(ours[key], value) for key, value in theirs.items())
