"""FitNet, CWD, PKD and MGD: settings, published numbers, a step, and the losses of MMRazor's own engine, compared."""

import copy
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from config_checks import (
    alone,
    calibrate,
    check_literals,
    described,
    published,
    random_batch,
    step,
    with_random_teacher,
)  # fmt: skip
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import set_random_seed
from support import ROOT
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from mmkd_ext.build import build_model, build_part, model_config
from mmkd_ext.compat import import_mmrazor
from mmkd_ext.registry import MODELS as OURS

BASELINES = ROOT / 'configs' / 'baselines'
DETECTOR, SEGMENTOR = 'faster_rcnn_r101_r50_2x_coco', 'pspnet_r101_r18_cityscapes'
CONV, MASKED = 'mmrazor.ConvModuleConnector', 'mmrazor.MGDConnector'
# The loss, the connector, and where both look.
LEAVES: dict[str, tuple[dict, dict | None, str]] = {
    f'{DETECTOR}_fitnet': (
        dict(type='mmrazor.L2Loss', normalize=False, div_element=True),
        dict(type=CONV, in_channel=256, out_channel=256, act_cfg=None, levels=4),
        'neck',
    ),
    f'{DETECTOR}_cwd': (dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=10.0), None, 'neck'),
    f'{DETECTOR}_pkd': (dict(type='mmrazor.PKDLoss', loss_weight=6.0), None, 'neck'),
    f'{DETECTOR}_mgd': (
        dict(type='mmrazor.MGDLoss', alpha_mgd=5e-7),
        dict(type=MASKED, student_channels=256, teacher_channels=256, lambda_mgd=0.45, levels=4),
        'neck',
    ),
    f'{SEGMENTOR}_fitnet': (
        dict(type='mmrazor.L2Loss', normalize=False, div_element=True),
        dict(type=CONV, in_channel=512, out_channel=2048, act_cfg=None),
        'backbone.layer4',
    ),
    f'{SEGMENTOR}_cwd': (
        dict(type='mmrazor.ChannelWiseDivergence', tau=1.0, loss_weight=5.0), None, 'decode_head.conv_seg'
    ),
    f'{SEGMENTOR}_pkd': (dict(type='mmrazor.PKDLoss', loss_weight=6.0), None, 'decode_head.conv_seg'),
    f'{SEGMENTOR}_mgd': (
        dict(type='mmrazor.MGDLoss', alpha_mgd=2e-5),
        dict(type=MASKED, student_channels=512, teacher_channels=2048, lambda_mgd=0.75),
        'backbone.layer4',
    ),
}  # fmt: skip
SHIPPED = {  # by MMRazor, for the same pair
    f'{DETECTOR}_cwd': 'mmdet/cwd/cwd_fpn_frcnn_r101_frcnn_r50_1x_coco.py',
    f'{DETECTOR}_pkd': 'mmdet/pkd/pkd_fpn_faster-rcnn_r101_faster-rcnn_r50_2x_coco.py',
    f'{SEGMENTOR}_cwd': 'mmseg/cwd/cwd_logits_pspnet_r101-d8_pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
}


@cache
def read(name: str) -> Config:
    return Config.fromfile(BASELINES / f'{name}.py')


def only(entries: dict) -> Any:
    (entry,) = entries.values()
    return entry


def expanded(distiller: dict) -> dict:
    """In MMRazor's own words, which have no levels: a loss and a connector for each."""
    ((name, mapping),) = distiller['loss_forward_mappings'].items()
    made: dict = {key: distiller[key] for key in ('type', 'student_recorders', 'teacher_recorders')}
    made.update(connectors={}, distill_losses={}, loss_forward_mappings={})
    for i in next(iter(mapping.values())).get('data_idx', ['']):
        entries = {arg: dict(entry) for arg, entry in mapping.items()}
        for entry in entries.values():
            if 'data_idx' in entry:
                entry['data_idx'] = i
            if 'connector' in entry:
                connector = dict(distiller['connectors'][entry['connector']])
                connector.pop('levels', None)
                entry['connector'] += str(i)
                made['connectors'][entry['connector']] = connector
        made['distill_losses'][f'{name}{i}'] = dict(distiller['distill_losses'][name])
        made['loss_forward_mappings'][f'{name}{i}'] = entries
    return made


def test_every_method_has_a_detector_and_a_segmentor() -> None:
    others = ('_kd', '_dkd', '_dist', '_reviewkd')  # see test_plain.py
    found = {path.stem for path in BASELINES.glob('*.py') if not path.stem.endswith(others)}
    dense = ('rtmdet', 'gfl', 'retinanet', 'fcos')  # see test_rtmdet.py and test_dense.py
    assert {name for name in found if not name.startswith(dense)} == set(LEAVES)


@pytest.mark.parametrize('name', LEAVES)
def test_settings(name: str) -> None:
    loss, connector, source = LEAVES[name]
    cfg = read(name)
    check_literals(cfg)
    distiller = cfg.model.distiller
    assert only(distiller.distill_losses) == loss
    assert (only(distiller.connectors) if connector else distiller.get('connectors')) == connector
    for recorders in (distiller.student_recorders, distiller.teacher_recorders):
        assert only(recorders) == dict(type='ModuleOutputs', source=source)
    levels = next(iter(only(distiller.loss_forward_mappings).values())).get('data_idx')
    assert levels == (list(range(5 if 'cwd' in name else 4)) if source == 'neck' else None)
    assert cfg.optim_wrapper.get('clip_grad') == (dict(max_norm=35, norm_type=2) if name == f'{DETECTOR}_mgd' else None)


@pytest.mark.parametrize('name', SHIPPED)
def test_what_mmrazor_ships_is_what_is_here(name: str) -> None:
    root = Path(find_spec('mmrazor').submodule_search_locations[0]) / '.mim' / 'configs' / 'distill'
    theirs, ours = Config.fromfile(root / SHIPPED[name]).model, read(name).model
    mine = expanded(ours.distiller.to_dict())
    losses = [dict(loss, type=loss['type'].removeprefix('mmrazor.')) for loss in mine['distill_losses'].values()]
    assert losses == list(theirs.distiller.distill_losses.values())
    assert list(mine['loss_forward_mappings'].values()) == list(theirs.distiller.loss_forward_mappings.values())
    for side in ('student_recorders', 'teacher_recorders'):
        assert mine[side] == theirs.distiller[side]
    assert ours.teacher_ckpt.endswith(theirs.teacher_ckpt.rpartition('/')[2])


@pytest.mark.parametrize('name', LEAVES)
def test_published_numbers(name: str) -> None:
    """Of the two configs that MMRazor ships with a result."""
    known = {
        f'{DETECTOR}_pkd': dict(Student=38.4, Teacher=39.8, Result=40.4),
        f'{SEGMENTOR}_cwd': dict(Student=74.87, Teacher=79.76, Result=75.54),
    }
    assert published(described('baselines')[name]) == known.get(name, {})


@pytest.mark.parametrize('name', LEAVES)
def test_the_rest_is_that_of_cwt_and_of_the_student_alone(name: str) -> None:
    cfg, student = read(name), alone(BASELINES / f'{name}.py')
    cwt = Config.fromfile(BASELINES.parent / 'cwt' / f'{name.rpartition("_")[0].replace("_2x", "")}.py')
    assert cfg.model.architecture == student.model == cwt.model.architecture
    assert (cfg.model.teacher, cfg.model.teacher_ckpt) == (cwt.model.teacher, cwt.model.teacher_ckpt)
    for key in ('train_dataloader', 'val_dataloader', 'val_evaluator', 'param_scheduler', 'train_cfg', 'default_hooks'):
        assert cfg[key] == student[key] == cwt[key]


FAST = (f'{DETECTOR}_fitnet', f'{SEGMENTOR}_pkd')  # of the others the losses alone are seen in a fast run


@pytest.mark.parametrize('name', [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in LEAVES])
def test_a_step_reaches_all_that_trains(name: str) -> None:
    losses = step(read(name), with_random_teacher(read(name)))
    (loss,) = [value for key, value in losses.items() if key.startswith('distill.')]
    assert loss > 0


class TestFormulas:
    """MMRazor's losses are those of the papers; maps of 2 images, 3 channels, 4 x 5 positions."""

    def values(self, name: str) -> tuple[float, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(6)
        student, teacher = (torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))
        loss = build_part(LEAVES[f'{DETECTOR}_{name}'][0], OURS, 'key')
        return loss(student, teacher).item(), student, teacher

    def test_fitnet_is_a_mean_of_squares(self) -> None:
        found, student, teacher = self.values('fitnet')
        assert found == pytest.approx((student - teacher).square().sum().item() / 120)

    def test_cwd_is_a_divergence_over_positions_averaged_over_channels_and_images(self) -> None:
        found, student, teacher = self.values('cwd')
        q, p = (log_softmax(x.flatten(2), -1) for x in (student, teacher))
        assert found == pytest.approx(10 * (p.exp() * (p - q)).sum().item() / 6)

    def test_pkd_is_one_minus_the_correlation_of_each_channel(self) -> None:
        found, student, teacher = self.values('pkd')
        channels = zip(student.unbind(1), teacher.unbind(1), strict=True)
        correlations = [torch.corrcoef(torch.stack((s.flatten(), t.flatten())))[0, 1].item() for s, t in channels]
        assert found == pytest.approx(6 * (1 - sum(correlations) / 3) * 39 / 40, rel=1e-4)  # 40 values: std has n - 1

    def test_mgd_is_a_sum_of_squares_over_the_images(self) -> None:
        found, student, teacher = self.values('mgd')
        assert found == pytest.approx(5e-7 * (student - teacher).square().sum().item() / 2)


@cache
def networks(kind: str) -> tuple[Any, Any]:
    """A student and a teacher with the channels that the connectors expect, otherwise as small as that allows."""
    torch.manual_seed(8)
    models = []
    for depth in (18, 34 if kind == DETECTOR else 50):
        if kind == DETECTOR:
            cfg: Any = model_config('mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py', 'model')
            narrow = dict(base_channels=8, stem_channels=8, frozen_stages=-1, norm_eval=False, init_cfg=None)
            cfg.backbone.update(depth=depth, **narrow)
            cfg.neck.in_channels = [8, 16, 32, 64]
            cfg.roi_head.bbox_head.fc_out_channels = 32
            cfg.train_cfg.rpn_proposal.update(nms_pre=50, max_per_img=20)
        else:
            cfg = model_config('mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py', 'model')
            width = 512 if depth == 18 else 2048
            cfg.update(pretrained=None, auxiliary_head=None)
            cfg.backbone.depth = depth
            cfg.decode_head.update(in_channels=width, channels=16)
            cfg.data_preprocessor.size = (64, 64)
        models.append(build_model(cfg, 'model'))
        calibrate(models[-1], torch.randn(2, 3, 64, 64))
    return models[0], models[1]


def engine(scope: str, kind: str, distiller: dict) -> Any:
    """The same two networks in MMRazor's engine or in ours."""
    algorithm = 'FpnTeacherDistill' if kind == DETECTOR else 'SingleTeacherDistill'
    student, teacher = copy.deepcopy(networks(kind))
    with DefaultScope.overwrite_default_scope(scope):
        cfg = dict(type=f'{scope}.{algorithm}', architecture=student, teacher=teacher, distiller=distiller)
        model = MODELS.build(cfg)
    model.train()  # returns nothing in MMRazor
    if scope == 'mmrazor':
        model.teacher.eval()  # it does so with batch norms only, and a teacher's dropout stays on
    return model


def distilled(model: nn.Module, data: dict) -> tuple[Tensor, Tensor]:
    """The sum of an engine's distillation losses, and its gradient in the student's first convolution."""
    set_random_seed(9)  # regions, dropout and masks
    losses = model(**copy.deepcopy(data), mode='loss')
    total = torch.stack([value for key, value in losses.items() if key.startswith('distill.')]).sum()
    first = next(
        p for name, p in model.named_parameters() if name.removeprefix('architecture.').startswith('backbone.')
    )
    return total.detach(), torch.autograd.grad(total, first)[0]


LARGE = (f'{SEGMENTOR}_mgd',)


@pytest.mark.parametrize('name', [pytest.param(n, marks=pytest.mark.slow if n in LARGE else ()) for n in LEAVES])
def test_the_losses_are_those_of_mmrazors_own_engine(name: str) -> None:
    import_mmrazor()
    kind = name.rpartition('_')[0]
    cfg = read(name)
    distiller = cfg.model.distiller.to_dict()
    theirs, ours = engine('mmrazor', kind, expanded(distiller)), engine('mmkd_ext', kind, distiller)
    weights = theirs.distiller.connectors.state_dict()
    ours.distiller.connectors.load_state_dict({re.sub(r'^fpn(\d)', r'fpn.\1', key): w for key, w in weights.items()})
    data = random_batch(cfg, ours)
    (expected, their_gradient), (found, our_gradient) = distilled(theirs, data), distilled(ours, data)
    assert expected > 0
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-3, atol=1e-4 * their_gradient.abs().max().item())
