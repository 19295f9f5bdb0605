"""The regions that a two-stage student samples, and the box heads of teachers that see the same regions."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from mmkd_ext.algorithms.regions import (
    CONTEXT_PARTS,
    Part,
    check_background,
    check_branches,
    check_compared,
    check_regions,
    check_softmax,
    counted_runs,
    region_recorders,
    run_heads,
    run_without_regions,
)
from mmkd_ext.distillers.classes import OF_SOFTMAX
from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.recorders.module import ModuleOutputsRecorder

_HEADS = ('roi_head.shared_head', 'roi_head.bbox_roi_extractor', 'roi_head.bbox_head')
_RUN = ('backbone', 'neck', 'rpn_head', *_HEADS, *CONTEXT_PARTS)


class SampledRegions:
    """The regions that the student's box heads get in a step.

    Args:
        student: A two-stage detector of mmdet.
        teachers: The teachers that see these regions, by the config key that holds each.
        distiller: The distiller with the recorders and losses.
        model_of: Gives the teacher that the teacher recorder of a name is on.

    Raises:
        ConfigError: If one of them has no box head that runs on given regions, a teacher's recorder is on a part that
            does not run, or a loss compares heads that see different regions, encode boxes differently or, for a loss
            that assumes a softmax, have none.
    """

    def __init__(
        self,
        student: Any,
        teachers: Mapping[str, nn.Module],
        distiller: Any,
        model_of: Callable[[str], nn.Module],
    ) -> None:
        check_regions(student, 'model.architecture')
        for key, teacher in teachers.items():
            check_regions(teacher, key)
            check_branches(student, teacher)
        self.student, self.distiller = student, distiller
        looking = list(teachers.values())
        for name, recorder in distiller.teacher_recorders.recorders.items():
            if model_of(name) in looking and isinstance(recorder, ModuleOutputsRecorder):
                _check_run(name, recorder.source)
        regions = region_recorders(student)
        self._names = list(regions)
        self._stages = self._check_losses(model_of)
        distiller.student_recorders.recorders.update(regions)

    def _check_losses(self, model_of: Callable[[str], nn.Module]) -> dict[str, set[int]]:
        """The stages of the student whose regions each loss compares.

        Raises:
            ConfigError: If a loss compares parts that do not belong together.
        """
        found: dict[str, set[int]] = {}
        for loss, sources in self.distiller.levels():
            parts = {}
            for argument, source in sources.items():
                model = self.student if source.from_student else model_of(source.recorder)
                part = Part.of(self.distiller.recorder(source), model)
                if part.stage is not None:  # the teacher's further stages see the regions of the student's last
                    part = part._replace(stage=min(part.stage, len(self._names) - 1))
                parts[argument] = part
            check_compared(parts, f'{DISTILLER_KEY}.loss_forward_mappings.{loss}')
            module, key = self.distiller.distill_losses[loss], f'{DISTILLER_KEY}.distill_losses.{loss}'
            if type(module).__name__ in OF_SOFTMAX:
                check_softmax(parts.values(), key)
            check_background(module, parts, key)
            found.setdefault(loss, set()).update(part.stage for part in parts.values() if part.stage is not None)
        return found

    @contextmanager
    def recorded(self, inputs: Tensor) -> Iterator[None]:
        """A context to run the student in: its sampler's runs leave no record, a stage without regions an empty one."""
        recorders = self.distiller.student_recorders.recorders
        with counted_runs(self.student, recorders.values()):
            yield
            left_out = [i for i, name in enumerate(self._names) if not recorders[name].records]
            if left_out:
                run_without_regions(self.student, left_out[0], inputs)

    def boxes(self) -> list[Tensor]:
        """The inputs of the student's extractors, stage by stage: (N, 5), the image's index and a box."""
        return [self.distiller.student_recorders.get(name, data_idx=1) for name in self._names]

    def idle(self) -> list[str]:
        """The losses on regions when the student sampled none; they are 0, like mmdet's own."""
        empty = {i for i, boxes in enumerate(self.boxes()) if not len(boxes)}
        return [loss for loss, stages in self._stages.items() if stages & empty]

    def forward(self, recorders: RecorderManager) -> Callable[[Any, Any], None]:
        """A teacher's forward on these regions: backbone, neck and box heads; the RPN only if it is recorded.

        Args:
            recorders: The teacher's recorders.
        """
        boxes = self.boxes()
        with_rpn = any(recorder.source.startswith('rpn_head') for recorder in recorders.recorders.values())

        def run(teacher: Any, images: Any) -> None:
            levels = teacher.extract_feat(images)
            if with_rpn:
                teacher.rpn_head(levels)
            run_heads(teacher, levels, boxes)

        return run


def _check_run(name: str, source: str) -> None:
    if not source.startswith(_RUN) or source.rpartition('.')[2].startswith('loss'):
        raise ConfigError(
            f'{DISTILLER_KEY}.teacher_recorders.{name}.source={source!r} does not run: on sampled regions, '
            f"only the teacher's {', '.join(_RUN)} run, and no losses (labels are the student's)."
        )
