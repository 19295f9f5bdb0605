from types import SimpleNamespace

import pytest
import torch
from distilled_toys import make
from mmcv.ops import RoIAlign
from mmengine.registry import HOOKS
from torch import nn
from toys import batch, toy

from mmkd_ext.errors import ConfigError


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3))


def run(model: nn.Module) -> None:
    HOOKS.build(dict(type='mmkd_ext.ChannelsLastHook')).before_run(SimpleNamespace(model=model))


def test_convolutions_are_converted_in_place_and_maps_follow() -> None:
    model = network()
    kept = list(model.parameters())
    x = torch.randn(2, 3, 9, 8)
    before = model(x)
    run(model)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model(x).is_contiguous(memory_format=torch.channels_last)
    assert not model(x).is_contiguous()
    assert all(a is b for a, b in zip(model.parameters(), kept, strict=True))
    assert torch.allclose(model(x), before, atol=1e-5)


def test_models_with_operations_of_mmcv_are_refused() -> None:
    model = nn.Sequential(network(), RoIAlign((7, 7)))
    with pytest.raises(ConfigError, match='without mmcv.ops, but 1 is a RoIAlign'):
        run(model)
    assert model[0][0].weight.is_contiguous()


def test_a_teacher_whose_operations_misread_such_maps_gives_the_same_records() -> None:
    boxes = torch.tensor([[i, 0.0, 0, 2 + i, 3] for i in range(4)])

    class Pooled(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return RoIAlign((4, 4))(super().forward(x), boxes)

    def distilled() -> nn.Module:
        teacher = toy(2, width=6)
        teacher.backbone = Pooled(teacher.backbone, nn.Conv2d(6, 6, 1))
        return make(teacher=teacher)

    model, converted = distilled(), distilled()
    run(converted)
    assert converted.backbone.conv.weight.is_contiguous(memory_format=torch.channels_last)
    losses = [network(**batch(), mode='loss')['distill.loss_cwt'] for network in (model, converted)]
    torch.testing.assert_close(*losses)
