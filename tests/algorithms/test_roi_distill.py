"""The teacher's box head on the regions that the student sampled."""

import copy
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from support import MINI
from torch import Tensor

from mmkd_ext.algorithms.roi_distill import RoIDistill
from mmkd_ext.errors import ConfigError

HEAD = 'roi_head.bbox_head'


def detector(name: str = 'faster_rcnn', **bbox_head: Any) -> dict:
    model = Config.fromfile(MINI / f'{name}_student.py').model.to_dict()
    model['roi_head']['bbox_head'].update(bbox_head)
    return model


def cascade(stages: int = 2) -> dict:
    model = detector()
    head = model['roi_head']
    head.update(type='CascadeRoIHead', num_stages=stages, stage_loss_weights=[1, 0.5, 0.25][:stages])
    head['bbox_head'] = [dict(copy.deepcopy(head['bbox_head']), reg_class_agnostic=True) for _ in range(stages)]
    model['train_cfg']['rcnn'] = [copy.deepcopy(model['train_cfg']['rcnn']) for _ in range(stages)]
    return model


def distiller(head: str = HEAD, teacher_head: str | None = None, **teacher_recorders: dict) -> dict:
    """All that a region has: logits, offsets and embedding, each compared by a squared distance."""

    def recorders(source: str) -> dict:
        return dict(
            logits=dict(type='ModuleOutputs', source=f'{source}.fc_cls'),
            boxes=dict(type='ModuleOutputs', source=f'{source}.fc_reg'),
            embedding=dict(type='ModuleInputs', source=f'{source}.fc_cls'),
        )

    def pair(recorder: str, data_idx: int | None = None) -> dict:
        return dict(
            student=dict(from_student=True, recorder=recorder, data_idx=data_idx),
            teacher=dict(from_student=False, recorder=recorder, data_idx=data_idx),
        )

    labels = dict(from_student=True, recorder='labels', data_idx=1)
    return dict(
        type='ConfigurableDistiller',
        student_recorders=dict(recorders(head), labels=dict(type='ModuleInputs', source=f'{head}.loss_cls')),
        teacher_recorders=dict(recorders(teacher_head or head), **teacher_recorders),
        distill_losses=dict(
            loss_kd=dict(type='KDLoss', tau=1.0),
            loss_foreground=dict(type='KDLoss', tau=1.0, ignore_label=10),
            loss_box=dict(type='BoxKDLoss', num_classes=10),
            loss_embedding=dict(type='mmdet.MSELoss'),
        ),
        loss_forward_mappings=dict(
            loss_kd=pair('logits'),
            loss_foreground=dict(pair('logits'), labels=labels),
            loss_box=dict(pair('boxes'), labels=labels),
            loss_embedding=dict(
                pred=dict(from_student=True, recorder='embedding', data_idx=0),
                target=dict(from_student=False, recorder='embedding', data_idx=0),
            ),
        ),
    )


def build(student: dict, teacher: dict, wiring: dict) -> RoIDistill:
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = RoIDistill(copy.deepcopy(student), copy.deepcopy(teacher), wiring, teacher_strict=False)
    model.init_weights()
    model.train()
    return model


def batch(model: RoIDistill, masks: bool = False) -> dict:
    from mmdet.testing import demo_mm_inputs

    torch.manual_seed(0)
    sizes = [[3, 64, 96], [3, 80, 64]]
    return model.data_preprocessor(demo_mm_inputs(2, sizes, num_classes=10, with_mask=masks), True)


def distilled(model: RoIDistill, **kwargs: Any) -> dict[str, Tensor]:
    torch.manual_seed(3)  # sampling
    losses = model(**batch(model, **kwargs), mode='loss')
    return {name: value for name, value in losses.items() if name.startswith('distill.')}


def make_equal(model: RoIDistill) -> None:
    model.teacher.model.load_state_dict(model.student.state_dict())
    model.student.eval()  # batch norms by their statistics on both sides


CASES = {
    'faster': (detector(), distiller(), False),
    'one_shared_fc': (detector(type='ConvFCBBoxHead', num_shared_convs=0, num_shared_fcs=1), distiller(), False),
    'three_shared_fcs': (detector(type='ConvFCBBoxHead', num_shared_convs=0, num_shared_fcs=3), distiller(), False),
    'class_agnostic': (detector(reg_class_agnostic=True), distiller(), False),
    'mask': (detector('mask_rcnn'), distiller(), True),
    'cascade_0': (cascade(), distiller(f'{HEAD}.0'), False),
    'cascade_1': (cascade(), distiller(f'{HEAD}.1'), False),
}


@pytest.mark.parametrize('case', CASES)
def test_a_teacher_equal_to_the_student_has_the_same_regions_embeddings_and_no_loss(case: str) -> None:
    model_cfg, wiring, masks = CASES[case]
    model = build(model_cfg, model_cfg, wiring)
    assert all(value > 0 for value in distilled(model, masks=masks).values())
    make_equal(model)
    assert all(value.abs() < 1e-9 for value in distilled(model, masks=masks).values())
    head = model.teacher.model.get_submodule(wiring['teacher_recorders']['logits']['source'])
    torch.nn.init.normal_(head.weight)
    assert distilled(model, masks=masks)['distill.loss_kd'] > 1e-3


def test_the_embedding_is_that_of_the_students_boxes_on_the_teachers_levels() -> None:
    """By hand: the teacher's own extractor and head on the boxes that the student's extractor was given."""
    model = build(detector(), detector(), distiller())
    seen = {}
    extractor, head = model.student.roi_head.bbox_roi_extractor, model.teacher.model.roi_head.bbox_head
    extractor.register_forward_pre_hook(lambda _, args: seen.update(rois=args[1].clone()))
    head.fc_cls.register_forward_pre_hook(lambda _, args: seen.update(embedding=args[0].clone()))
    distilled(model)
    teacher = model.teacher.model
    with torch.no_grad():
        levels = teacher.extract_feat(batch(model)['inputs'])
        pooled = teacher.roi_head.bbox_roi_extractor(levels[:4], seen['rois'])
        x = pooled.flatten(1)
        for fc in head.shared_fcs:
            x = fc(x).relu()
    torch.testing.assert_close(seen['embedding'], x)


def test_neither_proposals_nor_targets_nor_masks_of_the_teacher_are_computed() -> None:
    model = build(detector('mask_rcnn'), detector('mask_rcnn'), distiller())
    called = []
    teacher = model.teacher.model
    for name in ('rpn_head', 'roi_head.mask_head', 'roi_head.bbox_head.loss_cls'):
        teacher.get_submodule(name).register_forward_hook(lambda *_, name=name: called.append(name))
    distilled(model, masks=True)
    assert not called


def test_the_teachers_rpn_and_levels_are_recorded_where_they_are_wanted() -> None:
    wiring = distiller(rpn=dict(type='ModuleOutputs', source='rpn_head.rpn_cls'))
    wiring['teacher_recorders']['fpn'] = dict(type='ModuleOutputs', source='neck')
    wiring['student_recorders'] |= dict(
        rpn=dict(type='ModuleOutputs', source='rpn_head.rpn_cls'), fpn=dict(type='ModuleOutputs', source='neck')
    )
    for name, indices in (('rpn', dict(record_idx=[0, 1])), ('fpn', dict(data_idx=[0, 1, 2, 3]))):
        wiring['distill_losses'][f'loss_{name}'] = dict(type='CWTLoss', alpha=1.0)
        wiring['loss_forward_mappings'][f'loss_{name}'] = dict(
            student=dict(from_student=True, recorder=name, **indices),
            teacher=dict(from_student=False, recorder=name, **indices),
        )
    model = build(detector(), detector(), wiring)
    losses = distilled(model)
    assert losses['distill.loss_rpn'] > 0
    make_equal(model)
    assert all(value.abs() < 1e-9 for value in distilled(model).values())


def test_a_cascade_teaches_a_student_of_one_stage() -> None:
    agnostic = detector(reg_class_agnostic=True)
    model = build(agnostic, cascade(), distiller(teacher_head=f'{HEAD}.1'))
    assert all(value > 0 for value in distilled(model).values())


def test_background_regions_are_left_out_where_that_is_asked() -> None:
    model = build(detector(), detector(), distiller())
    kept: dict[str, Tensor] = {}
    head = model.student.roi_head.bbox_head
    head.loss_cls.register_forward_pre_hook(lambda _, args: kept.update(logits=args[0], labels=args[1]))
    fc = model.teacher.model.roi_head.bbox_head.fc_cls
    fc.register_forward_hook(lambda _module, _args, output: kept.update(teacher=output))
    losses = distilled(model)
    foreground = kept['labels'] < 10
    assert 0 < foreground.sum() < len(foreground)
    p, q = kept['teacher'][foreground].softmax(1), kept['logits'][foreground].softmax(1)
    expected = (p * (p.log() - q.log())).sum(1).mean()
    torch.testing.assert_close(losses['distill.loss_foreground'], expected, rtol=1e-4, atol=1e-7)


def test_a_batch_without_regions_has_zero_losses_that_reach_all_that_trains() -> None:
    """mmdet computes no classification loss of no regions, so there is nothing to record; training goes on."""
    model = build(detector(), detector(), distiller())
    head = model.student.roi_head
    sample = head.bbox_sampler.sample
    head.bbox_sampler.sample = lambda *args, **kwargs: none_of(sample(*args, **kwargs))
    skipped: list[str] = []
    for name, loss in model.distiller.distill_losses.items():
        loss.skip = lambda name=name: skipped.append(name)
    losses = distilled(model)
    assert skipped == list(model.distiller.distill_losses)
    assert set(losses) == {f'distill.{name}' for name in model.distiller.distill_losses}
    assert not any(losses.values())
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in head.bbox_head.parameters())


def none_of(result: Any) -> Any:
    """A sampling result without boxes."""
    for name in ('pos_inds', 'neg_inds', 'pos_priors', 'neg_priors', 'pos_is_gt', 'pos_assigned_gt_inds'):
        setattr(result, name, getattr(result, name)[:0])
    result.pos_gt_labels, result.pos_gt_bboxes = result.pos_gt_labels[:0], result.pos_gt_bboxes[:0]
    return result


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


@pytest.mark.parametrize('source', ['roi_head.mask_head.convs', 'roi_head.bbox_head.loss_cls'])
def test_a_record_of_a_part_that_is_not_run_is_refused_before_the_first_step(source: str) -> None:
    wiring = distiller(other=dict(type='ModuleInputs', source=source))
    with pytest.raises(ConfigError, match=rf"teacher_recorders\.other\.source='{source}' is not run"):
        build(detector('mask_rcnn'), detector('mask_rcnn'), wiring)
