import pytest
import torch
from model_checks import BackboneTester, conv, count

LAYOUT = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]


def mobilenet_v1(width: float = 1) -> int:
    """Parameters of the backbone: the stem and 13 separable convolutions."""
    before = int(32 * width)
    total = conv(3, before, 3)
    for full, _ in LAYOUT:
        channels = int(full * width)
        total += conv(before, before, 3, groups=before) + conv(before, channels, 1)
        before = channels
    return total


class TestMobileNetV1(BackboneTester):
    cfg = dict(type='mmkd_ext.MobileNetV1')
    images = (2, 3, 64, 96)
    shapes = dict(layer1=(128, 16, 24), layer2=(256, 8, 12), layer3=(512, 4, 6), layer4=(1024, 2, 3))
    relus = dict(layer1='layer1.1.relu', layer2='layer2.1.relu', layer3='layer3.5.relu', layer4='layer4.1.relu')
    parameters = mobilenet_v1() + 1025 * 100
    kaiming = False

    def test_known_number_of_parameters_for_imagenet(self) -> None:
        assert mobilenet_v1() == 3_206_976
        assert (mobilenet_v1() + 1025 * 1000) / 1e6 == pytest.approx(4.23, abs=0.006)

    def test_width(self) -> None:
        assert count(dict(**self.cfg, widen_factor=0.25), 256) == mobilenet_v1(0.25) + 257 * 100

    def test_layout(self) -> None:
        with torch.device('meta'):
            convs = [m for m in self.build().modules() if isinstance(m, torch.nn.Conv2d)]
        assert len(convs) == 27
        assert [(a.stride[0], a.groups) for a in convs[1::2]] == [
            (stride, before) for (_, stride), before in zip(LAYOUT, [32, *(c for c, _ in LAYOUT)], strict=False)
        ]
        assert [(b.out_channels, b.kernel_size, b.stride) for b in convs[2::2]] == [
            (channels, (1, 1), (1, 1)) for channels, _ in LAYOUT
        ]
