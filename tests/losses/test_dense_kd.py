from itertools import product
from math import exp, log
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from testers import LossTester
from torch import Tensor


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


class TestDenseKDLoss(LossTester):
    """Two anchors of three classes, on two levels."""

    cfg = dict(type='mmkd_ext.DenseKDLoss', num_classes=3, beta=1.5)
    shape = (2, 6, 5, 4)

    def given(self, tensor: Tensor) -> list[Tensor]:
        return [tensor, tensor[..., 1:3, :3]]

    def reference(self, student: Tensor, teacher: Tensor, beta: float = 1.5) -> float:
        total = objects = 0.0
        for s_map, t_map in zip(self.given(student), self.given(teacher), strict=True):
            images, _, rows, columns = s_map.shape
            for b, anchor, y, x in product(range(images), (0, 1), range(rows), range(columns)):
                scores = []
                for k in range(3):
                    s, t = (sigmoid(m[b, 3 * anchor + k, y, x].item()) for m in (s_map, t_map))
                    entropy = -t * log(t) - (1 - t) * log(1 - t)
                    cross = -t * log(s) - (1 - t) * log(1 - s)
                    total += abs(s - t) ** beta * cross if beta else cross - entropy
                    scores.append(t)
                objects += max(scores)
        return total / objects

    def test_without_the_factor_it_is_the_divergence(self) -> None:
        student, teacher = self.inputs()
        loss = self.build(beta=0.0)
        assert self.call(loss, student, teacher).item() == pytest.approx(
            self.reference(student.detach(), teacher.detach(), 0), rel=1e-10
        )
        assert self.call(loss, student, student.detach()).item() == pytest.approx(0, abs=1e-12)

    def test_a_teacher_that_sees_next_to_nothing_divides_by_one(self) -> None:
        student, teacher = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), -20.0)
        # 12 elements of |0.5|^1.5 * log 2
        assert self.build()([student], [teacher]).item() == pytest.approx(12 * 0.5**1.5 * log(2), rel=1e-6)

    def test_what_does_not_fit_is_refused(self) -> None:
        x = torch.zeros(1, 6, 2, 2)
        with pytest.raises(ValueError, match='the same number of levels from both, got 2 and 1'):
            self.build()([x, x], [x])
        with pytest.raises(ValueError, match='num_classes=4 does not divide the 6 channels'):
            self.build(num_classes=4)([x], [x])
        with pytest.raises(ValueError, match='at least 1 and beta at least 0, got 3 and -1'):
            self.build(beta=-1)


def retinanet(classes: int) -> dict:
    return dict(
        type='RetinaNet',
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3, pad_size_divisor=32),
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='FPN', in_channels=[64, 128, 256, 512], out_channels=16, start_level=1, num_outs=5,
                  add_extra_convs='on_input'),
        bbox_head=dict(type='RetinaHead', num_classes=classes, in_channels=16, feat_channels=16, stacked_convs=1),
        train_cfg=dict(assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, ignore_iof_thr=-1),
                       sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1, debug=False),
        test_cfg=dict(),
    )  # fmt: skip


def test_a_retinanet_is_distilled_by_what_its_head_returns() -> None:
    from mmdet.testing import demo_mm_inputs

    head: dict[str, Any] = dict(head=dict(type='ModuleOutputs', source='bbox_head'))
    cfg = dict(
        type='mmkd_ext.SingleTeacherDistill',
        architecture=retinanet(4),
        teacher=retinanet(4),
        teacher_strict=False,
        distiller=dict(
            type='mmkd_ext.ConfigurableDistiller',
            student_recorders=head,
            teacher_recorders=head,
            distill_losses=dict(loss_dense=dict(type='DenseKDLoss', num_classes=4)),
            loss_forward_mappings=dict(
                loss_dense=dict(
                    student=dict(from_student=True, recorder='head', data_idx=0),
                    teacher=dict(from_student=False, recorder='head', data_idx=0),
                )
            ),
        ),
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg)
        model.init_weights()
    losses = model.loss(**model.data_preprocessor(demo_mm_inputs(2, [[3, 64, 64]] * 2, num_classes=4), True))
    losses['distill.loss_dense'].backward()
    assert model.student.bbox_head.retina_cls.weight.grad.abs().sum() > 0
    assert model.student.bbox_head.retina_reg.weight.grad is None
