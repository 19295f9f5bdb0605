import pytest
import torch
from mmengine.registry import MODELS
from model_checks import BackboneTester, conv, count, linear

from mmkd_ext.models.cifar_resnet import PadShortcut


def resnet(depth: int, stem: int, *widths: int) -> int:
    """Parameters of the classifier."""
    total, before = conv(3, stem, 3), stem
    for i, width in enumerate(widths):
        total += conv(before, width, 3) + conv(width, width, 3)
        total += ((depth - 2) // 6 - 1) * 2 * conv(width, width, 3)
        if i or before != width:
            total += conv(before, width, 1)
        before = width
    return total + linear(before)


class TestCIFARResNet(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARResNet', depth=20)
    shapes = dict(layer1=(16, 32, 32), layer2=(32, 16, 16), layer3=(64, 8, 8))
    relus = {name: f'{name}.2.relu' for name in shapes}
    parameters = resnet(20, 16, 16, 32, 64)
    kaiming = True


class TestCIFARResNetOfFourTimesTheWidth(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARResNet', depth=8, channels=(32, 64, 128, 256))
    shapes = dict(layer1=(64, 32, 32), layer2=(128, 16, 16), layer3=(256, 8, 8))
    relus = {name: f'{name}.0.relu' for name in shapes}
    parameters = resnet(8, 32, 64, 128, 256)
    kaiming = True


class TestCIFARResNetWithoutWeightsInItsShortcuts(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARResNet', depth=14, shortcut='pad')
    shapes = dict(layer1=(16, 32, 32), layer2=(32, 16, 16), layer3=(64, 8, 8))
    relus = {name: f'{name}.1.relu' for name in shapes}
    parameters = resnet(14, 16, 16, 32, 64) - conv(16, 32, 1) - conv(32, 64, 1)
    kaiming = True


def test_a_shortcut_of_zeros_is_centred_and_subsampled() -> None:
    x = torch.arange(2 * 4 * 6 * 5.0).view(2, 4, 6, 5)
    y = PadShortcut(added=6, stride=2)(x)
    assert y.shape == (2, 10, 3, 3)
    assert torch.equal(y[:, 3:7], x[:, :, ::2, ::2])
    assert not y[:, :3].any()
    assert not y[:, 7:].any()


@pytest.mark.parametrize(
    ('depth', 'channels', 'millions'),
    [
        (8, (16, 16, 32, 64), 0.08), (14, (16, 16, 32, 64), 0.18), (20, (16, 16, 32, 64), 0.28),
        (32, (16, 16, 32, 64), 0.47), (44, (16, 16, 32, 64), 0.67), (56, (16, 16, 32, 64), 0.86),
        (110, (16, 16, 32, 64), 1.74), (8, (32, 64, 128, 256), 1.23), (32, (32, 64, 128, 256), 7.43),
    ],
)  # fmt: skip
def test_known_numbers_of_parameters(depth: int, channels: tuple[int, ...], millions: float) -> None:
    found = count(dict(type='mmkd_ext.CIFARResNet', depth=depth, channels=channels), channels[-1])
    assert found == resnet(depth, *channels)
    assert found / 1e6 == pytest.approx(millions, abs=0.006)


def test_the_taps_of_the_deep_ones() -> None:
    with torch.device('meta'):
        names = dict(MODELS.build(dict(type='mmkd_ext.CIFARResNet', depth=56)).named_modules())
    assert 'layer3.8.relu' in names
    assert 'layer3.9' not in names


def test_what_does_not_exist_is_refused() -> None:
    for depth in (2, 18, 34):
        with pytest.raises(ValueError, match='depth must be 6n'):
            MODELS.build(dict(type='mmkd_ext.CIFARResNet', depth=depth))
    with pytest.raises(ValueError, match='channels must be'):
        MODELS.build(dict(type='mmkd_ext.CIFARResNet', depth=8, channels=(16, 32, 64)))
    with pytest.raises(ValueError, match="shortcut must be 'conv' or 'pad', got 'A'"):
        MODELS.build(dict(type='mmkd_ext.CIFARResNet', depth=8, shortcut='A'))
