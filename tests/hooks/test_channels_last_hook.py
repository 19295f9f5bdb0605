from types import SimpleNamespace

import pytest
import torch
from mmcv.ops import RoIAlign
from mmengine.registry import HOOKS
from torch import nn

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
