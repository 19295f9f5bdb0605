"""Patch tokens of real vision transformers as maps."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.recorders.patch_tokens import PatchTokensRecorder

ARCH = dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=16)


def vit(**kwargs: Any) -> nn.Module:
    backbones = pytest.importorskip('mmpretrain.models.backbones')
    torch.manual_seed(0)
    return nn.ModuleDict(dict(backbone=backbones.VisionTransformer(ARCH, img_size=28, patch_size=7, **kwargs))).eval()


def recorded(model: nn.Module, source: str, height: int = 21, width: int = 35) -> torch.Tensor:
    manager = RecorderManager(dict(tokens=dict(type='PatchTokens', source=source)))
    manager.check(model)
    images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    with manager.recording(model), torch.no_grad():
        model['backbone'](images)
    return manager.get('tokens')


@pytest.mark.parametrize('out_type', ['cls_token', 'raw', 'featmap', 'avg_featmap'])
def test_a_layers_tokens_are_the_map_that_the_backbone_would_give(out_type: str) -> None:
    expected_of = vit(out_type='featmap', final_norm=False)
    model = vit(out_type=out_type, final_norm=False)
    model.load_state_dict(expected_of.state_dict(), strict=False)
    images = torch.randn(2, 3, 21, 35, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = expected_of['backbone'](images)[0]
    assert expected.shape == (2, 12, 3, 5)
    torch.testing.assert_close(recorded(model, 'backbone.layers.1'), expected)
    assert recorded(model, 'backbone.layers.0').shape == (2, 12, 3, 5)
    assert not torch.equal(recorded(model, 'backbone.layers.0'), expected)


def test_what_the_backbone_returns_as_tokens_becomes_a_map_too() -> None:
    assert recorded(vit(out_type='raw'), 'backbone')[0].shape == (2, 12, 3, 5)


class PlainEmbed(nn.Module):
    """As timm's: tokens alone, whose grid follows from the image."""

    patch_size = (7, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unfold(2, 7, 7).unfold(3, 5, 5).mean(dim=(1, 4, 5)).flatten(1)[:, :, None]


class PlainViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PlainEmbed()
        self.blocks = nn.ModuleList([nn.Identity()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patch_embed(x)
        registers = torch.zeros(len(x), 5, 1)
        return self.blocks[0](torch.cat([registers, tokens], dim=1))


def test_the_grid_follows_from_image_and_patch_where_the_embedding_does_not_say() -> None:
    model = nn.ModuleDict(dict(backbone=PlainViT()))
    images = torch.randn(2, 3, 21, 35, generator=torch.Generator().manual_seed(1))
    expected = images.unflatten(3, (7, 5)).unflatten(2, (3, 7)).mean(dim=(1, 3, 5))
    torch.testing.assert_close(recorded(model, 'backbone.blocks.0')[:, 0], expected)


def test_a_model_without_patches_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"source='0' has no patch_embed next to it or above it"):
        PatchTokensRecorder('0').check(nn.Sequential(nn.Linear(2, 2)))


def test_timms_vision_transformers_take_images_of_any_size() -> None:
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    backbone = timm.create_model(
        'vit_tiny_patch16_224', img_size=32, embed_dim=12, depth=2, num_heads=2, dynamic_img_size=True
    ).eval()
    model = nn.ModuleDict(dict(backbone=backbone))
    images = torch.randn(2, 3, 48, 80, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = backbone.get_intermediate_layers(images, n=1, reshape=True)[0]
    assert expected.shape == (2, 12, 3, 5)
    torch.testing.assert_close(recorded(model, 'backbone.blocks.1', 48, 80), expected)


class LastEmbed(PlainEmbed):
    """As timm's for images of any size: (B, H, W, C)."""

    output_fmt = 'Format.NHWC'

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unfold(2, 7, 7).unfold(3, 5, 5).mean(dim=(4, 5)).permute(0, 2, 3, 1)


def test_the_grid_of_an_embedding_with_channels_last() -> None:
    parts = dict(patch_embed=LastEmbed(), layer=nn.Flatten(1, 2))
    model = nn.ModuleDict(dict(backbone=nn.Sequential(OrderedDict(parts))))
    found = recorded(model, 'backbone.layer', 21, 35)
    images = torch.randn(2, 3, 21, 35, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, LastEmbed()(images).permute(0, 3, 1, 2))
