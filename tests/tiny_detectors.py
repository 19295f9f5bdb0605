"""Two-stage detectors of the mini configs, and a distillation of all outputs of their box heads."""

import copy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from support import MINI
from torch import Tensor

from mmkd_ext.algorithms.roi_distill import RoIDistill

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
    """All outputs for a region: logits, offsets and embedding, each compared by squared distance."""

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
