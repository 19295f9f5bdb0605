from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from torch import nn
from torch.utils.data import DataLoader
from toys import ToyStage, toy

from mmkd_ext.algorithms.self_distill import SelfDistill
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.loops import SelfDistillValLoop, SingleTeacherDistillValLoop

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Sum(BaseMetric):
    """The sum of the predicted classes."""

    def process(self, data_batch: Any, data_samples: list) -> None:
        self.results += [dict(label=label) for label in data_samples]

    def compute_metrics(self, results: list) -> dict:
        return dict(sum=sum(result['label'] for result in results))


def predicted(model: nn.Module) -> int:
    with torch.no_grad():
        return sum(model.eval()(IMAGES, mode='predict'))


def loop_of(kind: type, model: nn.Module) -> tuple[Any, list]:
    logged: list[dict] = []
    runner = SimpleNamespace(
        model=model,
        visualizer=SimpleNamespace(),
        call_hook=lambda name, metrics=None, **_: logged.append(metrics) if metrics is not None else None,
    )
    data = [dict(inputs=image) for image in IMAGES]
    loader = DataLoader(data, batch_size=4)
    return kind(runner, loader, Evaluator([Sum()])), logged


def single(teacher: nn.Module) -> SingleTeacherDistill:
    return SingleTeacherDistill(toy(1), teacher, dict(type='ConfigurableDistiller'))


def test_the_teacher_is_evaluated_once_and_its_metrics_stand_beside_the_students() -> None:
    teacher = toy(2, classes=7)
    model = single(teacher)
    loop, logged = loop_of(SingleTeacherDistillValLoop, model)
    first = loop.run()
    runs = len(teacher.calls)
    with torch.no_grad():
        model.head.weight.neg_()
    second = loop.run()
    assert first['teacher.sum'] == second['teacher.sum'] == predicted(teacher)
    assert second['sum'] == predicted(model)
    assert first['sum'] != second['sum']
    assert logged == [first, second]
    assert runs == 2 * 3, 'two batches, three parts each'
    assert len(teacher.calls) == runs + 3, 'the second validation did not run it'
    assert list(first) == ['sum', 'teacher.sum'], "save_best='auto' takes the first"


def test_the_teacher_is_evaluated_on_images_of_its_size_where_its_labels_fit_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = toy(2, classes=7)
    model = SingleTeacherDistill(toy(1), teacher, dict(type='ConfigurableDistiller'), teacher_input_size=(16, 16))
    seen: list[tuple] = []
    teacher.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[-2:])))
    assert 'teacher.sum' in loop_of(SingleTeacherDistillValLoop, model)[0].run()
    assert seen == [(16, 16)] * 2
    teacher.head = None
    notes: list[str] = []
    monkeypatch.setattr('mmkd_ext.loops.print_log', lambda note, **_: notes.append(note))
    assert loop_of(SingleTeacherDistillValLoop, model)[0]._evaluate_teacher() == {}
    (note,) = notes
    assert note.startswith('The teacher is not evaluated: its images are resized')


@pytest.mark.parametrize('kind', [SingleTeacherDistillValLoop, SelfDistillValLoop])
def test_without_a_teacher_that_predicts_there_are_the_students_metrics(kind: type) -> None:
    models = [SelfDistill(toy(1), dict(type='ConfigurableDistiller'))]
    if kind is SingleTeacherDistillValLoop:
        models.append(single(ToyStage(6)))
    for model in models:
        loop, _ = loop_of(kind, model)
        assert loop.run() == dict(sum=predicted(model))
