import pytest
import torch
from model_checks import BackboneTester, conv, linear, recorded


def inverted(before: int, width: int, times: int) -> int:
    wide = before * times
    return conv(before, wide, 1) + conv(wide, wide, 3, groups=wide) + conv(wide, width, 1)


def mobilenet_v2() -> int:
    """Parameters of the classifier of half the width."""
    total = conv(3, 16, 3) + inverted(16, 8, 1)
    before = 8
    for width, blocks in ((12, 2), (16, 3), (32, 4), (48, 3), (80, 3), (160, 1)):
        total += inverted(before, width, 6) + (blocks - 1) * inverted(width, width, 6)
        before = width
    return total + conv(160, 1280, 1) + linear(1280)


class TestCIFARMobileNetV2(BackboneTester):
    cfg = dict(type='mmkd_ext.CIFARMobileNetV2')
    shapes = dict(
        layer1=(8, 16, 16), layer2=(12, 16, 16), layer3=(16, 8, 8), layer4=(32, 4, 4), layer5=(48, 4, 4),
        layer6=(80, 2, 2), layer7=(160, 2, 2), conv2=(1280, 2, 2),
    )  # fmt: skip
    relus = dict(conv2='conv2.relu')
    parameters = mobilenet_v2()
    kaiming = True

    def test_known_number_of_parameters(self) -> None:
        assert self.parameters / 1e6 == pytest.approx(0.81, abs=0.006)

    def test_the_stages_are_linear(self) -> None:
        for x in self.build(out_indices=range(7))(self.input()):
            assert (x < 0).any()

    def test_shortcuts_are_where_the_shape_stays(self) -> None:
        sources = {f'layer3.{i}': dict(type='ModuleInputs', source=f'layer3.{i}') for i in range(3)}
        sources |= {f'{name}.project': dict(type='ModuleOutputs', source=f'{name}.project') for name in sources}
        sources['out'] = dict(type='ModuleOutputs', source='layer3')
        _, taps = recorded(self.build(), self.input(), sources)
        assert torch.equal(taps['layer3.1'][0], taps['layer3.0.project'])  # stride 2
        assert torch.equal(taps['layer3.2'][0], taps['layer3.1'][0] + taps['layer3.1.project'])
        assert torch.equal(taps['out'], taps['layer3.2'][0] + taps['layer3.2.project'])

    def test_the_last_relu_can_be_left_out(self) -> None:
        (linear_map,) = self.build(final_relu=False)(self.input())
        (active,) = self.build()(self.input())
        assert (linear_map < 0).any()
        assert torch.equal(linear_map.relu(), active)

    @pytest.mark.parametrize(('width', 'last'), [(0.5, 1280), (1.0, 1280), (1.5, 1920)])
    def test_last_channels(self, width: float, last: int) -> None:
        with torch.device('meta'):
            backbone = self.build(widen_factor=width)
        assert backbone.conv2.conv.out_channels == last
        assert backbone.layer7[0].project.conv.out_channels == int(320 * width)
