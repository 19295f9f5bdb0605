"""mdistiller's names and shapes and its forward, written out again here, against the converter and our models."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmengine.registry import MODELS
from model_checks import conv, count, linear
from support import ROOT
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd_ext.checkpoints import load_checkpoint_file
from mmkd_ext.errors import ConfigError
from mmkd_ext.mdistiller import ARCHITECTURES, classifier_config, convert
from mmkd_ext.recorders.manager import RecorderManager

Shapes = Iterator[tuple[str, tuple[int, ...]]]


class Weights(dict):
    """Weights by mdistiller's names, and the layers that they make."""

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self[f'{name}.weight']
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, self.get(f'{name}.bias'), stride, weight.shape[-1] // 2, groups=groups)

    def bn(self, x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            self[f'{name}.{part}'][:, None, None] for part in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def head(self, x: Tensor, name: str) -> Tensor:
        return x.mean(dim=(2, 3)) @ self[f'{name}.weight'].T + self[f'{name}.bias']


def conv_(name: str, out: int, into: int, kernel: int) -> Shapes:
    yield f'{name}.weight', (out, into, kernel, kernel)


def bn_(name: str, channels: int) -> Shapes:
    for part in ('weight', 'bias', 'running_mean', 'running_var'):
        yield f'{name}.{part}', (channels,)
    yield f'{name}.num_batches_tracked', ()


def head_(name: str, channels: int) -> Shapes:
    yield from ((f'{name}.weight', (100, channels)), (f'{name}.bias', (100,)))


def resnet_names(depth: int, stem: int, *widths: int) -> Shapes:
    yield from (*conv_('conv1', stem, 3, 3), *bn_('bn1', stem))
    before = stem
    for stage, width in enumerate(widths, 1):
        for i in range((depth - 2) // 6):
            block = f'layer{stage}.{i}'
            yield from (*conv_(f'{block}.conv1', width, before, 3), *bn_(f'{block}.bn1', width))
            yield from (*conv_(f'{block}.conv2', width, width, 3), *bn_(f'{block}.bn2', width))
            if i == 0 and (stage > 1 or before != width):
                yield from (*conv_(f'{block}.downsample.0', width, before, 1), *bn_(f'{block}.downsample.1', width))
            before = width
    yield from head_('fc', before)


def resnet_forward(w: Weights, x: Tensor) -> Tensor:
    x = w.bn(w.conv(x, 'conv1'), 'bn1').relu()
    for stage in (1, 2, 3):
        i = 0
        while (block := f'layer{stage}.{i}') + '.conv1.weight' in w:
            stride = 2 if stage > 1 and i == 0 else 1
            out = w.bn(w.conv(x, f'{block}.conv1', stride), f'{block}.bn1').relu()
            out = w.bn(w.conv(out, f'{block}.conv2'), f'{block}.bn2')
            if f'{block}.downsample.0.weight' in w:
                x = w.bn(w.conv(x, f'{block}.downsample.0', stride), f'{block}.downsample.1')
            x, i = (out + x).relu(), i + 1
    return w.head(x, 'fc')


def resnet50_names() -> Shapes:
    yield from (*conv_('conv1', 64, 3, 3), *bn_('bn1', 64))
    before = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
        for i in range(blocks):
            block = f'layer{stage}.{i}'
            yield from (*conv_(f'{block}.conv1', width, before, 1), *bn_(f'{block}.bn1', width))
            yield from (*conv_(f'{block}.conv2', width, width, 3), *bn_(f'{block}.bn2', width))
            yield from (*conv_(f'{block}.conv3', 4 * width, width, 1), *bn_(f'{block}.bn3', 4 * width))
            if i == 0:
                yield from conv_(f'{block}.shortcut.0', 4 * width, before, 1)
                yield from bn_(f'{block}.shortcut.1', 4 * width)
            before = 4 * width
    yield from head_('linear', before)


def resnet50_forward(w: Weights, x: Tensor) -> Tensor:
    x = w.bn(w.conv(x, 'conv1'), 'bn1').relu()
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for i in range(blocks):
            block, stride = f'layer{stage}.{i}', 2 if stage > 1 and i == 0 else 1
            out = w.bn(w.conv(x, f'{block}.conv1'), f'{block}.bn1').relu()
            out = w.bn(w.conv(out, f'{block}.conv2', stride), f'{block}.bn2').relu()
            out = w.bn(w.conv(out, f'{block}.conv3'), f'{block}.bn3')
            if i == 0:
                x = w.bn(w.conv(x, f'{block}.shortcut.0', stride), f'{block}.shortcut.1')
            x = (out + x).relu()
    return w.head(x, 'linear')


def wrn_names(depth: int, width: int) -> Shapes:
    yield from conv_('conv1', 16, 3, 3)
    before = 16
    for stage, channels in enumerate((16 * width, 32 * width, 64 * width), 1):
        for i in range((depth - 4) // 6):
            block = f'block{stage}.layer.{i}'
            yield from (*bn_(f'{block}.bn1', before), *conv_(f'{block}.conv1', channels, before, 3))
            yield from (*bn_(f'{block}.bn2', channels), *conv_(f'{block}.conv2', channels, channels, 3))
            if before != channels:
                yield from conv_(f'{block}.convShortcut', channels, before, 1)
            before = channels
    yield from (*bn_('bn1', before), *head_('fc', before))


def wrn_forward(w: Weights, x: Tensor) -> Tensor:
    x = w.conv(x, 'conv1')
    for stage in (1, 2, 3):
        i = 0
        while (block := f'block{stage}.layer.{i}') + '.conv1.weight' in w:
            stride = 2 if stage > 1 and i == 0 else 1
            active = w.bn(x, f'{block}.bn1').relu()
            if f'{block}.convShortcut.weight' in w:
                x = w.conv(active, f'{block}.convShortcut', stride)
            out = w.bn(w.conv(active, f'{block}.conv1', stride), f'{block}.bn2').relu()
            x, i = x + w.conv(out, f'{block}.conv2'), i + 1
    return w.head(w.bn(x, 'bn1').relu(), 'fc')


def vgg_names(convs: int) -> Shapes:
    before = 3
    for stage, width in enumerate((64, 128, 256, 512, 512)):
        for i in range(convs):
            name = f'block{stage}.{3 * i}'
            yield from (*conv_(name, width, before, 3), (f'{name}.bias', (width,)))
            yield from bn_(f'block{stage}.{3 * i + 1}', width)
            before = width
    yield from head_('classifier', 512)


def vgg_forward(w: Weights, x: Tensor) -> Tensor:
    for stage in range(5):
        for i in (0, 3):
            if f'block{stage}.{i}.weight' in w:
                x = w.bn(w.conv(x, f'block{stage}.{i}'), f'block{stage}.{i + 1}').relu()
        if stage < 3:
            x = F.max_pool2d(x, 2)
    return w.head(x, 'classifier')


MOBILENET = ((8, 1, 1), (12, 2, 1), (16, 3, 2), (32, 4, 2), (48, 3, 1), (80, 3, 2), (160, 1, 1))


def mobilenet_names() -> Shapes:
    yield from (*conv_('conv1.0', 16, 3, 3), *bn_('conv1.1', 16))
    before = 16
    for stage, (width, blocks, _) in enumerate(MOBILENET):
        for i in range(blocks):
            name, wide = f'blocks.{stage}.{i}.conv', before * (6 if stage else 1)
            yield from (*conv_(f'{name}.0', wide, before, 1), *bn_(f'{name}.1', wide))
            yield from (*conv_(f'{name}.3', wide, 1, 3), *bn_(f'{name}.4', wide))
            yield from (*conv_(f'{name}.6', width, wide, 1), *bn_(f'{name}.7', width))
            before = width
    yield from (*conv_('conv2.0', 1280, 160, 1), *bn_('conv2.1', 1280), *head_('classifier.0', 1280))


def mobilenet_forward(w: Weights, x: Tensor) -> Tensor:
    x = w.bn(w.conv(x, 'conv1.0', 2), 'conv1.1').relu()
    for stage, (_, blocks, stride) in enumerate(MOBILENET):
        for i in range(blocks):
            name = f'blocks.{stage}.{i}.conv'
            out = w.bn(w.conv(x, f'{name}.0'), f'{name}.1').relu()
            out = w.bn(w.conv(out, f'{name}.3', 1 if i else stride), f'{name}.4').relu()
            out = w.bn(w.conv(out, f'{name}.6'), f'{name}.7')
            x = x + out if i else out
    return w.head(w.bn(w.conv(x, 'conv2.0'), 'conv2.1').relu(), 'classifier.0')


def shufflenet_v1_names() -> Shapes:
    yield from (*conv_('conv1', 24, 3, 1), *bn_('bn1', 24))
    before = 24
    for stage, (width, blocks) in enumerate(((240, 4), (480, 8), (960, 4)), 1):
        for i in range(blocks):
            block, out = f'layer{stage}.{i}', width if i else width - before
            middle, groups = out // 4, 1 if before == 24 else 3
            yield from (*conv_(f'{block}.conv1', middle, before // groups, 1), *bn_(f'{block}.bn1', middle))
            yield from (*conv_(f'{block}.conv2', middle, 1, 3), *bn_(f'{block}.bn2', middle))
            yield from (*conv_(f'{block}.conv3', out, middle // 3, 1), *bn_(f'{block}.bn3', out))
            before = width
    yield from head_('linear', 960)


def dealt(x: Tensor, groups: int) -> Tensor:
    """Channel shuffle by indices."""
    channels = x.shape[1]
    return x[:, [i % groups * (channels // groups) + i // groups for i in range(channels)]]


def shufflenet_v1_forward(w: Weights, x: Tensor) -> Tensor:
    x = w.bn(w.conv(x, 'conv1'), 'bn1').relu()
    for stage, blocks in ((1, 4), (2, 8), (3, 4)):
        for i in range(blocks):
            block = f'layer{stage}.{i}'
            out = w.bn(w.conv(x, f'{block}.conv1'), f'{block}.bn1').relu()
            out = dealt(out, 1 if (stage, i) == (1, 0) else 3)
            out = w.bn(w.conv(out, f'{block}.conv2', 1 if i else 2), f'{block}.bn2').relu()
            out = w.bn(w.conv(out, f'{block}.conv3'), f'{block}.bn3')
            x = (out + x if i else torch.cat([out, F.avg_pool2d(x, 3, 2, 1)], 1)).relu()
    return w.head(x, 'linear')


def shufflenet_v2_names() -> Shapes:
    yield from (*conv_('conv1', 24, 3, 1), *bn_('bn1', 24))
    before = 24
    for stage, (width, blocks) in enumerate(((116, 4), (232, 8), (464, 4)), 1):
        half, down = width // 2, f'layer{stage}.0'
        yield from (*conv_(f'{down}.conv1', before, 1, 3), *bn_(f'{down}.bn1', before))
        yield from (*conv_(f'{down}.conv2', half, before, 1), *bn_(f'{down}.bn2', half))
        yield from (*conv_(f'{down}.conv3', half, before, 1), *bn_(f'{down}.bn3', half))
        yield from (*conv_(f'{down}.conv4', half, 1, 3), *bn_(f'{down}.bn4', half))
        yield from (*conv_(f'{down}.conv5', half, half, 1), *bn_(f'{down}.bn5', half))
        for i in range(1, blocks):
            for k, (into, kernel) in enumerate(((half, 1), (1, 3), (half, 1)), 1):
                yield from conv_(f'layer{stage}.{i}.conv{k}', half, into, kernel)
                yield from bn_(f'layer{stage}.{i}.bn{k}', half)
        before = width
    yield from (*conv_('conv2', 1024, 464, 1), *bn_('bn2', 1024), *head_('linear', 1024))


def shufflenet_v2_forward(w: Weights, x: Tensor) -> Tensor:
    x = w.bn(w.conv(x, 'conv1'), 'bn1').relu()
    for stage, blocks in ((1, 4), (2, 8), (3, 4)):
        block = f'layer{stage}.0'
        left = w.bn(w.conv(x, f'{block}.conv1', 2), f'{block}.bn1')
        left = w.bn(w.conv(left, f'{block}.conv2'), f'{block}.bn2').relu()
        right = w.bn(w.conv(x, f'{block}.conv3'), f'{block}.bn3').relu()
        right = w.bn(w.conv(right, f'{block}.conv4', 2), f'{block}.bn4')
        right = w.bn(w.conv(right, f'{block}.conv5'), f'{block}.bn5').relu()
        x = dealt(torch.cat([left, right], 1), 2)
        for i in range(1, blocks):
            block, half = f'layer{stage}.{i}', x.shape[1] // 2
            out = w.bn(w.conv(x[:, half:], f'{block}.conv1'), f'{block}.bn1').relu()
            out = w.bn(w.conv(out, f'{block}.conv2'), f'{block}.bn2')
            out = w.bn(w.conv(out, f'{block}.conv3'), f'{block}.bn3').relu()
            x = dealt(torch.cat([x[:, :half], out], 1), 2)
    return w.head(w.bn(w.conv(x, 'conv2'), 'bn2').relu(), 'linear')


PLAIN, X4 = (16, 16, 32, 64), (32, 64, 128, 256)
PUBLISHED: dict[str, tuple[Callable[[], Shapes], Callable[[Weights, Tensor], Tensor]]] = {
    **{f'resnet{d}': (lambda d=d: resnet_names(d, *PLAIN), resnet_forward) for d in (8, 14, 20, 32, 44, 56, 110)},
    **{f'resnet{d}x4': (lambda d=d: resnet_names(d, *X4), resnet_forward) for d in (8, 32)},
    **{f'wrn_{d}_{k}': (lambda d=d, k=k: wrn_names(d, k), wrn_forward) for d in (16, 40) for k in (1, 2)},
    'vgg8': (lambda: vgg_names(1), vgg_forward),
    'vgg13': (lambda: vgg_names(2), vgg_forward),
    'ResNet50': (resnet50_names, resnet50_forward),
    'MobileNetV2': (mobilenet_names, mobilenet_forward),
    'ShuffleV1': (shufflenet_v1_names, shufflenet_v1_forward),
    'ShuffleV2': (shufflenet_v2_names, shufflenet_v2_forward),
}


def published(arch: str) -> Weights:
    """Random weights with mdistiller's names, of a size that keeps signals alive."""
    generator = torch.Generator().manual_seed(3)
    weights = Weights()
    for name, shape in PUBLISHED[arch][0]():
        assert name not in weights
        if name.endswith('num_batches_tracked'):
            weights[name] = torch.tensor(7)
            continue
        value = torch.randn(shape, generator=generator, dtype=torch.float64)
        if len(shape) > 1:
            value *= (2 / value[0].numel()) ** 0.5
        elif name.endswith(('.weight', '.running_var')):
            value = (1 + 0.2 * value).clamp(min=0.5)
        else:
            value *= 0.1
        weights[name] = value
    return weights


def build(arch: str) -> nn.Module:
    import mmpretrain.models  # noqa: F401  # what its scope holds

    return MODELS.build(classifier_config(arch)).double().eval()


@pytest.mark.parametrize('arch', PUBLISHED)
def test_converted_weights_give_the_same_logits(arch: str) -> None:
    weights = published(arch)
    model = build(arch)
    model.load_state_dict(convert(weights, arch))
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.no_grad():
        expected = PUBLISHED[arch][1](weights, x)
        found = model(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_every_architecture_is_among_them() -> None:
    assert set(PUBLISHED) == set(ARCHITECTURES)


def test_variants_of_names_are_read() -> None:
    weights = published('wrn_16_2')
    expected = convert(weights, 'wrn_16_2')
    renamed = {(f'bn{key[3:]}' if key.startswith('bn1.') else key): value for key, value in weights.items()}
    assert 'bn.weight' in renamed
    wrapped = {f'module.{key}': value for key, value in weights.items()}
    old = {key: value for key, value in weights.items() if not key.endswith('num_batches_tracked')}
    for variant in (renamed, wrapped, old):
        found = convert(variant, 'wrn_16_2')
        assert list(found) == list(expected)
        assert all(torch.equal(found[k], v) for k, v in expected.items() if not k.endswith('num_batches_tracked'))
    shuffle = published('ShuffleV2')
    renamed = {key.replace('linear', 'fc'): value for key, value in shuffle.items()}
    assert torch.equal(convert(renamed, 'ShuffleV2')['head.fc.weight'], shuffle['linear.weight'])


def test_the_number_of_classes_is_the_files() -> None:
    weights = published('resnet8')
    weights |= {'fc.weight': torch.zeros(10, 64), 'fc.bias': torch.zeros(10)}
    model = MODELS.build(classifier_config('resnet8', num_classes=10))
    model.load_state_dict(convert(weights, 'resnet8'))


def test_the_input_is_left_as_it_is() -> None:
    weights = published('resnet8')
    before = list(weights)
    convert(weights, 'resnet8')
    assert list(weights) == before


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('layer2.0.bn2.bias'), r'weights of resnet8: missing backbone\.layer2\.0\.bn2\.bias\.$'),
        (lambda w: w.update(extra=torch.zeros(1)), 'weights of resnet8: unexpected extra'),
        (lambda w: w.update(extra=w.pop('fc.bias')), r'missing head\.fc\.bias and unexpected extra\.$'),
        (
            lambda w: w.update({'conv1.weight': torch.zeros(8, 3, 3, 3)}),
            r'conv1\.weight has shape \(8, 3, 3, 3\), expected',
        ),
        (lambda w: w.update({'fc.weight': torch.zeros(10, 64)}), r'fc\.weight has shape .*, expected \(100, 64\)'),
        (lambda w: w.update({'linear.bias': torch.zeros(100)}), 'linear.bias and fc.bias are the same weight'),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[Weights], object], message: str) -> None:
    weights = published('resnet8')
    change(weights)
    with pytest.raises(ConfigError, match=message):
        convert(weights, 'resnet8')


def test_another_architecture_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'not the weights of resnet20: missing backbone\.layer1\.1.* and \d+ more'):
        convert(published('resnet8'), 'resnet20')
    with pytest.raises(ConfigError, match=r"no architecture 'resnet65'; the nearest are .*'resnet56'"):
        convert(published('resnet8'), 'resnet65')


def test_resnet_of_mmpretrain_is_mdistillers() -> None:
    """Number of parameters and the input of the last ReLU, which is shared in a block: the last of three runs."""
    total, before = conv(3, 64, 3), 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        total += conv(before, width, 1) + conv(before, 4 * width, 1)
        total += blocks * (conv(width, width, 3) + conv(width, 4 * width, 1))
        total += (blocks - 1) * conv(4 * width, width, 1)
        before = 4 * width
    total += linear(2048)
    assert count(classifier_config('ResNet50')['backbone'], 2048) == total
    assert total / 1e6 == pytest.approx(23.7, abs=0.06)
    sources = dict(pre=dict(type='ModuleInputs', source='backbone.layer4.2.relu'))
    sources |= dict(post=dict(type='ModuleOutputs', source='backbone.layer4'))
    model = build('ResNet50')
    manager = RecorderManager(sources, 'recorders')
    with torch.no_grad(), manager.recording(model):
        model(torch.randn(1, 3, 32, 32, dtype=torch.float64))
    pre, post = manager.get('pre', record_idx=2, data_idx=0), manager.get('post')
    assert post.shape == (1, 2048, 4, 4)
    assert (pre < 0).any()
    assert torch.equal(pre.relu(), post)


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('convert_mdistiller', ROOT / 'tools' / 'convert_mdistiller.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(*arguments: object) -> None:
        monkeypatch.setattr('sys.argv', ['convert_mdistiller.py', *map(str, arguments)])
        tool.main()

    return run


def test_the_tool_writes_a_checkpoint_that_the_model_loads(
    run: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    src, dst = tmp_path / 'ckpt_epoch_240.pth', tmp_path / 'new' / 'resnet8.pth'
    weights = dict(published('resnet8'))
    # As torch wrote files before 1.6, with what else the published ones hold.
    content = dict(epoch=240, model=weights, accuracy=torch.tensor([70.0]))
    torch.save(content, src, _use_new_zipfile_serialization=False)
    run(src, dst, '--arch', 'resnet8')
    checkpoint = load_checkpoint_file(str(dst))
    assert checkpoint['meta'] == dict(architecture='resnet8', source='ckpt_epoch_240.pth')
    build('resnet8').load_state_dict(checkpoint['state_dict'])
    printed = capsys.readouterr().out
    assert eval(printed.split('model = ')[1]) == classifier_config('resnet8')


class Options:
    """Something that a file should not hold."""


def test_the_tool_names_the_file(run: Callable[..., None], tmp_path: Path) -> None:
    import tarfile

    src, dst = tmp_path / 'src.pth', tmp_path / 'dst.pth'

    def refused(message: str, to: Path = dst, arch: str = 'resnet8') -> None:
        with pytest.raises(ConfigError, match=message):
            run(src, to, '--arch', arch)
        assert not dst.exists()

    refused(r'src\.pth does not exist')
    torch.save(dict(model=dict(published('resnet8'))), src)
    refused(r'src\.pth: these are not the weights of resnet20: missing', arch='resnet20')
    refused("no architecture 'resnet9'", arch='resnet9')
    refused('is SRC itself', to=src)
    refused('is a folder', to=tmp_path)
    torch.save(dict(model=published('resnet8'), opt=Options()), src)
    refused(r'src\.pth holds pickled code')
    torch.save(dict(model=[1, 2]), src)
    refused(r'src\.pth holds no weights')
    with tarfile.open(src, 'w') as archive:
        archive.add(__file__, 'resnet56_vanilla/ckpt_epoch_240.pth')
    refused(r'src\.pth is an archive; unpack it')
