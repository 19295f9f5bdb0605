"""Random networks that behave as trained ones: batch norms know the batch, class means are there."""

import torch
from mmengine.config import Config
from support import MINI
from torch import nn

from mmkd_ext.benchmark.data import random_batch
from mmkd_ext.benchmark.networks import build, settle


class Deep(nn.Module):
    """Whose maps shrink a thousandfold with each convolution where norms have not seen a batch."""

    def __init__(self) -> None:
        super().__init__()
        convs = [nn.Conv2d(3, 3, 1, bias=False) for _ in range(6)]
        for conv in convs:
            nn.init.constant_(conv.weight, 1e-3)
        self.layers = nn.Sequential(*(layer for conv in convs for layer in (conv, nn.BatchNorm2d(3))))

    def extract_feat(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)


def test_norms_know_the_batch() -> None:
    model, images = Deep().eval(), torch.randn(4, 3, 5, 7)
    assert model.extract_feat(images).abs().max() < 1e-12
    settle(model, images)
    assert model.extract_feat(images).std() > 0.1
    assert not model.training
    assert model.layers[1].momentum == 0.1


def test_class_means_that_were_not_made_yet_are_random() -> None:
    cfg = Config.fromfile(MINI / 'resnet_nd.py')
    cfg.model.distiller.distill_losses.loss_nd.class_means = 'no_such_file.safetensors'
    model = build(cfg, random_batch(cfg, 2, 32), (32, 32), 'cpu')
    layer = next(iter(model.taught.values())).teacher.model.head.fc
    assert model.distiller.distill_losses['loss_nd'].directions.shape == (layer.out_features, layer.in_features)
