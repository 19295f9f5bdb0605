"""The teacher's box head on the regions that the student sampled."""

import copy
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from support import MINI
from torch import Tensor

from mmkd_ext.algorithms.roi_distill import RoIDistill
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError

HEAD = 'roi_head.bbox_head'


def detector(name: str = 'faster_rcnn', **bbox_head: Any) -> dict:
    model = Config.fromfile(MINI / f'{name}_student.py').model.to_dict()
    model['roi_head']['bbox_head'].update(bbox_head)
    return model


def cascade(stages: int = 2, name: str = 'faster_rcnn', **bbox_head: Any) -> dict:
    model = detector(name, **bbox_head)
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


def build(student: dict, teacher: dict, wiring: dict, fold: bool = False) -> RoIDistill:
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope('mmdet'):
        parts = copy.deepcopy((student, teacher))
        model = RoIDistill(*parts, wiring, teacher_strict=False, teacher_fold=fold)
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
    with pytest.raises(ConfigError, match=r'^model\.teacher: a Other cannot be used: .* wants object_feats'):
        RoIDistill(str(MINI / 'faster_rcnn_student.py'), teacher, distiller())


COARSE = dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])
FINE = dict(COARSE, target_stds=[0.05, 0.05, 0.1, 0.1])


def crossed_labels() -> dict:
    wiring = distiller(f'{HEAD}.1')
    wiring['student_recorders']['labels']['source'] = f'{HEAD}.0.loss_cls'
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
            'are trained by SeesawLoss, which is not a softmax',
        ),
        (trident(), detector(), dict(type='ConfigurableDistiller'), 'TridentFasterRCNN samples regions of 3 branches'),
    ],
    ids=['plain_teacher', 'stages', 'labels', 'boxes', 'sigmoid', 'seesaw', 'trident'],
)
def test_what_does_not_belong_together_is_refused(student: dict, teacher: dict, wiring: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        build(student, teacher, wiring)
    assert str(refused.value).startswith('model.')
