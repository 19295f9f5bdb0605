"""Distillation of two-stage detectors, region by region."""

from collections.abc import Collection
from typing import Any

from torch import Tensor

from mmkd_ext.algorithms.regions import (
    CONTEXT_PARTS,
    Part,
    check_branches,
    check_compared,
    check_regions,
    check_softmax,
    counted_runs,
    region_recorders,
    run_heads,
    run_without_regions,
)
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.module import ModuleOutputsRecorder
from mmkd_ext.registry import MODELS

_HEADS = ('roi_head.shared_head', 'roi_head.bbox_roi_extractor', 'roi_head.bbox_head')
_RUN = ('backbone', 'neck', 'rpn_head', *_HEADS, *CONTEXT_PARTS)
# Losses of class probabilities that sum to 1, ours and MMRazor's and mmdet's.
_OF_SOFTMAX = ('KDLoss', 'DKDLoss', 'DISTLoss', 'KLDivergence', 'KDSoftCELoss', 'KnowledgeDistillationKLDivLoss')


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
    stage of that number, or of its last one where the student has fewer. What is compared must see the same regions.
    Where a student's sampler runs the head to find hard examples (OHEMSampler, PISA), that run is not recorded:
    regions, embeddings, logits and labels are of the run that is trained.

    Args:
        architecture: The student, a two-stage detector of mmdet.
        teacher: The teacher, another.
        distiller: Config of the distiller.
        **kwargs: Further arguments of `SingleTeacherDistill`.

    Raises:
        ConfigError: If one of the two has no box head that runs on given regions, a teacher's recorder is on a part
            that is not run, or a loss compares heads that see different regions, code boxes differently or, for one of
            softmax, have no softmax.
    """

    teacher_first = False

    def __init__(self, architecture: Any = None, teacher: Any = None, distiller: Any = None, **kwargs: Any) -> None:
        super().__init__(architecture, teacher, distiller, **kwargs)
        check_regions(self.student, 'model.architecture')
        check_regions(self.teacher.model, 'model.teacher')
        check_branches(self.student, self.teacher.model)
        self._with_rpn = False
        for name, recorder in self.distiller.teacher_recorders.recorders.items():
            if not isinstance(recorder, ModuleOutputsRecorder):
                continue
            if not recorder.source.startswith(_RUN) or recorder.source.rpartition('.')[2].startswith('loss'):
                raise ConfigError(
                    f'{DISTILLER_KEY}.teacher_recorders.{name}.source={recorder.source!r} is not run: RoIDistill runs '
                    f"the teacher's {', '.join(_RUN)}, and no losses (labels are the student's)."
                )
            self._with_rpn |= recorder.source.startswith('rpn_head')
        regions = region_recorders(self.student)
        self._regions = list(regions)
        self._stages = self._check_losses()
        self.distiller.student_recorders.recorders.update(regions)

    def _check_losses(self) -> dict[str, set[int]]:
        """The stages of the student whose regions each loss is of.

        Raises:
            ConfigError: If a loss compares what does not belong together.
        """
        found: dict[str, set[int]] = {}
        for loss, sources in self.distiller.levels():
            parts = {}
            for argument, source in sources.items():
                model = self.student if source.from_student else self.teacher.model
                part = Part.of(self.distiller.recorder(source), model)
                if part.stage is not None:  # the teacher's further stages see the regions of the student's last
                    part = part._replace(stage=min(part.stage, len(self._regions) - 1))
                parts[argument] = part
            check_compared(parts, f'{DISTILLER_KEY}.loss_forward_mappings.{loss}')
            if type(self.distiller.distill_losses[loss]).__name__ in _OF_SOFTMAX:
                check_softmax(parts.values(), f'{DISTILLER_KEY}.distill_losses.{loss}')
            found.setdefault(loss, set()).update(part.stage for part in parts.values() if part.stage is not None)
        return found

    def _student_losses(self, inputs: Any, data_samples: Any) -> dict[str, Any]:
        """Same as in the base class. What a sampler runs leaves no record, and a stage without regions an empty one."""
        if self.distillation_stopped:
            return super()._student_losses(inputs, data_samples)
        recorders = self.distiller.student_recorders.recorders
        with counted_runs(self.student, recorders.values()):
            losses = super()._student_losses(inputs, data_samples)
            left_out = [i for i, name in enumerate(self._regions) if not recorders[name].records]
            if left_out:
                run_without_regions(self.student, left_out[0], inputs)
        return losses

    def _sampled(self) -> list[Tensor]:
        """What the student's extractors were given: (N, 5), the image's index and a box."""
        return [self.distiller.student_recorders.get(name, data_idx=1) for name in self._regions]

    def _distill_losses(self, data_samples: Any, idle: Collection[str] = ()) -> dict[str, Tensor]:
        """The distiller's losses; zeros for those of regions where the student sampled none, as mmdet's own are."""
        empty = {i for i, boxes in enumerate(self._sampled()) if not len(boxes)}
        idle = [loss for loss, stages in self._stages.items() if stages & empty]
        losses = super()._distill_losses(data_samples, idle)
        if idle:
            parameters = [*self.student.roi_head.parameters(), *self.distiller.parameters()]
            losses[f'distill.{idle[0]}'] += self._in_graph('zero', parameters).get('zero', 0.0)
        return losses

    def _record_teacher(self, inputs: Any, data_samples: Any) -> None:
        """Run the teacher's parts on the regions that the student's extractors were given."""
        needed = self.distiller.needed(from_student=False)
        if not needed:
            return
        regions = self._sampled()

        def forward(teacher: Any, images: Any) -> None:
            levels = teacher.extract_feat(images)
            if self._with_rpn:
                teacher.rpn_head(levels)
            run_heads(teacher, levels, regions)

        self.teacher.record(self.distiller.teacher_recorders, needed, inputs, data_samples, forward)
