import pytest
import torch
from distilled_toys import distiller, make_self, records, total
from torch import nn
from toys import batch, toy

from mmkd_ext.errors import ConfigError


def test_the_student_runs_once_a_step() -> None:
    algorithm = make_self()
    losses = algorithm(**batch(), mode='loss')
    assert algorithm.student.calls == ['backbone', 'neck', 'head']
    assert list(losses) == ['student.loss_cls', 'student.accuracy', 'distill.loss_cwt']


def test_what_teaches_gets_no_gradient() -> None:
    algorithm = make_self(calculate_student_loss=False)
    total(algorithm(**batch(), mode='loss')).backward()
    assert algorithm.neck.weight.grad is None
    assert algorithm.backbone.conv.weight.grad.abs().sum() > 0


def test_the_value_is_that_of_the_two_records() -> None:
    algorithm, data = make_self().eval(), batch()
    loss = algorithm(**data, mode='loss')['distill.loss_cwt']
    shallow = toy(1).eval().backbone(data['inputs'])
    deep = toy(1).eval().neck(shallow)
    connected = algorithm.distiller.connectors['mlp'](shallow)
    torch.testing.assert_close(loss, 0.01 * (connected - deep).square().sum() / 4)


def test_no_record_outlives_the_step() -> None:
    algorithm = make_self()
    algorithm(**batch(), mode='loss')
    assert len(records(algorithm)) == 2
    assert not any(recorder.records for recorder in records(algorithm))


def test_no_record_outlives_a_step_that_fails() -> None:
    algorithm = make_self()
    algorithm.student.head = nn.Linear(9, 3)
    with pytest.raises(RuntimeError, match='shapes'):
        algorithm(**batch(), mode='loss')
    assert not any(recorder.records for recorder in records(algorithm))


def test_it_can_be_stopped() -> None:
    algorithm = make_self()
    algorithm.distillation_stopped = True
    losses = algorithm(**batch(), mode='loss')
    assert losses['distill.loss_cwt'] == 0
    total(losses).backward()
    assert [name for name, p in algorithm.named_parameters() if p.grad is None] == []


def test_a_missing_source_on_the_teaching_side_is_named() -> None:
    cfg = distiller(teacher='nek')
    with pytest.raises(ConfigError, match=r"^model\.distiller\.teacher_recorders\.t\.source='nek' .*'neck'"):
        make_self(distiller=cfg)
