"""Which runs of a box head count, on whose regions, and which heads can be compared."""

from typing import Any

import pytest
import torch
from mmengine.structures import PixelData
from support import MINI
from tiny_detectors import HEAD, batch, build, cascade, detector, distilled, distiller, make_equal
from torch import Tensor

from mmkd_ext.algorithms.roi_distill import RoIDistill
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError


def ohem(model: dict) -> dict:
    """Few regions a head, chosen by their losses, in every stage."""
    stages = model['train_cfg']['rcnn']
    for stage in stages if isinstance(stages, list) else [stages]:
        stage['sampler'] = dict(type='OHEMSampler', num=8, pos_fraction=0.25, add_gt_as_proposals=True)
    return model


def pisa() -> dict:
    model = detector(reg_class_agnostic=False)  # with one box for all classes this head fails in mmdet
    model['roi_head']['type'] = 'PISARoIHead'
    model['train_cfg']['rcnn'].update(
        sampler=dict(type='ScoreHLRSampler', num=8, pos_fraction=0.25, add_gt_as_proposals=True), isr=dict(k=2, bias=0)
    )
    return model


@pytest.mark.parametrize(
    ('student', 'head'),
    [(ohem(detector()), HEAD), (ohem(cascade()), f'{HEAD}.1'), (pisa(), HEAD)],
    ids=['ohem', 'ohem_cascade', 'pisa'],
)
def test_of_a_student_that_looks_for_hard_examples_the_run_that_trains_is_recorded(student: dict, head: str) -> None:
    """Its sampler runs head and loss before, without gradient, on regions of which it keeps some."""
    by_class = student['roi_head']['type'] == 'PISARoIHead'
    teacher = cascade() if head != HEAD else detector(reg_class_agnostic=not by_class)
    model = build(student, teacher, distiller(head))
    losses = distilled(model)
    assert all(value > 0 for value in losses.values())
    sum(losses.values()).backward()
    assert model.student.get_submodule(head).fc_cls.weight.grad.abs().sum() > 0
    make_equal(model)
    assert all(value.abs() < 1e-9 for value in distilled(model).values())


def fused_semantics(**more: Any) -> dict:
    """What an HTC or SCNet sees of the whole image."""
    extractor = dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
        out_channels=32,
        featmap_strides=[8],
    )
    semantic = dict(
        type='FusedSemanticHead', num_ins=4, fusion_level=1, num_convs=1, in_channels=32, conv_out_channels=32,
        num_classes=5, loss_seg=dict(type='CrossEntropyLoss', ignore_index=255, loss_weight=0.2),
    )  # fmt: skip
    return dict(semantic_roi_extractor=extractor, semantic_head=semantic, **more)


def htc() -> dict:
    model = cascade(name='mask_rcnn')
    head = model['roi_head']
    head.update(type='HybridTaskCascadeRoIHead', **fused_semantics())
    head['mask_head'] = [dict(head['mask_head'], type='HTCMaskHead', with_conv_res=bool(i)) for i in range(2)]
    return model


def scnet() -> dict:
    model = cascade(name='mask_rcnn')
    context = dict(num_convs=1, in_channels=32, conv_out_channels=32, num_classes=10)
    head = model['roi_head']
    head.update(type='SCNetRoIHead', **fused_semantics(glbctx_head=dict(type='GlobalContextHead', **context)))
    head['mask_head'].update(type='SCNetMaskHead', conv_to_res=False)
    for stage in head['bbox_head']:
        stage.update(type='SCNetBBoxHead', num_shared_fcs=2)
    return model


def double() -> dict:
    model = detector()
    model['roi_head'].update(type='DoubleHeadRoIHead', reg_roi_scale_factor=1.3)
    model['roi_head']['bbox_head'].update(
        type='DoubleConvFCBBoxHead', num_convs=1, num_fcs=1, conv_out_channels=32, fc_out_channels=32
    )
    return model


@pytest.mark.parametrize(
    ('cfg', 'head'), [(htc(), f'{HEAD}.1'), (scnet(), f'{HEAD}.1'), (double(), HEAD)], ids=['htc', 'scnet', 'double']
)
def test_a_head_that_wants_more_than_a_region_gets_it(cfg: dict, head: str) -> None:
    model = build(cfg, cfg, distiller(head))
    make_equal(model)
    data = batch(model, masks='mask_head' in cfg['roi_head'])
    for sample in data['data_samples']:
        sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, *data['inputs'].shape[-2:]).long())
    losses = model(**data, mode='loss')
    assert all(value.abs() < 1e-9 for name, value in losses.items() if name.startswith('distill.'))


def test_a_head_that_cannot_run_on_given_regions_is_named() -> None:
    class Other(type(build(detector(), detector(), distiller()).student.roi_head)):
        def _bbox_forward(self, x: Any, rois: Tensor, object_feats: Tensor) -> dict:
            return super()._bbox_forward(x, rois)

    teacher = build_model(model_config(str(MINI / 'faster_rcnn_student.py'), 'm'), 'm')
    teacher.roi_head.__class__ = Other
    with pytest.raises(ConfigError, match=r'^model\.teacher: Other cannot be used: .* needs object_feats'):
        RoIDistill(str(MINI / 'faster_rcnn_student.py'), teacher, distiller())


COARSE = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])


FINE = dict(COARSE, target_stds=[0.05, 0.05, 0.1, 0.1])


def crossed_labels() -> dict:
    wiring = distiller(f'{HEAD}.1')
    wiring['student_recorders']['labels']['source'] = f'{HEAD}.0.loss_cls'
    return wiring


def of_coco(loss: str, option: str) -> dict:
    wiring = distiller()
    wiring['distill_losses'][loss][option] = 80
    return wiring


def trident() -> dict:
    model = detector()
    model['type'] = 'TridentFasterRCNN'
    model.pop('neck')
    model['backbone'] = dict(
        type='TridentResNet', depth=50, base_channels=8, stem_channels=8, num_stages=3, strides=(1, 2, 2),
        dilations=(1, 1, 1), trident_dilations=(1, 2, 3), num_branch=3, test_branch_idx=1, out_indices=(2,),
    )  # fmt: skip
    model['roi_head'].update(type='TridentRoIHead', num_branch=3, test_branch_idx=1)
    return model


@pytest.mark.parametrize(
    ('student', 'teacher', 'wiring', 'message'),
    [
        (
            cascade(),
            detector(),
            distiller(f'{HEAD}.1', HEAD),
            r'loss_forward_mappings\.loss_kd: `student` \(.*1\.fc_cls',
        ),
        (
            cascade(),
            cascade(),
            distiller(f'{HEAD}.0', f'{HEAD}.1'),
            'see different regions, of stages 0 and 1',
        ),
        (
            cascade(),
            cascade(),
            crossed_labels(),
            r'loss_foreground: `student` .* and `labels` .*\.0\.loss_cls\) see diff',
        ),
        (
            detector(bbox_coder=COARSE),
            detector(bbox_coder=FINE),
            distiller(),
            r'loss_box: .*code boxes differently.*0\.05',
        ),
        (
            detector(loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True)),
            detector(loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True)),
            distiller(),
            r'^model\.distiller\.distill_losses\.loss_kd: the classes of .*fc_cls are trained by CrossEntropyLoss',
        ),
        (
            detector(),
            detector(loss_cls=dict(type='SeesawLoss', num_classes=10)),
            distiller(),
            'are trained by SeesawLoss, but this loss assumes a softmax',
        ),
        (
            detector(),
            detector(),
            of_coco('loss_foreground', 'ignore_label'),
            r'loss_foreground\.ignore_label=80, but the labels of .*loss_cls are 0 to 10; the last is the background',
        ),
        (
            detector(reg_class_agnostic=True),
            detector(reg_class_agnostic=True),
            of_coco('loss_box', 'num_classes'),
            r'loss_box\.num_classes=80, but the head of .*fc_reg has 10 classes',
        ),
        (trident(), detector(), dict(type='ConfigurableDistiller'), 'TridentFasterRCNN samples regions of 3 branches'),
    ],
    ids=['plain_teacher', 'stages', 'labels', 'boxes', 'sigmoid', 'seesaw', 'background', 'box_classes', 'trident'],
)
def test_what_does_not_belong_together_is_refused(student: dict, teacher: dict, wiring: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        build(student, teacher, wiring)
    assert str(refused.value).startswith('model.')


@pytest.mark.parametrize('side', ['architecture', 'teacher'])
def test_a_detector_without_regions_is_refused(side: str) -> None:
    retina = dict(
        type='RetinaNet',
        backbone=dict(type='ResNet', depth=18, base_channels=16, init_cfg=None),
        neck=dict(type='FPN', in_channels=[16, 32, 64, 128], out_channels=16, num_outs=5),
        bbox_head=dict(type='RetinaHead', num_classes=10, in_channels=16, feat_channels=16),
        _scope_='mmdet',
    )
    wiring = dict(type='ConfigurableDistiller')
    student, teacher = (retina, detector()) if side == 'architecture' else (detector(), retina)
    with pytest.raises(ConfigError, match=rf'model\.{side} must be a two-stage detector.*got RetinaNet'):
        build(student, teacher, wiring)
