"""What the backbones share, from a small one."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmkd_ext.models.base import KAIMING, StagedBackbone, conv1x1, conv3x3, unit


class Backbone(StagedBackbone):
    """Each stage halves the map."""

    stages = ('layer1', 'layer2', 'layer3')

    def __init__(self, out_indices: tuple = (-1,), init_cfg: Any = None) -> None:
        super().__init__(out_indices, init_cfg)
        self.ran: list[str] = []
        self.stem = conv3x3(3, 4)
        for name in self.stages:
            self.add_module(name, unit(conv3x3(4, 4, stride=2)))
            getattr(self, name).register_forward_hook(lambda *_, name=name: self.ran.append(name))


def images() -> Tensor:
    return torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(1))


def test_the_maps_of_out_indices_are_returned_in_the_order_of_the_stages_and_nothing_behind_them_runs() -> None:
    backbone = Backbone(out_indices=(1, 0))
    maps = backbone(images())
    assert [tuple(x.shape) for x in maps] == [(2, 4, 8, 12), (2, 4, 4, 6)]
    assert torch.equal(maps[0], backbone.layer1(backbone.stem(images())))
    assert backbone.ran == ['layer1', 'layer2', 'layer1']


@pytest.mark.parametrize(('given', 'expected'), [((-1, 0), [0, 2]), ((2, -1), [2]), ((1,), [1])])
def test_negative_indices_count_from_the_end(given: tuple, expected: list) -> None:
    assert Backbone(out_indices=given).out_indices == expected


@pytest.mark.parametrize('wrong', [(), (3,), (-4,), (0, 3)])
def test_indices_of_no_stage_are_refused(wrong: tuple) -> None:
    with pytest.raises(
        ValueError, match=r"out_indices must be among the 3 stages \('layer1', 'layer2', 'layer3'\), got"
    ):
        Backbone(out_indices=wrong)


def test_convolutions_keep_the_size_but_for_the_stride_and_have_no_bias() -> None:
    x = torch.randn(2, 6, 8, 9)
    for conv in (conv3x3(6, 4), conv1x1(6, 4)):
        assert conv(x).shape == (2, 4, 8, 9)
        assert conv.bias is None
    assert conv3x3(6, 4, 2)(x).shape == conv1x1(6, 4, 2)(x).shape == (2, 4, 4, 5)
    assert conv3x3(6, 6, groups=6).weight.shape == (6, 1, 3, 3)
    assert conv1x1(6, 4, groups=2).weight.shape == (4, 3, 1, 1)


def test_a_unit_is_a_convolution_its_norm_and_a_relu_where_one_is_wanted() -> None:
    assert [name for name, _ in unit(conv1x1(2, 3)).named_children()] == ['conv', 'bn', 'relu']
    plain = unit(conv1x1(2, 3), relu=False)
    assert [name for name, _ in plain.named_children()] == ['conv', 'bn']
    assert (plain(torch.randn(4, 2, 5, 5)) < 0).any()


def test_kaiming_starts_every_convolution_with_the_variance_of_its_outputs() -> None:
    backbone = Backbone(init_cfg=KAIMING)
    backbone.deep = nn.Conv2d(4, 256, 3, groups=4)
    nn.init.ones_(backbone.layer1.bn.bias)
    backbone.init_weights()
    assert backbone.deep.weight.var().item() == pytest.approx(2 / (9 * 256), rel=0.2)
    assert not backbone.deep.bias.any()
    assert not backbone.layer1.bn.bias.any()
