from types import SimpleNamespace

import torch
from mmengine.registry import HOOKS
from torch import nn


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3))


def test_student_and_hidden_teacher_are_converted_in_place() -> None:
    student, teacher = network(), network()
    kept = list(student.parameters())
    x = torch.randn(2, 3, 9, 8)
    before = student(x)
    object.__setattr__(student, 'teacher', SimpleNamespace(model=teacher))
    HOOKS.build(dict(type='mmkd_ext.ChannelsLastHook')).before_run(SimpleNamespace(model=student))
    for model in (student, teacher):
        assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
        assert model(x).is_contiguous(memory_format=torch.channels_last)
        assert not model(x).is_contiguous()
    assert all(a is b for a, b in zip(student.parameters(), kept, strict=True))
    assert torch.allclose(student(x), before, atol=1e-5)


def test_a_plain_model_is_converted() -> None:
    model = network()
    HOOKS.build(dict(type='mmkd_ext.ChannelsLastHook')).before_run(SimpleNamespace(model=model))
    assert not model(torch.randn(2, 3, 9, 8)).is_contiguous()
