"""A folded student is the stock one: its keys, its outputs."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from torch import nn
from trained_students import build, largest_difference, read, trained

from mmkd_ext.errors import ConfigError
from mmkd_ext.export.fold import fold_student
from mmkd_ext.export.student import stock_config


def test_necks_in_a_list_move_up() -> None:
    norm = dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=5, pool=False)
    cfg = read('resnet_student')
    for others, left in (([cfg.model.neck], cfg.model.neck), ([], None), ([cfg.model.neck] * 2, [cfg.model.neck] * 2)):
        cfg.model.neck = [norm, *others]
        assert stock_config(cfg).model.get('neck') == left
    cfg = read('pspnet_student')
    cfg.model.neck = [
        dict(type='FPN', in_channels=[16, 32, 64], out_channels=20, num_outs=3),
        dict(norm, in_channels=20, with_bn=False),
    ]
    cfg.model.decode_head.in_channels = cfg.model.auxiliary_head.in_channels = 20
    model, stock = trained(cfg).double(), build(stock_config(cfg)).double()
    stock.load_state_dict(fold_student(model).weights, strict=True)
    assert largest_difference(model, stock) <= 1e-10


@pytest.mark.parametrize(('kernel', 'with_bn'), [(1, True), (3, False)])
def test_convolutions_with_batch_norms_after_it_in_both_heads_of_a_segmentor(kernel: int, with_bn: bool) -> None:
    """The offset goes into the batch norms; a head of an earlier stage stays as it is."""
    cfg = read('pspnet_student')
    norm_cfg = dict(type='BN')
    head = dict(
        type='FCNHead', in_channels=64, in_index=2, channels=20, num_convs=2, kernel_size=kernel, num_classes=7,
        norm_cfg=norm_cfg,
    )  # fmt: skip
    earlier = dict(head, in_channels=32, in_index=1)
    cfg.model.decode_head, cfg.model.auxiliary_head = ConfigDict(head), [dict(head, concat_input=False), earlier]
    cfg.model.neck = dict(
        type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=5, num_segments=3, with_bn=with_bn, pool=False
    )
    model, stock = trained(cfg).double(), build(stock_config(cfg)).double()
    folded = fold_student(model)
    assert folded.notes == ['neck folded into decode_head.convs.0, decode_head.conv_cat, auxiliary_head.0.convs.0']
    stock.load_state_dict(folded.weights, strict=True)
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    ours, theirs = (m.extract_feat(images) for m in (model, stock))
    heads = [(m.decode_head, *m.auxiliary_head) for m in (model, stock)]
    for one, other in zip(*heads, strict=True):
        torch.testing.assert_close(other(theirs), one(ours), rtol=1e-10, atol=1e-12)


def test_the_head_of_a_vision_transformer_that_gives_its_map() -> None:
    cfg = read('resnet_norm_alone')
    arch = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)
    cfg.model.backbone = dict(type='VisionTransformer', arch=arch, img_size=32, patch_size=8, out_type='featmap')
    cfg.model.neck.in_channels = 16
    cfg.model.head = dict(type='VisionTransformerClsHead', num_classes=10, in_channels=16, hidden_dim=8)
    model, stock = trained(cfg), build(stock_config(cfg))
    folded = fold_student(model)
    assert folded.notes == ['neck folded into head.layers.pre_logits']
    stock.load_state_dict(folded.weights, strict=True)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(stock(images), model(images), rtol=1e-4, atol=1e-5)


def test_the_parallel_convolutions_of_deeplab() -> None:
    cfg = read('pspnet_norm')
    student = cfg.model.architecture
    head = {key: student.decode_head[key] for key in ('in_channels', 'in_index', 'channels', 'num_classes', 'norm_cfg')}
    student.decode_head = ConfigDict(head, type='ASPPHead', dilations=(1, 6))
    model, stock = trained(cfg).double(), build(stock_config(cfg)).double()
    folded = fold_student(model)
    layers = ('image_pool.1', 'aspp_modules.0', 'aspp_modules.1')
    assert folded.notes == [f'neck folded into {", ".join(f"decode_head.{layer}" for layer in layers)}']
    stock.load_state_dict(folded.weights, strict=True)
    assert largest_difference(model, stock) <= 1e-10


class TestRefusals:
    def refused(self, cfg: Config, match: str) -> None:
        with pytest.raises(ConfigError, match=match):
            fold_student(trained(cfg))

    def test_another_pooling_or_an_activation_in_between(self) -> None:
        norm = dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=5, pool=False)
        cfg = read('resnet_student')
        cfg.model.neck = [norm, dict(type='GeneralizedMeanPooling')]
        self.refused(cfg, r'^model.neck.0 cannot be folded: GeneralizedMeanPooling \(1\) is between')

    def test_batch_norm_and_activation_after_it_as_in_the_released_wide_resnets(self) -> None:
        model = trained(read('resnet_norm_alone'))
        neck = model.neck
        neck.gap = None
        model.neck = nn.Sequential(neck, nn.Sequential(nn.BatchNorm2d(64), nn.ReLU()), nn.AdaptiveAvgPool2d(1))
        with pytest.raises(ConfigError, match='BatchNorm2d .* is between'):
            fold_student(model)

    def test_padding_with_zeros_and_an_offset(self) -> None:
        cfg = read('pspnet_norm')
        cfg.model.architecture.neck.with_bn = True
        self.refused(cfg, '^model.neck cannot be folded: the convolution pads with zeros')

    def test_a_head_that_is_not_known(self) -> None:
        cfg = read('resnet_norm_alone')
        cfg.model.head = dict(type='StackedLinearClsHead', num_classes=10, in_channels=64, mid_channels=[8])
        self.refused(cfg, 'a StackedLinearClsHead comes next; supported are LinearClsHead')

    def test_a_map_that_no_head_takes_or_of_which_it_is_not_known(self) -> None:
        cfg = read('pspnet_norm')
        student = cfg.model.architecture
        student.decode_head.update(in_index=1, in_channels=32)
        self.refused(cfg, '^model.neck cannot be folded: no head takes its map')
        model = trained(read('pspnet_norm'))
        del model.backbone.out_indices  # as mmseg's UNet has none
        with pytest.raises(ConfigError, match=r'maps that PSPHead chooses from is unknown \(.*in_index=-1\)'):
            fold_student(model)
        model.decode_head.in_index, model.auxiliary_head.in_index = -1, -2
        assert fold_student(model).notes

    def test_a_transform_in_the_middle_of_the_backbone(self) -> None:
        model = trained(read('resnet_norm_alone'))
        model.backbone.layer4, model.neck = model.neck, nn.Identity()
        with pytest.raises(ConfigError, match='^model.backbone.layer4 cannot be folded: only the neck'):
            fold_student(model)

    def test_a_layer_without_bias_and_norm(self) -> None:
        cfg = read('pspnet_norm')
        cfg.model.architecture.update(neck=dict(cfg.model.architecture.neck, with_bn=True))
        model = trained(cfg)
        head = model.decode_head
        head.bottleneck.conv.padding = (0, 0)
        head.psp_modules[0][1].conv.bias, head.psp_modules[0][1].norm_name = None, None
        with pytest.raises(ConfigError, match='psp_modules.0.1 has no bias to take the offset'):
            fold_student(model)
