"""Tests that every backbone must pass; a test class gives its config, its maps and its number of parameters."""

import math
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmkd_ext.recorders.manager import RecorderManager

CLASSES = 100


def conv(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> int:
    """Parameters of a convolution without bias and its batch norm."""
    return kernel**2 * in_channels * out_channels // groups + 2 * out_channels


def linear(channels: int) -> int:
    """Parameters of the classifier's last layer."""
    return (channels + 1) * CLASSES


def classifier(backbone: dict, channels: int) -> nn.Module:
    """An mmpretrain classifier of 100 classes, built as a config is."""
    import mmpretrain.models  # noqa: F401  # what its scope holds

    neck, head = (f'mmpretrain.{name}' for name in ('GlobalAveragePooling', 'LinearClsHead'))
    head = dict(type=head, num_classes=CLASSES, in_channels=channels)
    model = dict(type='mmpretrain.ImageClassifier', backbone=backbone, neck=dict(type=neck), head=head)
    with DefaultScope.overwrite_default_scope('mmpretrain'):  # of its data preprocessor
        return MODELS.build(model)


def count(backbone: dict, channels: int) -> int:
    """Parameters of `classifier`."""
    return sum(p.numel() for p in classifier(backbone, channels).parameters())


def recorded(model: nn.Module, images: Tensor, sources: dict[str, dict]) -> tuple[Any, dict[str, Any]]:
    """What a model returns, and what recorders of it hold."""
    manager = RecorderManager(sources, 'recorders')
    manager.check(model)
    with manager.recording(model):
        result = model(images)
    return result, {name: manager.get(name) for name in sources}


class BackboneTester:
    """Tests of a backbone; it is built by name, which also tests its registration.

    A subclass gives `cfg`, the `shapes` (C, H, W) of all stages by their names, `parameters` of a classifier of 100
    classes and, for each stage that ends with a ReLU, its name in `relus`. `kaiming` says how it is initialised.
    """

    cfg: dict
    shapes: dict[str, tuple[int, int, int]]
    parameters: int
    relus: dict[str, str]
    kaiming: bool
    images: tuple[int, ...] = (3, 3, 32, 32)

    def build(self, **overrides: object) -> nn.Module:
        """The backbone from mmengine's own registry."""
        torch.manual_seed(0)
        return MODELS.build({**self.cfg, **overrides})

    def input(self) -> Tensor:
        """Images."""
        return torch.randn(self.images, generator=torch.Generator().manual_seed(1))

    def test_number_of_parameters(self) -> None:
        assert count(self.cfg, list(self.shapes.values())[-1][0]) == self.parameters

    def test_returns_the_last_map_and_the_classifier_pools_it(self) -> None:
        shape = list(self.shapes.values())[-1]
        model = classifier(self.build(), shape[0]).eval()
        (last,) = model.backbone(self.input())
        assert last.shape == (self.images[0], *shape)
        logits = model(self.input())
        torch.testing.assert_close(logits, model.head.fc(last.mean(dim=(2, 3))))

    def test_stages_are_taps_and_out_indices(self) -> None:
        backbone = self.build(out_indices=range(len(self.shapes)))
        sources = {name: dict(type='ModuleOutputs', source=name) for name in self.shapes}
        maps, taps = recorded(backbone, self.input(), sources)
        assert isinstance(maps, tuple)
        assert [tuple(x.shape[1:]) for x in maps] == list(self.shapes.values())
        for x, tap in zip(maps, taps.values(), strict=True):
            assert torch.equal(x, tap)

    def test_what_goes_into_the_last_relu_of_a_stage(self) -> None:
        sources = {name: dict(type='ModuleOutputs', source=name) for name in self.relus}
        sources |= {f'{name}_pre': dict(type='ModuleInputs', source=relu) for name, relu in self.relus.items()}
        _, taps = recorded(self.build(), self.input(), sources)
        for name in self.relus:
            (pre,), post = taps[f'{name}_pre'], taps[name]
            assert (pre < 0).any()
            assert torch.equal(self.after_relu(pre.relu(), name), post)

    def after_relu(self, x: Tensor, stage: str) -> Tensor:
        """The operation of the stage after its last ReLU."""
        return x

    def test_a_gradient_reaches_every_parameter(self) -> None:
        backbone = self.build()
        (last,) = backbone(self.input())
        (last * torch.randn(last.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
        gradients = {name: p.grad for name, p in backbone.named_parameters()}
        assert all(g is not None and g.isfinite().all() for g in gradients.values())
        # The bias of a convolution before a batch norm has gradient 0.
        assert [name for name, g in gradients.items() if not g.any()] == []

    def test_state_dict_round_trip(self) -> None:
        first = self.build()
        first(self.input())  # moves the running statistics
        second = self.build(out_indices=(0, -1))
        second.load_state_dict(first.state_dict())
        assert torch.equal(first.eval()(self.input())[0], second.eval()(self.input())[-1])

    def test_initialisation_is_the_originals_unless_given(self) -> None:
        backbone = self.build()
        backbone.init_weights()
        for module in backbone.modules():
            if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
                out_channels, width, k, _ = module.weight.shape
                # Normal of variance 2 / fan_out, or uniform on +-1 / sqrt(fan_in), whose variance is a third of that.
                variance = 2 / (k * k * out_channels) if self.kaiming else 1 / (3 * k * k * width)
                assert module.weight.std().item() == pytest.approx(math.sqrt(variance), rel=0.1)
                if self.kaiming and module.bias is not None:
                    assert not module.bias.any()
            elif isinstance(module, nn.BatchNorm2d):
                assert (module.weight == 1).all()
                assert not module.bias.any()
        backbone = self.build(init_cfg=dict(type='Constant', layer='Conv2d', val=0.5))
        backbone.init_weights()
        assert {w.mean().item() for w in backbone.parameters() if w.ndim == 4} == {0.5}
