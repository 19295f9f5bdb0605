import pytest
import torch
from model_checks import BackboneTester, conv, linear
from torch import Tensor

from mmkd_ext.models.cifar_shufflenet import shuffle


def unit_v1(before: int, out: int, first_groups: int = 3) -> int:
    middle = out // 4
    return conv(before, middle, 1, first_groups) + conv(middle, middle, 3, middle) + conv(middle, out, 1, 3)


def shufflenet_v1() -> int:
    """Parameters of the classifier; the pooled input fills up what the first unit of a stage makes."""
    total = conv(3, 24, 1)
    total += unit_v1(24, 240 - 24, first_groups=1) + 3 * unit_v1(240, 240)
    total += unit_v1(240, 480 - 240) + 7 * unit_v1(480, 480)
    total += unit_v1(480, 960 - 480) + 3 * unit_v1(960, 960)
    return total + linear(960)


def shufflenet_v2() -> int:
    """Parameters of the classifier."""
    total, before = conv(3, 24, 1), 24
    for width, units in ((116, 3), (232, 7), (464, 3)):
        half = width // 2
        right = conv(before, half, 1) + conv(half, half, 3, half) + conv(half, half, 1)
        total += conv(before, before, 3, before) + conv(before, half, 1) + right
        total += units * (conv(half, half, 1) + conv(half, half, 3, half) + conv(half, half, 1))
        before = width
    return total + conv(464, 1024, 1) + linear(1024)


class TestCIFARShuffleNetV1(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARShuffleNetV1')
    shapes = dict(layer1=(240, 16, 16), layer2=(480, 8, 8), layer3=(960, 4, 4))
    relus = dict(layer1='layer1.3.relu', layer2='layer2.7.relu', layer3='layer3.3.relu')
    parameters = shufflenet_v1()
    kaiming = False

    def test_known_number_of_parameters(self) -> None:
        assert self.parameters / 1e6 == pytest.approx(0.95, abs=0.006)


class TestCIFARShuffleNetV2(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARShuffleNetV2')
    shapes = dict(layer1=(116, 16, 16), layer2=(232, 8, 8), layer3=(464, 4, 4), conv2=(1024, 4, 4))
    relus = dict(layer1='layer1.3.relu', layer2='layer2.7.relu', layer3='layer3.3.relu', conv2='conv2.relu')
    parameters = shufflenet_v2()
    kaiming = False

    def after_relu(self, x: Tensor, stage: str) -> Tensor:
        return x if stage == 'conv2' else interleaved(x)

    def test_known_number_of_parameters(self) -> None:
        assert self.parameters / 1e6 == pytest.approx(1.36, abs=0.006)


def interleaved(x: Tensor) -> Tensor:
    """The channels of two halves in turn."""
    half = x.shape[1] // 2
    return torch.stack([x[:, i // 2 + half * (i % 2)] for i in range(2 * half)], dim=1)


def test_shuffle_deals_channels_out() -> None:
    x = torch.arange(6.0).view(1, 6, 1, 1)
    assert shuffle(x, 3).flatten().tolist() == [0, 2, 4, 1, 3, 5]
    assert shuffle(x, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert shuffle(x, 1).flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(shuffle(x, 2), interleaved(x))
