"""The acceleration changes how fast a frozen network runs, and nothing that is recorded of it."""

import re
from collections.abc import Callable
from inspect import signature
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn
from torch.nn.functional import conv2d
from toys import ToyModel

from mmkd_ext.algorithms.acceleration import NOTHING, TOLERANCE, accelerate, run_in
from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager


def trained(model: nn.Module) -> nn.Module:
    """In eval mode, with statistics, scales and shifts as training leaves them."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator))
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            if module.affine:
                module.weight.data.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
                module.bias.data.copy_(torch.randn(module.num_features, generator=generator))
    model.eval()  # returns None of some
    return model.requires_grad_(False)


class Net(nn.Module):
    """Two convolutions, a batch norm for each, and a forward that is given."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], conv: type[nn.Conv2d] = nn.Conv2d) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.bn1 = conv(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = conv(4, 4, 3, padding=1), nn.BatchNorm2d(4, affine=False)
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def usual(net: Any, x: Tensor) -> Tensor:
    return net.bn2(net.conv2(net.bn1(net.conv1(x)).relu_()))


def go(net: nn.Module, recorded: tuple[str, ...] = ()) -> tuple[str | None, float]:
    """Why the network was left as it was, and the relative difference of its output."""
    x, out = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(2)), []

    def run() -> None:
        out[:] = [net(x)]

    run()
    before = out[0]
    reason = accelerate(net, run, lambda: out, recorded)
    return reason, ((net(x) - before).abs().max() / before.abs().max()).item()


def folded(net: nn.Module) -> list[str]:
    return [name for name, module in net.named_modules() if isinstance(module, nn.Identity)]


def test_batch_norms_go_into_the_convolutions_before_them() -> None:
    net = trained(Net(usual))
    assert net.conv1.bias is None
    reason, difference = go(net)
    assert reason is None
    assert 0 < difference < TOLERANCE
    assert folded(net) == ['bn1', 'bn2']
    assert net.conv1.bias.shape == (4,)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert net.conv1.weight.is_contiguous(memory_format=torch.channels_last)


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return conv2d(x, weight / weight.std((1, 2, 3), keepdim=True), self.bias, padding=self.padding)


@pytest.mark.parametrize(
    ('forward', 'expected'),
    [
        (lambda net, x: net.conv2(net.bn1(net.conv1(x)).relu()), ['bn1']),
        (lambda net, x: net.conv2(net.bn1(net.conv1(x).relu_())), []),
        (lambda net, x: net.conv2(net.bn2(net.bn1(net.conv1(x)))), ['bn1']),
        (lambda net, x: net.bn1(net.conv1(x)) + net.bn2(net.conv1(x)), []),
        (lambda net, x: net.bn1(net.conv2(net.bn1(net.conv1(x)))), []),
        (lambda net, x: net.bn1(net.conv1(x)) + net.bn1(net.conv1(2 * x)), ['bn1']),
        (lambda net, x: net.bn1(net.conv1(x)[:, [1, 0, 3, 2]]), []),
    ],
    ids=['usual', 'relu in place between', 'two in a row', 'one convolution, two norms', 'two convolutions, one norm',
         'a pair that runs twice', 'channels in another order'],
)  # fmt: skip
def test_what_is_folded_is_seen_in_the_forward(forward: Callable, expected: list[str]) -> None:
    net = trained(Net(forward))
    reason, difference = go(net)
    assert reason is None
    assert difference < TOLERANCE
    assert folded(net) == expected


def test_a_convolution_that_standardises_its_weight_keeps_its_norm() -> None:
    net = trained(Net(usual, Standardised))
    assert go(net) == (None, pytest.approx(0, abs=TOLERANCE))
    assert folded(net) == []


@pytest.mark.parametrize(
    ('forward', 'words'),
    [
        (lambda net, x: net.bn1(y := net.conv1(x)) + y.sigmoid(), r'not folded \(a record changes by'),
        (lambda net, x: usual(net, x) * net.bn1.weight.sum(), r'not folded \(AttributeError'),
    ],
    ids=['another operation reads the map', 'code reads the norm'],
)
def test_a_change_that_would_change_a_record_is_undone(forward: Callable, words: str) -> None:
    net = trained(Net(forward))
    state = {name: (value, value.clone()) for name, value in net.state_dict(keep_vars=True).items()}
    reason, difference = go(net)
    assert re.search(words, reason)
    assert 'channels-last' not in reason
    assert difference < TOLERANCE
    after = net.state_dict(keep_vars=True)
    assert list(after) == list(state)
    for name, (value, copy) in state.items():
        assert after[name] is value
        assert torch.equal(value, copy)


def test_the_tolerance_is_the_users() -> None:
    net = trained(Net(usual))
    x, out = torch.randn(2, 3, 9, 8), []

    def run() -> None:
        out[:] = [net(x)]

    assert 'not folded (a record changes by' in accelerate(net, run, lambda: out, (), 1e-9)
    assert folded(net) == []
    assert accelerate(net, run, lambda: out, (), 1e-4) is None
    assert folded(net) == ['bn1', 'bn2']


@pytest.mark.parametrize('name', ['conv1', 'bn1:input', 'conv1.weight', 'bn1.bias'])
def test_what_is_recorded_between_the_two_stays(name: str) -> None:
    net = trained(Net(usual))
    assert go(net, (name,))[0] is None
    assert folded(net) == ['bn2']


def test_records_of_the_norm_itself_do_not_keep_it() -> None:
    net = trained(Net(usual))
    assert go(net, ('bn1', 'conv1:input', 'bn2'))[0] is None
    assert folded(net) == ['bn1', 'bn2']


def test_a_norm_that_stands_at_two_places_is_folded_at_both() -> None:
    net = trained(Net(usual))
    net.again = nn.ModuleList([net.bn1])
    assert go(net)[0] is None
    assert isinstance(net.again[0], nn.Identity)


def test_without_a_record_another_batch_decides() -> None:
    net = trained(Net(usual))
    assert accelerate(net, lambda: net(torch.zeros(1, 3, 9, 8)), lambda: [torch.zeros(0, 5)], ()) == NOTHING
    assert folded(net) == []


NETWORKS = {
    'resnet': dict(type='mmpretrain.ResNet', depth=18),
    'sync': dict(type='mmpretrain.ResNet', depth=18, norm_cfg=dict(type='SyncBN')),
    'group': dict(type='mmpretrain.ResNet', depth=18, norm_cfg=dict(type='GN', num_groups=32)),
    'dcn': dict(type='mmdet.ResNet', depth=50, dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
                stage_with_dcn=(False, True, True, True)),
    'mobilenet': dict(type='mmpretrain.MobileNetV2'),
    'wide': dict(type='mmkd_ext.WideResNet', depth=16, widen_factor=2),
    'repvgg': dict(type='mmpretrain.RepVGG', arch='A0', out_indices=(3,)),
    'convnext': dict(type='mmpretrain.ConvNeXt', arch='atto'),
    'vit': dict(type='mmpretrain.VisionTransformer', arch='deit-t', img_size=64, out_type='featmap'),
    'cspnext': dict(type='mmdet.CSPNeXt', deepen_factor=0.167, widen_factor=0.375),
}  # fmt: skip
# How many of its batch norms are folded, of how many: not those behind DCN, before convolutions or on identities.
FOLDED = dict(resnet=(20, 20), sync=(20, 20), group=(0, 0), dcn=(40, 53), mobilenet=(52, 52), wide=(7, 13),
              repvgg=(44, 61), convnext=(0, 0), vit=(0, 0), cspnext=(33, 33))  # fmt: skip


@pytest.mark.parametrize('name', NETWORKS)
def test_networks_give_the_same_maps(name: str) -> None:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        net: Any = MODELS.build(NETWORKS[name])
    trained(net)
    count = norms(net)
    x, out = torch.randn(2, 3, 64, 64), []

    def run() -> None:
        out[:] = net(x)

    with torch.no_grad():
        run()
        before = [value.clone() for value in out]
        reason = accelerate(net, run, lambda: out, ())
        run()
    assert (count - norms(net), count) == FOLDED[name]
    assert reason is None
    for a, b in zip(before, out, strict=True):
        assert (a - b).abs().max() <= TOLERANCE * a.abs().max()


def norms(net: nn.Module) -> int:
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())


class Neck(nn.Conv2d):
    def forward(self, maps: list[Tensor]) -> Tensor:
        return super().forward(maps[0])


def test_a_shorter_dtype_is_of_backbone_and_neck_and_not_of_what_they_return() -> None:
    net: Any = nn.Module()
    net.backbone, net.neck, net.head = Net(usual), Neck(4, 5, 1), nn.Conv2d(5, 2, 1)
    trained(net)
    x = torch.randn(2, 3, 9, 8)
    before = net.head(net.neck([net.backbone(x)]))
    run_in(net, torch.bfloat16)
    assert {net.backbone.conv2.weight.dtype, net.neck.weight.dtype} == {torch.bfloat16}
    maps = net.neck([net.backbone(x)])
    after = net.head(maps)
    assert {maps.dtype, after.dtype, net.head.weight.dtype} == {torch.float32}
    difference = (after - before).abs().max() / before.abs().max()
    assert 1e-5 < difference < 0.05
    assert list(signature(net.backbone.forward).parameters) == ['x']


def teacher_of(source: Any, **options: Any) -> tuple[Teacher, Callable[[], Tensor]]:
    """A teacher, and a function that gives what is recorded of its neck on a batch."""
    torch.manual_seed(0)
    teacher = Teacher(source, None, ToyModel(), strict=False, **options)
    trained(teacher.model)
    recorders = RecorderManager(dict(neck=dict(type='ModuleOutputs', source='neck')))

    def record() -> Tensor:
        images = torch.randn(2, 3, 16, 12, generator=torch.Generator().manual_seed(5))
        teacher.record(recorders, dict(neck=1), images, None)
        return recorders.get('neck')

    return teacher, record


def test_a_teacher_is_folded_at_its_first_batch_unless_told_not_to() -> None:
    _, record = teacher_of(dict(type='ToyModel'), fold=False)
    expected = record()
    teacher, record = teacher_of(dict(type='ToyModel'))
    assert isinstance(teacher.model.backbone.norm, nn.BatchNorm2d)
    for _ in range(2):
        assert (record() - expected).abs().max() <= TOLERANCE * expected.abs().max()
        assert isinstance(teacher.model.backbone.norm, nn.Identity)


def test_a_network_that_the_user_built_is_not_changed() -> None:
    model = ToyModel()
    _, record = teacher_of(model)
    record()
    assert isinstance(model.backbone.norm, nn.BatchNorm2d)


def test_teacher_dtype_changes_records_by_its_rounding_and_not_their_dtype() -> None:
    expected = teacher_of(dict(type='ToyModel'))[1]()
    teacher, record = teacher_of(dict(type='ToyModel'), dtype='bfloat16')
    for _ in range(2):
        found = record()
        assert found.dtype == torch.float32
        assert 1e-5 < (found - expected).abs().max() / expected.abs().max() < 0.03
    assert isinstance(teacher.model.backbone.norm, nn.Identity)  # folded before, in float32
    with pytest.raises(ConfigError, match='model.teacher_dtype must be one of float32, float16, bfloat16'):
        teacher_of(dict(type='ToyModel'), dtype='half')
