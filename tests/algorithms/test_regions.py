"""The teacher's RoI head can be run on the regions that the student sampled, as region-wise methods need."""

from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from support import MINI

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill


class OnStudentRegions(SingleTeacherDistill):
    """Pools the student's regions from the teacher's FPN and runs the teacher's box head on them."""

    teacher_first = False

    def _record_teacher(self, inputs: Any, data_samples: Any) -> None:
        regions = self.distiller.student_recorders.get('regions', data_idx=1)

        def forward(teacher: Any, images: Any) -> None:
            head = teacher.roi_head
            levels = teacher.extract_feat(images)
            head.bbox_head(head.bbox_roi_extractor(levels[: head.bbox_roi_extractor.num_inputs], regions))

        needed = self.distiller.needed(from_student=False)
        self.teacher.record(self.distiller.teacher_recorders, needed, inputs, data_samples, forward)


def test_a_teacher_equal_to_the_student_sees_the_same_regions_and_has_no_loss() -> None:
    from mmdet.testing import demo_mm_inputs

    student = Config.fromfile(MINI / 'faster_rcnn_student.py').model.to_dict()
    classes = dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls')
    regions = dict(type='ModuleInputs', source='roi_head.bbox_roi_extractor')
    distiller = dict(
        type='ConfigurableDistiller',
        student_recorders=dict(classes=classes, regions=regions),
        teacher_recorders=dict(classes=classes),
        distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                student=dict(from_student=True, recorder='classes'),
                teacher=dict(from_student=False, recorder='classes'),
            )
        ),
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = OnStudentRegions(student, student, distiller, teacher_strict=False)
    model.init_weights()
    called = []
    model.teacher.model.rpn_head.register_forward_hook(lambda *_: called.append('rpn'))
    torch.manual_seed(0)
    data = model.data_preprocessor(demo_mm_inputs(2, [[3, 64, 96], [3, 80, 64]], num_classes=10), True)
    model.train()
    assert model(**data, mode='loss')['distill.loss_kd'] > 0  # another network
    model.teacher.model.load_state_dict(model.student.state_dict())
    model.student.eval()  # batch norms by their statistics on both sides
    losses = model(**data, mode='loss')
    assert losses['distill.loss_kd'].item() < 1e-10
    assert not called, "the teacher's own proposals were computed"
    torch.nn.init.normal_(model.teacher.model.roi_head.bbox_head.fc_cls.weight)
    assert model(**data, mode='loss')['distill.loss_kd'] > 1e-3
