"""Saved weights of a toy model, whole and damaged, and a small vision transformer."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, nn
from toys import ToyModel, toy

from mmkd_ext.build import build_model, model_config

PATCHES = 'patch_embed.projection.weight'


def vit(size: int, width: int = 16, **kwargs: Any) -> Any:
    """mmpretrain's, of one layer and patches of 16 x 16."""
    arch = dict(embed_dims=width, num_layers=1, num_heads=2, feedforward_channels=32)
    cfg = ConfigDict(type='mmpretrain.VisionTransformer', arch=arch, img_size=size, patch_size=16, **kwargs)
    return build_model(model_config(cfg, 'm'), 'm')


def same_weights(model: nn.Module, seed: int = 8) -> bool:
    return all(torch.equal(value, model.state_dict()[name]) for name, value in toy(seed).state_dict().items())


def saved_with(path: Path, **changes: Tensor | None) -> Path:
    """The file of `toy(8)` with weights replaced, added, or (None) left out; `__` in a name stands for a dot."""
    state = toy(8).state_dict()
    for name, value in changes.items():
        name = name.replace('__', '.')
        if value is None:
            del state[name]
        else:
            state[name] = value
    torch.save(dict(state_dict=state), path)
    return path


class LoadsItself(ToyModel):
    """Loads its weights when it is built, and has an `init_weights` that sets them to other values."""

    def __init__(self, path: str, way: str = 'load_state_dict', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if way == 'load_checkpoint':
            load_checkpoint(self, path, map_location='cpu')
        elif way == 'load_state_dict':
            self.load_state_dict(torch.load(path)['state_dict'], strict=False)
        else:
            for name, value in torch.load(path)['state_dict'].items():
                self.state_dict()[name].copy_(value)

    def init_weights(self) -> None:
        for value in self.parameters():
            nn.init.constant_(value, 9)


class BackboneOnly(ToyModel):
    """Its backbone loads weights when it is built."""

    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backbone.load_state_dict(
            {k[9:]: v for k, v in torch.load(path)['state_dict'].items() if k.startswith('backbone.')}
        )
