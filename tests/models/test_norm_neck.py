"""NORM's feature transform: what it computes, where it can stand, and how it starts."""

import copy
import math

import mmdet.models  # noqa: F401  # what its scope holds
import mmpretrain.models  # noqa: F401
import pytest
import torch
from mmcv.cnn import ConvModule
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager

NECK = dict(type='mmkd_ext.NORMNeck', in_channels=6, teacher_channels=4, num_segments=3)
FPN = dict(type='FPN', in_channels=[5, 7, 9], out_channels=6, num_outs=4, start_level=0)
AFTER = [f'fpn_convs.{i}.conv' for i in range(3)]
PYTORCH = dict(
    type='Kaiming', layer='Conv2d', a=math.sqrt(5), mode='fan_in', nonlinearity='leaky_relu', distribution='uniform'
)


def build(**overrides: object) -> nn.Module:
    return MODELS.build({**NECK, **overrides})


def randomised(module: nn.Module) -> nn.Module:
    """In eval mode, with batch norms as after training."""
    generator = torch.Generator().manual_seed(3)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        for values in (norm.weight.data, norm.bias.data, norm.running_mean):
            values.copy_(torch.randn(values.shape, generator=generator))
        norm.running_var.copy_(torch.rand(norm.running_var.shape, generator=generator) + 0.5)
    return module.eval()


def maps(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.randn(s, generator=torch.Generator().manual_seed(5), dtype=torch.float64) for s in shapes)


def position(neck: nn.Module, x: Tensor) -> Tensor:
    """One position's channels, by the formula, in plain loops over the channels."""
    for unit in (neck.expand, neck.contract):
        y = []
        for o, row in enumerate(unit.conv.weight.flatten(1)):
            value = sum(w * v for w, v in zip(row, x, strict=True))
            if unit.with_norm:
                bn = unit.norm
                value = (value - bn.running_mean[o]) / (bn.running_var[o] + bn.eps) ** 0.5 * bn.weight[o] + bn.bias[o]
            y.append(value)
        x = torch.stack(y)
    return x


class TestNORMNeck:
    @pytest.mark.parametrize('residual', [True, False])
    @pytest.mark.parametrize('with_bn', [True, False])
    def test_equals_an_independent_reference(self, residual: bool, with_bn: bool) -> None:
        neck = randomised(build(residual=residual, with_bn=with_bn, pool=False)).double()
        (x,) = maps((2, 6, 3, 5))
        y = neck(x)
        for b, i, j in ((0, 0, 0), (1, 2, 4), (0, 1, 3)):
            expected = position(neck, x[b, :, i, j]) + (x[b, :, i, j] if residual else 0)
            torch.testing.assert_close(y[b, :, i, j], expected)
        pooled = copy.deepcopy(neck)
        pooled.gap = nn.AdaptiveAvgPool2d(1)
        torch.testing.assert_close(pooled(x), y.mean(dim=(2, 3)))

    def test_takes_and_returns_what_global_average_pooling_does(self) -> None:
        stock, neck = MODELS.build(dict(type='mmpretrain.GlobalAveragePooling')), build().double()
        inputs = maps((2, 3, 8, 4), (2, 6, 4, 2))
        found, expected = neck(inputs), stock(inputs)
        assert isinstance(found, tuple)
        assert [x.shape for x in found] == [x.shape for x in expected]
        torch.testing.assert_close(found[0], expected[0])
        assert not torch.allclose(found[1], expected[1])
        assert neck(inputs[1]).shape == stock(inputs[1]).shape

    def test_without_pooling_the_last_map_alone_is_changed(self) -> None:
        neck, inputs = build(pool=False).double(), maps((2, 3, 8, 4), (2, 6, 4, 2))
        first, last = neck(list(inputs))
        assert first is inputs[0]
        assert last.shape == (2, 6, 4, 2)

    def test_parts_are_conv_modules_and_linear(self) -> None:
        neck = build()
        for unit, shape in ((neck.expand, (12, 6, 1, 1)), (neck.contract, (6, 12, 1, 1))):
            assert isinstance(unit, ConvModule)
            assert unit.conv.weight.shape == shape
            assert unit.conv.bias is None
            assert unit.with_norm
            assert not unit.with_activation
        assert not any(isinstance(m, nn.BatchNorm2d) for m in build(with_bn=False).modules())

    def test_the_recorded_wide_map_is_after_the_batch_norm(self) -> None:
        neck = randomised(build()).double()
        manager = RecorderManager(dict(wide=dict(type='ModuleOutputs', source='neck.expand')), 'recorders')
        model = nn.ModuleDict(dict(neck=neck))
        (x,) = maps((2, 6, 4, 3))
        with manager.recording(model):
            neck((x,))
        torch.testing.assert_close(manager.get('wide'), neck.expand.norm(neck.expand.conv(x)))

    def test_one_segment_is_a_transform_like_any_other(self) -> None:
        assert build(num_segments=1).expand.conv.weight.shape == (4, 6, 1, 1)

    def test_a_gradient_reaches_every_parameter(self) -> None:
        neck = build().double()
        (x,) = maps((3, 6, 4, 5))
        (neck((x,))[0] * torch.randn(3, 6, dtype=torch.float64)).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in neck.parameters())

    def test_starts_as_the_released_resnets_unless_told(self) -> None:
        torch.manual_seed(0)
        neck = build(in_channels=64, teacher_channels=64, num_segments=2)
        neck.init_weights()
        assert neck.expand.conv.weight.std().item() == pytest.approx(math.sqrt(2 / 128), rel=0.05)
        assert neck.contract.conv.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
        assert (neck.contract.norm.weight == 1).all()  # the residual branch does not start at 0
        neck = build(in_channels=64, teacher_channels=64, num_segments=2, init_cfg=PYTORCH)
        neck.init_weights()
        assert neck.expand.conv.weight.abs().max().item() == pytest.approx(1 / 8, rel=0.01)
        assert neck.contract.conv.weight.abs().max().item() == pytest.approx(1 / math.sqrt(128), rel=0.01)

    def test_what_does_not_fit_is_refused(self) -> None:
        vectors, tokens, others = maps((2, 6), (2, 9, 6), (2, 5, 3, 3))
        for wrong in (vectors, tokens, [tokens, vectors]):  # of ConvNeXt and ViT as they are
            with pytest.raises(ConfigError, match=r"^model.architecture.neck .*False for ConvNeXt .*'featmap' for ViT"):
                build().double()((wrong,))
        with pytest.raises(ConfigError, match=r'^model.architecture.neck .* is \(2, 5, 3, 3\); set in_channels=5'):
            build().double()(others)
        with pytest.raises(ValueError, match='num_segments must be at least 1'):
            build(num_segments=0)


class TestNORMFeatures:
    """`norm_features`, by its registered name."""

    def build(self, **overrides: object) -> nn.Module:
        cfg = dict(type='mmkd_ext.NORMFeatures', neck=FPN, after=AFTER, teacher_channels=4, num_segments=3)
        with DefaultScope.overwrite_default_scope('mmdet'):
            return MODELS.build({**cfg, **overrides})

    def test_it_is_the_stock_neck_with_transforms_after_some_convolutions(self) -> None:
        with DefaultScope.overwrite_default_scope('mmdet'):
            stock = MODELS.build(FPN).double().eval()
        neck = randomised(self.build()).double()
        assert type(neck) is type(stock)
        missing, unexpected = stock.load_state_dict(neck.state_dict(), strict=False)
        assert not missing
        assert all('.conv.transform.' in key for key in unexpected)
        inputs = maps((1, 5, 16, 12), (1, 7, 8, 6), (1, 9, 4, 3))
        found, plain = neck(inputs), stock(inputs)
        expected = [conv.conv.transform(y) for conv, y in zip(neck.fpn_convs, plain, strict=False)]
        for x, y in zip(found, [*expected, expected[-1][..., ::2, ::2]], strict=True):  # the extra level, too
            torch.testing.assert_close(x, y)

    def test_a_copy_is_independent(self) -> None:
        neck = randomised(self.build()).double()
        inputs = maps((1, 5, 16, 12), (1, 7, 8, 6), (1, 9, 4, 3))
        before = neck(inputs)[0]
        other = copy.deepcopy(neck)
        other.fpn_convs[0].conv.transform.contract.norm.bias.data += 1
        assert torch.equal(neck(inputs)[0], before)
        torch.testing.assert_close(other(inputs)[0], before + 1)

    def test_starts_as_the_neck_does(self) -> None:
        torch.manual_seed(0)
        neck = self.build(teacher_channels=64)
        neck.init_weights()
        weight = neck.fpn_convs[0].conv.transform.expand.conv.weight
        assert weight.abs().max().item() == pytest.approx(math.sqrt(6 / (6 + 192)), rel=0.02)  # Xavier, uniform

    def test_a_name_of_no_convolution_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"FPN has no convolution 'fpn_convs.0'; the nearest"):
            self.build(after=['fpn_convs.0'])
