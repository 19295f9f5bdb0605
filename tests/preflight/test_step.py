"""What the preflight says of records and losses, against a backward pass of its own."""

import copy
import math
from typing import Any

import pytest
import torch
from distilled_toys import distiller, make, make_self
from toys import batch, toy

from mmkd_ext.preflight.report import Report
from mmkd_ext.preflight.step import look


def looked(model: Any, count: int = 1, **kwargs: Any) -> Report:
    report = Report('a title')
    look(model.train(), [batch() for _ in range(count)], report, **kwargs)
    return report


def weighted(weight: float) -> dict:
    cfg = distiller()
    cfg['distill_losses']['loss_cwt']['loss_weight'] = weight
    return cfg


def expected_share(model: Any) -> float:
    """By a backward pass for each loss, over the parameters of the backbone, which alone CWT reaches."""
    norms = []
    for name in ('distill.loss_cwt', 'student.loss_cls'):
        model.zero_grad()
        model(**batch(), mode='loss')[name].backward()
        norms.append(math.sqrt(sum(p.grad.square().sum().item() for p in model.backbone.parameters())))
    return norms[0] / norms[1]


def test_a_losses_share_is_of_the_tasks_gradient_on_what_both_reach() -> None:
    report = looked(make())
    task, cwt = report.terms
    losses = make().train()(**batch(), mode='loss')
    assert (task.name, cwt.name) == ('task', 'distill.loss_cwt')
    assert task.value == pytest.approx(losses['student.loss_cls'].item())
    assert cwt.value == pytest.approx(losses['distill.loss_cwt'].item())
    assert cwt.share == pytest.approx(expected_share(make().train()), rel=1e-4)
    assert task.share is None
    assert task.norm > 0


def test_the_records_of_both_sides_are_listed() -> None:
    report = looked(make())
    student, teacher = report.records
    assert (student.side, student.name, student.shape, student.dtype) == ('student', 's', [4, 4, 4, 4], 'float32')
    assert (teacher.side, teacher.name, teacher.shape, teacher.dtype) == ('teacher', 't', [4, 6, 4, 4], 'float32')
    assert (student.gradient, teacher.gradient) == (True, None)
    recorded = toy(2, width=6).eval().backbone(batch()['inputs'])
    assert teacher.rms == pytest.approx(recorded.square().mean().sqrt().item(), rel=1e-5)


def test_nothing_is_trained() -> None:
    model = make()
    before = copy.deepcopy(model.state_dict())
    looked(model, count=2)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in model.parameters())
    assert not any(recorder.records for recorder in model.distiller.student_recorders.recorders.values())
    assert model.distiller.stopped == set()


@pytest.mark.parametrize(('weight', 'words'), [(1e-6, '% of the task'), (1e6, '% of the task')])
def test_the_suggested_weight_brings_the_share_that_was_asked_for(weight: float, words: str) -> None:
    (warning,) = looked(make(distiller=weighted(weight)), share=0.25).warnings
    assert words in warning
    assert 'makes it 25 %' in warning
    key = 'model.distiller.distill_losses.loss_cwt.loss_weight='
    suggested = float(warning.partition(key)[2].split()[0])
    found = looked(make(distiller=weighted(suggested)))
    assert found.terms[1].share == pytest.approx(0.25, rel=0.06)  # it has two digits
    assert found.warnings == []


def test_a_loss_without_a_weight_gets_a_factor() -> None:
    model = make(distiller=weighted(1e-6))
    loss = model.distiller.distill_losses['loss_cwt']
    loss.alpha, loss.loss_weight = loss.alpha * loss.loss_weight, None
    loss.forward = lambda student, teacher: loss.alpha * (student - teacher).square().sum() / len(student)
    (warning,) = looked(model).warnings
    assert 'times its weight in model.distiller.distill_losses.loss_cwt makes it 50 %' in warning


def test_a_scheduled_loss_is_measured_at_factor_1_and_named() -> None:
    plain, scheduled = looked(make()), looked(make(), scheduled=['loss_cwt'])
    assert scheduled.terms[1].share == plain.terms[1].share
    assert (plain.terms[1].scheduled, scheduled.terms[1].scheduled) == (False, True)
    assert 'at factor 1; a LossWeightHook changes it' in scheduled.text()


def test_each_loss_that_fails_is_named_and_the_records_are_there() -> None:
    cfg = distiller()
    cfg['connectors']['other'] = dict(cfg['connectors']['mlp'], out_channels=7)
    cfg['connectors']['mlp']['in_channels'] = 5
    cfg['distill_losses']['loss_other'] = dict(type='CWTLoss', alpha=1.0)
    mapping = cfg['loss_forward_mappings']
    mapping['loss_other'] = copy.deepcopy(mapping['loss_cwt'])
    mapping['loss_other']['student']['connector'] = 'other'
    report = looked(make(distiller=cfg))
    first, second = report.errors
    assert first.startswith('model.distiller.connectors.mlp.in_channels=5, but')
    assert second.startswith('model.distiller.connectors.other.out_channels=7, but')
    assert len(report.records) == 2
    assert report.terms == []


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    model = make()
    torch.nn.init.constant_(model.distiller.connectors['mlp'].mlp[0].weight, torch.nan)
    (error,) = looked(model).errors
    assert 'loss_cwt=nan is not finite' in error


def test_without_a_teacher_and_without_a_distiller() -> None:
    assert [term.name for term in looked(make_self()).terms] == ['task', 'distill.loss_cwt']
    alone = looked(toy(1))
    assert [term.name for term in alone.terms] == ['task']
    assert alone.records == []


def test_a_frozen_student_has_no_gradient_to_compare() -> None:
    report = looked(make(student_trainable=False))
    assert [(term.norm, term.share) for term in report.terms] == [(None, None)] * 2


def test_a_record_of_zeros_is_pointed_out() -> None:
    model = make()
    model.teacher.model.backbone.norm.weight.zero_()
    model.teacher.model.backbone.norm.bias.zero_()
    assert 'teacher recorder t records only zeros.' in looked(model).warnings
