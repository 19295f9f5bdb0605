"""The validation loops that MMRazor's configs name."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.runner import ValLoop, autocast

from mmkd_ext.distributed import unwrapped
from mmkd_ext.registry import LOOPS


class _Known(BaseMetric):
    """Adds metrics that are already known to those that are measured."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        super().__init__()
        self.metrics = dict(metrics)

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Nothing is measured."""

    def compute_metrics(self, results: list) -> dict:
        """The metrics."""
        return self.metrics

    def evaluate(self, size: int) -> dict:
        """The metrics, the same in every process."""
        return self.metrics


@LOOPS.register_module()
class SingleTeacherDistillValLoop(ValLoop):
    """Evaluates the student and, before the first validation, the teacher; every log has its metrics, `teacher.*`.

    MMRazor's loop of this name evaluates the frozen teacher again at every validation, with the same result each time.
    The teacher gets images in its own normalisation and size. A bare backbone has no predictions, and so no metrics;
    neither has a detector or segmentor whose images are resized, because the annotations are for the student's size.
    """

    def run(self) -> dict:
        """Same as `ValLoop`."""
        if not any(isinstance(metric, _Known) for metric in self.evaluator.metrics):
            self.evaluator.metrics.append(_Known(self._evaluate_teacher()))
        return super().run()

    @torch.no_grad()
    def _evaluate_teacher(self) -> dict[str, Any]:
        algorithm = unwrapped(self.runner)
        teacher = getattr(algorithm, 'teacher', None)
        if teacher is None or not teacher.predicts:
            return {}
        if teacher.resized_in_vain:
            print_log(
                "The teacher is not evaluated: its images are resized, and the annotations are for the student's size.",
                logger='current',
                level=logging.WARNING,
            )
            return {}
        teacher.model.to(algorithm.data_preprocessor.device)
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):  # a resumed run evaluates it again, and must continue like this one
            for batch in self.dataloader:
                with autocast(enabled=self.fp16):
                    outputs = teacher.predict(batch)
                self.evaluator.process(data_samples=outputs, data_batch=batch)
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        return {f'teacher.{name}': value for name, value in metrics.items()}


@LOOPS.register_module()
class SelfDistillValLoop(ValLoop):
    """mmengine's `ValLoop`; MMRazor's loop of this name puts `student.` in front of the metrics' names."""
