"""Distillation of two-stage detectors, region by region."""

from typing import Any

import torch
from torch import Tensor, nn

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.distillers.configurable import KEY
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.module import ModuleInputsRecorder, ModuleOutputsRecorder
from mmkd_ext.registry import MODELS

_RUN = ('backbone', 'neck', 'rpn_head', 'roi_head.shared_head', 'roi_head.bbox_roi_extractor', 'roi_head.bbox_head')


@MODELS.register_module()
class RoIDistill(SingleTeacherDistill):
    """The teacher's box head looks at the regions that the student sampled: same boxes, each pooled from its own FPN.

    So a region's class logits, box offsets and embedding can be compared with the teacher's. The student runs first.
    The teacher then runs its backbone, neck and box heads; no proposals, assignment or sampling of its own. Its RPN
    runs where a record of it is wanted. Regions are recorded in the student's order, so labels are the student's:

        student_recorders=dict(
            logits=dict(type='ModuleOutputs', source='roi_head.bbox_head.fc_cls'),
            embedding=dict(type='ModuleInputs', source='roi_head.bbox_head.fc_cls'),   # data_idx=0
            labels=dict(type='ModuleInputs', source='roi_head.bbox_head.loss_cls'))    # data_idx=1

    The heads of a Cascade R-CNN are `roi_head.bbox_head.0` and so on; each stage sees the regions of the student's
    stage of that number, or of its last one where the student has fewer.

    Args:
        architecture: The student, a two-stage detector of mmdet.
        teacher: The teacher, another.
        distiller: Config of the distiller.
        **kwargs: Further arguments of `SingleTeacherDistill`.

    Raises:
        ConfigError: If one of the two has no box head on regions, or a teacher's recorder is on a part that is not run.
    """

    teacher_first = False

    def __init__(self, architecture: Any, teacher: Any, distiller: dict, **kwargs: Any) -> None:
        super().__init__(architecture, teacher, distiller, **kwargs)
        for model, key in ((self.student, 'architecture'), (self.teacher.model, 'teacher')):
            if not hasattr(getattr(model, 'roi_head', None), 'bbox_roi_extractor'):
                raise ConfigError(
                    f'model.{key} must be a two-stage detector, with a roi_head that pools regions for a box head, '
                    f'got {type(model).__name__}.'
                )
        self._with_rpn = False
        for name, recorder in self.distiller.teacher_recorders.recorders.items():
            if not isinstance(recorder, ModuleOutputsRecorder):
                continue
            if not recorder.source.startswith(_RUN) or recorder.source.rpartition('.')[2].startswith('loss'):
                raise ConfigError(
                    f'{KEY}.teacher_recorders.{name}.source={recorder.source!r} is not run: RoIDistill runs the '
                    f"teacher's {', '.join(_RUN)}, and no losses (labels are the student's)."
                )
            self._with_rpn |= recorder.source.startswith('rpn_head')
        extractor = 'roi_head.bbox_roi_extractor'
        stages = self.student.roi_head.bbox_roi_extractor
        sources = [f'{extractor}.{i}' for i in range(len(stages))] if isinstance(stages, nn.ModuleList) else [extractor]
        self._regions = [f'_regions_{i}' for i in range(len(sources))]
        for name, source in zip(self._regions, sources, strict=True):
            self.distiller.student_recorders.recorders[name] = ModuleInputsRecorder(source)

    def _sampled(self) -> list[Tensor]:
        """What the student's extractors were given: (N, 5), the image's index and a box."""
        return [self.distiller.student_recorders.get(name, data_idx=1) for name in self._regions]

    def _distill_losses(self, data_samples: Any) -> dict[str, Tensor]:
        """The distiller's losses; zeros where the student sampled no region, of which mmdet computes no loss either."""
        if all(len(boxes) for boxes in self._sampled()):
            return super()._distill_losses(data_samples)
        for loss in self.distiller.distill_losses.values():
            if hasattr(loss, 'skip'):
                loss.skip()
        idle = [*self.student.roi_head.parameters(), *self.distiller.parameters()]
        zero = self._in_graph('zero', idle).get('zero', torch.zeros(()))
        return {f'distill.{name}': zero for name in self.distiller.distill_losses}

    def _record_teacher(self, inputs: Any, data_samples: Any) -> None:
        """Run the teacher's parts on the regions that the student's extractors were given."""
        needed = self.distiller.needed(from_student=False)
        if not needed:
            return
        regions = self._sampled()
        if not all(len(boxes) for boxes in regions):
            return

        def forward(teacher: Any, images: Any) -> None:
            levels = teacher.extract_feat(images)
            if self._with_rpn:
                teacher.rpn_head(levels)
            head = teacher.roi_head
            if not isinstance(head.bbox_head, nn.ModuleList):
                head._bbox_forward(levels, regions[0])
                return
            for stage in range(len(head.bbox_head)):
                head._bbox_forward(stage, levels, regions[min(stage, len(regions) - 1)])

        self.teacher.record(self.distiller.teacher_recorders, needed, inputs, data_samples, forward)
