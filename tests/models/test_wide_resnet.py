import pytest
import torch
from mmengine.registry import MODELS
from model_checks import BackboneTester, count, linear, recorded


def wrn(depth: int, width: int) -> int:
    """Parameters of the classifier: a batch norm is before each convolution but the first, and one at the end."""
    total, before = 9 * 3 * 16, 16
    for channels in (16 * width, 32 * width, 64 * width):
        total += 2 * before + 9 * before * channels + 2 * channels + 9 * channels**2
        total += ((depth - 4) // 6 - 1) * 2 * (2 * channels + 9 * channels**2)
        if before != channels:
            total += before * channels
        before = channels
    return total + 2 * before + linear(before)


class TestWideResNet(BackboneTester):
    cfg = dict(type='mmkd_ext.WideResNet', depth=16, widen_factor=2)
    shapes = dict(layer1=(32, 32, 32), layer2=(64, 16, 16), layer3=(128, 8, 8), final=(128, 8, 8))
    relus = dict(final='final.relu')
    parameters = wrn(16, 2)
    kaiming = True

    def test_what_is_normalised_of_each_stage(self) -> None:
        names = dict(layer1='layer2.0', layer2='layer3.0', layer3='final')
        sources = {name: dict(type='ModuleOutputs', source=name) for name in names}
        for name, after in names.items():
            bn = f'{after}.bn' if after == 'final' else f'{after}.bn1'
            sources[f'{name}_in'] = dict(type='ModuleInputs', source=bn)
            sources[f'{name}_pre'] = dict(type='ModuleOutputs', source=bn)
        _, taps = recorded(self.build(), self.input(), sources)
        for name in names:
            assert torch.equal(taps[f'{name}_in'][0], taps[name])
            assert taps[f'{name}_pre'].mean(dim=(0, 2, 3)).abs().max() < 1e-4  # not yet cut by a ReLU


class TestNarrowWideResNet(BackboneTester):
    """The first block of WRN-n-1 keeps the width: its shortcut is the input itself."""

    cfg = dict(type='mmkd_ext.WideResNet', depth=10)
    shapes = dict(layer1=(16, 32, 32), layer2=(32, 16, 16), layer3=(64, 8, 8), final=(64, 8, 8))
    relus = dict(final='final.relu')
    parameters = wrn(10, 1)
    kaiming = True


@pytest.mark.parametrize(('depth', 'width', 'millions'), [(16, 1, 0.18), (16, 2, 0.70), (40, 1, 0.57), (40, 2, 2.26)])
def test_known_numbers_of_parameters(depth: int, width: int, millions: float) -> None:
    found = count(dict(type='mmkd_ext.WideResNet', depth=depth, widen_factor=width), 64 * width)
    assert found == wrn(depth, width)
    assert found / 1e6 == pytest.approx(millions, abs=0.006)


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match='depth must be 6n'):
        MODELS.build(dict(type='mmkd_ext.WideResNet', depth=20))
    with pytest.raises(ValueError, match='widen_factor must be'):
        MODELS.build(dict(type='mmkd_ext.WideResNet', depth=16, widen_factor=0))
