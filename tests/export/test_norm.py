"""Folding: the same outputs from layers of the same shape, or a refusal that says why."""

import copy

import mmpretrain.models  # noqa: F401  # what its scope holds
import pytest
import torch
from mmcv.cnn import ConvModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from mmkd_ext.export import fold_norm
from mmkd_ext.export.norm import affine, check_between, fold_norm_before

NECK = dict(type='mmkd_ext.NORMNeck', in_channels=6, teacher_channels=4, num_segments=3)


def build(**overrides: object) -> nn.Module:
    """In eval mode and float64, with batch norms as after training."""
    generator = torch.Generator().manual_seed(3)
    neck = MODELS.build({**NECK, 'pool': False, **overrides}).double().eval()
    for norm in (m for m in neck.modules() if isinstance(m, nn.BatchNorm2d)):
        for values in (norm.weight.data, norm.bias.data, norm.running_mean):
            values.copy_(torch.randn(values.shape, generator=generator))
        norm.running_var.copy_(torch.rand(norm.running_var.shape, generator=generator) + 0.5)
    return neck


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * expected.abs().max().item())


@pytest.mark.parametrize('residual', [True, False])
@pytest.mark.parametrize('with_bn', [True, False])
class TestExactFolds:
    def test_matrix_and_offset_are_read_off_by_probing(self, residual: bool, with_bn: bool) -> None:
        """M's columns are what unit vectors give beyond what 0 gives."""
        neck = build(residual=residual, with_bn=with_bn)
        matrix, offset = affine(neck)
        zero = neck(torch.zeros(1, 6, 1, 1, dtype=torch.float64)).flatten()
        units = neck(torch.eye(6, dtype=torch.float64)[:, :, None, None]).flatten(1)
        assert torch.allclose(offset, zero, atol=1e-12)
        close(matrix, (units - zero).T)
        assert offset.any() == with_bn

    @pytest.mark.parametrize('biased', [True, False])
    def test_a_classifier_behind_average_pooling(self, residual: bool, with_bn: bool, biased: bool) -> None:
        neck = build(residual=residual, with_bn=with_bn, pool=True)
        x, weight, bias = random(2, 6, 5, 3), random(7, 6), random(7) if biased else None
        folded = fold_norm(neck, weight, bias)
        assert folded[0].shape == weight.shape
        assert (folded[1] is None) == (not biased and not with_bn)
        close(linear(x.mean(dim=(2, 3)), *folded), linear(neck(x), weight, bias))

    @pytest.mark.parametrize(('kernel', 'stride', 'dilation'), [((1, 1), 1, 1), ((3, 2), 1, 1), ((3, 3), 2, 2)])
    def test_a_convolution_without_padding(
        self, residual: bool, with_bn: bool, kernel: tuple, stride: int, dilation: int
    ) -> None:
        neck = build(residual=residual, with_bn=with_bn)
        x, weight, bias = random(2, 6, 9, 8), random(7, 6, *kernel), random(7)
        found = conv2d(x, *fold_norm(neck, weight, bias), stride, 0, dilation)
        close(found, conv2d(neck(x), weight, bias, stride, 0, dilation))

    @pytest.mark.parametrize('mode', ['zeros', 'reflect', 'replicate', 'circular'])
    def test_a_convolution_with_padding(self, residual: bool, with_bn: bool, mode: str) -> None:
        neck, x = build(residual=residual, with_bn=with_bn), random(2, 6, 7, 8)
        conv = nn.Conv2d(6, 5, 3, padding=(1, 0), padding_mode=mode).double()
        if with_bn and mode == 'zeros':
            with pytest.raises(ValueError, match=r'pads with zeros \(padding=\(1, 0\)\)'):
                fold_norm(neck, conv.weight, conv.bias, conv.padding, mode)
            return
        expected = conv(neck(x))
        weight, bias = fold_norm(neck, conv.weight, conv.bias, conv.padding, mode)
        conv.weight.data, conv.bias.data = weight, bias
        close(conv(x), expected)

    @pytest.mark.parametrize('biased', [True, False])
    def test_the_convolution_before(self, residual: bool, with_bn: bool, biased: bool) -> None:
        neck = build(residual=residual, with_bn=with_bn)
        x, weight, bias = random(2, 5, 7, 8), random(6, 5, 3, 3), random(6) if biased else None
        folded = fold_norm_before(neck, weight, bias)
        close(conv2d(x, *folded, padding=1), neck(conv2d(x, weight, bias, padding=1)))


def test_results_have_the_type_of_the_layer_and_no_graph() -> None:
    layer = nn.Linear(6, 4)
    for folded in fold_norm(build(), layer.weight, layer.bias):
        assert folded.dtype == torch.float32
        assert not folded.requires_grad


@pytest.mark.parametrize('padding', ['same', 1, (0, 2)])
def test_every_form_of_padding_is_seen(padding: object) -> None:
    with pytest.raises(ValueError, match='not exact at the border'):
        fold_norm(build(), random(7, 6, 3, 3), None, padding)
    fold_norm(build(), random(7, 6, 3, 3), None, 'valid')


class TestRefusals:
    def test_what_is_not_linear_comes_between(self) -> None:
        neck = build(pool=True)
        fold_norm(neck, random(7, 6))
        for between in (
            nn.AdaptiveMaxPool2d(1),
            nn.ReLU(),
            nn.Sequential(nn.BatchNorm2d(6), nn.ReLU()),  # of a pre-activation network
            MODELS.build(dict(type='mmpretrain.GeneralizedMeanPooling')),
        ):
            neck.gap = between
            with pytest.raises(ValueError, match=r'\w+ \(gap\) is between the transform and the next layer'):
                fold_norm(neck, random(7, 6))
            with pytest.raises(ValueError, match='only average pooling is allowed'):
                check_between(nn.Sequential(between))

    def test_the_transform_has_an_activation_or_another_norm(self) -> None:
        neck = build()
        for part, match in (
            (dict(act_cfg=dict(type='ReLU')), 'without activation'),
            (dict(act_cfg=None, norm_cfg=dict(type='GN', num_groups=2)), 'GroupNorm'),
            (dict(act_cfg=None, kernel_size=3), '1x1'),
        ):
            changed = copy.deepcopy(neck)
            changed.expand = ConvModule(6, 12, **{'kernel_size': 1, **part}).double()
            with pytest.raises(ValueError, match=f'^expand .*{match}'):
                fold_norm(changed, random(7, 6))

    def test_the_layer_takes_something_else(self) -> None:
        for wrong in (random(7, 5), random(7, 2, 3, 3), random(7, 54), random(7, 6, 3)):
            with pytest.raises(ValueError, match='does not take 6 channels'):
                fold_norm(build(), wrong)
        with pytest.raises(ValueError, match='does not return 6 channels'):
            fold_norm_before(build(), random(7, 6, 3, 3))
