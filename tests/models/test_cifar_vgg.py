import pytest
from mmengine.registry import MODELS
from model_checks import BackboneTester, count, linear

WIDTHS = (64, 128, 256, 512, 512)
SHAPES = dict(layer1=(64, 32, 32), layer2=(128, 16, 16), layer3=(256, 8, 8), layer4=(512, 4, 4), layer5=(512, 4, 4))


def vgg(convs: int) -> int:
    """Parameters of the classifier; the convolutions have biases beside their batch norms."""
    total, before = 0, 3
    for width in WIDTHS:
        for _ in range(convs):
            total += 9 * before * width + 3 * width
            before = width
    return total + linear(before)


class TestCIFARVGG(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARVGG', depth=13)
    shapes = SHAPES
    relus = {name: f'{name}.relu' for name in shapes}
    parameters = vgg(2)
    kaiming = True


class TestShallowCIFARVGG(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARVGG', depth=8)
    shapes = SHAPES
    relus = {name: f'{name}.relu' for name in shapes}
    parameters = vgg(1)
    kaiming = True


@pytest.mark.parametrize(('depth', 'millions'), [(8, 3.97), (13, 9.46)])
def test_known_numbers_of_parameters(depth: int, millions: float) -> None:
    assert count(dict(type='mmkd_ext.CIFARVGG', depth=depth), 512) / 1e6 == pytest.approx(millions, abs=0.006)


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r'depth must be one of \[8, 13\], got 11'):
        MODELS.build(dict(type='mmkd_ext.CIFARVGG', depth=11))
