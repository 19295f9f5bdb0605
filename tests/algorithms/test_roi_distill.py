"""The teacher's box head on the regions that the student sampled."""

from typing import Any

import pytest
import torch
from tiny_detectors import HEAD, batch, build, cascade, detector, distilled, distiller, make_equal
from torch import Tensor

from mmkd_ext.errors import ConfigError

CASES = {
    'faster': (detector(), distiller(), False),
    'one_shared_fc': (detector(type='ConvFCBBoxHead', num_shared_convs=0, num_shared_fcs=1), distiller(), False),
    'three_shared_fcs': (detector(type='ConvFCBBoxHead', num_shared_convs=0, num_shared_fcs=3), distiller(), False),
    'boxes_by_class': (detector(reg_class_agnostic=False), distiller(), False),
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


def test_when_distillation_has_stopped_the_student_runs_as_it_does_alone() -> None:
    model = build(detector(), detector(), distiller())
    runs: list[str] = []
    model.roi_head.bbox_head.register_forward_hook(lambda *_: runs.append('student'))
    model.teacher.model.backbone.register_forward_hook(lambda *_: runs.append('teacher'))
    model.distillation_stopped = True
    assert not any(distilled(model).values())
    assert runs == ['student']


@pytest.mark.parametrize('case', ['faster', 'mask', 'cascade_1'])
def test_a_folded_teacher_sees_the_same(case: str) -> None:
    model_cfg, wiring, masks = CASES[case]
    plain, folded = (build(model_cfg, model_cfg, wiring, fold) for fold in (False, True))
    expected = distilled(plain, masks=masks)
    for _ in range(2):
        found = distilled(folded, masks=masks)
        assert all(torch.isclose(found[name], value, rtol=1e-3, atol=1e-6) for name, value in expected.items())
    kinds = [type(module).__name__ for module in folded.teacher.model.modules()]
    assert kinds.count('Identity') >= 15
    assert 'BatchNorm2d' not in kinds


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
    for name, indices in (('rpn', dict(record_idx=[0, 1])), ('fpn', dict(data_idx=[0, 1, 2]))):
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


class Counted(torch.nn.Module):
    """A connector that takes part in a sum over all processes, as SyncBN does, in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(256))
        self.sums: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sums.append('forward')
        x = x * self.weight
        x.register_hook(lambda _: self.sums.append('backward'))
        return x


@pytest.mark.parametrize('stages', [1, 2])
def test_a_batch_without_regions_has_zero_losses_that_reach_all_that_trains(stages: int) -> None:
    """mmdet computes no classification loss of no regions, and no further stage; training and other losses go on."""
    wiring = distiller(*([f'{HEAD}.1'] if stages == 2 else []), fpn=dict(type='ModuleOutputs', source='neck'))
    wiring['student_recorders']['fpn'] = wiring['teacher_recorders']['fpn']
    wiring['distill_losses']['loss_fpn'] = dict(type='CWTLoss', alpha=1.0)
    wiring['loss_forward_mappings']['loss_fpn'] = {
        side: dict(from_student=side == 'student', recorder='fpn', data_idx=0) for side in ('student', 'teacher')
    }
    connector = Counted()
    wiring['connectors'] = dict(counted=connector)
    wiring['loss_forward_mappings']['loss_embedding']['pred']['connector'] = 'counted'
    student = detector(fc_out_channels=256) if stages == 1 else cascade(fc_out_channels=256)
    model = build(student, student, wiring)
    head = model.student.roi_head
    for sampler in [head.bbox_sampler] if stages == 1 else head.bbox_sampler:
        sampler.sample = without_boxes(sampler.sample)
    losses = distilled(model)
    assert set(losses) == {f'distill.{name}' for name in model.distiller.distill_losses}
    assert losses.pop('distill.loss_fpn') > 0
    assert not any(losses.values())
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in head.bbox_head.parameters())
    assert connector.sums == ['forward', 'backward'], 'as many sums as in the processes that have regions'


def without_boxes(sample: Any) -> Any:
    return lambda *args, **kwargs: none_of(sample(*args, **kwargs))


def none_of(result: Any) -> Any:
    """A sampling result without boxes."""
    for name in ('pos_inds', 'neg_inds', 'pos_priors', 'neg_priors', 'pos_is_gt', 'pos_assigned_gt_inds'):
        setattr(result, name, getattr(result, name)[:0])
    result.pos_gt_labels, result.pos_gt_bboxes = result.pos_gt_labels[:0], result.pos_gt_bboxes[:0]
    return result


@pytest.mark.parametrize('source', ['roi_head.mask_head.convs', 'roi_head.bbox_head.loss_cls'])
def test_a_record_of_a_part_that_is_not_run_is_refused_before_the_first_step(source: str) -> None:
    wiring = distiller(other=dict(type='ModuleInputs', source=source))
    with pytest.raises(ConfigError, match=rf"teacher_recorders\.other\.source='{source}' does not run"):
        build(detector('mask_rcnn'), detector('mask_rcnn'), wiring)
