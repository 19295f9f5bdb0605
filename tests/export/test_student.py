"""What is exported is the stock student: its keys, its outputs, and nothing of this package."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import mmdet.models  # noqa: F401  # what their scopes hold
import mmpretrain.models  # noqa: F401
import mmseg.models  # noqa: F401
import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.models import GlobalAveragePooling
from support import MINI, ROOT
from torch import Tensor, nn

from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.export import reload
from mmkd_ext.export import student as export
from mmkd_ext.export.config import student_config
from mmkd_ext.export.fold import fold_student
from mmkd_ext.export.student import export_student, stock_config
from mmkd_ext.models.norm_neck import NORMNeck
from mmkd_ext.recorders.base import tensors_in

STUDENTS = {
    'resnet_norm': 'resnet_student',
    'resnet_norm_kd': 'resnet_student',
    'resnet_norm_alone': 'resnet_student',
    'pspnet_norm': 'pspnet_student',
    'faster_rcnn_norm': 'faster_rcnn_student',
    'resnet_kd': 'resnet_student',
    'resnet_nd': 'resnet_student',
    'faster_rcnn_nd': 'faster_rcnn_student',
    'mask_rcnn_cwt': 'mask_rcnn_student',
    'pspnet_cwt': 'pspnet_student',
    'pspnet_tfd': 'pspnet_student',
    'resnet_tffd': 'resnet_student',
}


def read(name: str) -> Config:
    return Config.fromfile(MINI / f'{name}.py')


def without_scope(model: dict) -> dict:
    """A student says its toolbox only where it is not the config's."""
    return {key: value for key, value in model.items() if key != '_scope_'}


def build(cfg: Config) -> Any:
    """The model of a plain config, in eval mode, with weights and batch norms as after training."""
    torch.manual_seed(2)
    cfg = copy.deepcopy(cfg)
    cfg.model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    cfg.model.setdefault('_scope_', cfg.default_scope)
    model = build_model(model_config(cfg.model, 'model'), 'model').eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var):
                values.uniform_(0.5, 1.5)
            for values in (module.bias.data, module.running_mean):
                values.normal_(0, 0.3)
    return model


def trained(cfg: Config) -> Any:
    return build(student_config(cfg))


@torch.no_grad()
def outputs(model: Any) -> Iterator[Tensor]:
    """Of random images: logits, or the features of a detector."""
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1)).to(next(model.parameters()))
    detector = hasattr(model, 'roi_head')
    yield from tensors_in(model.extract_feat(images) if detector else model(images, None, mode='tensor'))


def largest_difference(first: Any, second: Any) -> float:
    pairs = list(zip(outputs(first), outputs(second), strict=True))
    return max(((a - b).abs().max() / a.abs().max()).item() for a, b in pairs)


def checkpoint(path: Path, model: Any, **more: Any) -> str:
    """As a distillation run writes it."""
    weights = {**model.state_dict(), 'distiller.connectors.mlp.weight': torch.ones(2)}
    torch.save(
        dict(meta=dict(epoch=3, dataset_meta=dict(classes=('a', 'b')), cfg='x'), state_dict=weights, **more), path
    )
    return str(path)


@pytest.mark.parametrize('name', STUDENTS)
class TestEveryMethod:
    def test_the_folded_student_is_the_stock_one(self, name: str) -> None:
        plain, stock_cfg = read(STUDENTS[name]), stock_config(read(name))
        assert without_scope(stock_cfg.model) == without_scope(plain.model)
        assert 'mmkd_ext' not in stock_cfg.pretty_text
        assert stock_cfg.get('custom_hooks', []) == plain.get('custom_hooks', [])
        shapes = {key: value.shape for key, value in build(plain).state_dict().items()}
        model, stock = trained(read(name)), build(stock_cfg)
        folded = fold_student(model)
        assert {key: value.shape for key, value in folded.weights.items()} == shapes
        stock.load_state_dict(folded.weights, strict=True)
        assert largest_difference(model, stock) <= (1e-5 if folded.notes else 0)

    def test_outputs_are_equal_in_float64(self, name: str) -> None:
        model, stock = trained(read(name)).double(), build(stock_config(read(name))).double()
        before = list(outputs(model))
        stock.load_state_dict(fold_student(model).weights, strict=True)
        assert largest_difference(model, stock) <= 1e-10
        assert all(torch.equal(a, b) for a, b in zip(before, outputs(model), strict=True))  # folding changes no weight


@pytest.mark.slow
def test_files_are_loaded_and_compared_where_this_package_is_not(tmp_path: Path, images: Path) -> None:
    cfg, out = read('resnet_norm_kd'), tmp_path / 'out'
    cfg.val_dataloader.dataset.update(data_root=str(images), data_prefix='')
    exported = export_student(cfg, checkpoint(tmp_path / 'a.pth', trained(cfg)), out, 'resnet_norm_kd')
    assert exported.notes[0] == 'neck folded into head.fc'
    assert exported.notes[1].startswith('equal outputs on 3 images of val_dataloader (to ')
    assert sorted(path.name for path in out.iterdir()) == ['resnet_norm_kd.pth', 'resnet_norm_kd.py']
    content = torch.load(exported.checkpoint, weights_only=True)
    assert sorted(content) == ['meta', 'state_dict']
    assert content['meta'] == dict(dataset_meta=dict(classes=('a', 'b')), epoch=3)
    assert 'mmkd_ext' not in exported.config.read_text()


@pytest.mark.slow
def test_files_that_load_only_here_are_not_written(tmp_path: Path) -> None:
    """The student's neck is registered by this test alone."""

    @MODELS.register_module(force=True)
    class NeckOfThisTest(GlobalAveragePooling):
        pass

    cfg = read('resnet_kd')
    cfg.model.architecture.neck = dict(type='NeckOfThisTest')
    path = checkpoint(tmp_path / 'a.pth', trained(cfg))
    with pytest.raises(ConfigError, match=r'does not load in its own toolbox \(.*NeckOfThisTest is not in.*nothing is'):
        export_student(cfg, path, tmp_path / 'out', 'a', check=False)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'name',
    [
        pytest.param('detr/detr_r50_8xb2-150e_coco.py', marks=pytest.mark.slow),
        'deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco.py',
        pytest.param('dino/dino-4scale_r50_8xb2-12e_coco.py', marks=pytest.mark.slow),
        pytest.param('ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py', marks=pytest.mark.slow),
    ],
)
def test_a_detector_that_changes_its_config_as_it_is_built(name: str, tmp_path: Path) -> None:
    cfg = get_config(f'mmdet::{name}')
    student = cfg.model
    student.backbone.update(depth=18, init_cfg=None)
    student.neck.in_channels = [channels // 4 for channels in student.neck.in_channels]
    student.encoder.num_layers, student.decoder.num_layers = 1, 2  # DDQ refuses one
    student.num_queries = 30
    cfg.model = ConfigDict(
        type='mmkd_ext.SelfDistill', architecture=student, distiller=dict(type='ConfigurableDistiller')
    )
    before = cfg.pretty_text
    model = trained(cfg)
    model.init_weights()  # or some are whatever was in memory
    weights = checkpoint(tmp_path / 'a.pth', model)
    exported = export_student(cfg, weights, tmp_path / 'out', 'a', check=False, reload=False)
    assert cfg.pretty_text == before
    stock = reload.load(str(exported.config), str(exported.checkpoint))
    data = demo_mm_inputs(1, [[3, 64, 64]])
    expected, found = reload.outputs(model, data, False), reload.outputs(stock, data, False)
    assert expected
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_student_that_teaches_itself(tmp_path: Path) -> None:
    cfg = read('resnet_student')
    student = trained(cfg)
    stage = dict(stage=dict(type='ModuleOutputs', source='backbone.layer4'))
    cfg.model = ConfigDict(
        type='mmkd_ext.SelfDistill',
        architecture=cfg.model,
        distiller=dict(type='ConfigurableDistiller', student_recorders=stage, teacher_recorders=stage),
    )
    exported = export_student(cfg, checkpoint(tmp_path / 'a.pth', student), tmp_path, 'self', check=False, reload=False)
    found = torch.load(exported.checkpoint, weights_only=True)['state_dict']
    assert found.keys() == student.state_dict().keys()
    assert all(torch.equal(value, student.state_dict()[key]) for key, value in found.items())
    assert without_scope(Config.fromfile(exported.config).model) == without_scope(read('resnet_student').model)


def test_a_checkpoint_of_averaged_weights_is_said_to_be_one(tmp_path: Path) -> None:
    cfg = read('resnet_kd')
    path = checkpoint(tmp_path / 'a.pth', trained(cfg), ema_state_dict=dict(steps=torch.tensor(1)))
    assert 'averaged (EMA) weights' in export_student(cfg, path, tmp_path, 'a', check=False, reload=False).notes[0]


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


@pytest.mark.slow
def test_backbones_of_this_package_come_along(command: Callable, tmp_path: Path) -> None:
    names = [
        'resnet56_resnet20_cifar100', 'wrn40_2_wrn16_2_cifar100', 'vgg13_vgg8_cifar100', 'vgg13_mobilenetv2_cifar100',
        'resnet32x4_shufflenetv1_cifar100', 'resnet32x4_shufflenetv2_cifar100', 'resnet50_mobilenetv1_in1k',
    ]  # fmt: skip
    images, runs = torch.randn(2, 3, 64, 64), []
    for i, name in enumerate(names):
        cfg = Config.fromfile(ROOT / 'configs' / 'norm' / f'{name}.py')
        model = trained(cfg)
        weights = checkpoint(tmp_path / 'a.pth', model)
        exported = export_student(cfg, weights, tmp_path / 'out', f'student.{i}', check=False, reload=False)
        assert exported.notes[-1].startswith(f'no toolbox has the backbone: the config imports student_{i}_backbone,')
        runs.append((str(exported.config), str(exported.checkpoint), model(images, mode='tensor').detach()))
    torch.save((images, runs), tmp_path / 'expected.pt')
    program = f"""
import torch
from mmengine.config import Config
from mmpretrain.apis import get_model
images, runs = torch.load({str(tmp_path / 'expected.pt')!r})
for config, checkpoint, expected in runs:
    cfg = Config.fromfile(config)
    assert not any(name in cfg.pretty_text for name in ('mmkd_ext', 'NORM', 'LogitNorm'))
    assert cfg.model.neck.type == 'GlobalAveragePooling'
    found = get_model(cfg, pretrained=checkpoint).eval()(images, mode='tensor')
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
print('all', len(runs))
"""
    (tmp_path / 'load.py').write_text(program)
    done = command(tmp_path / 'load.py', hidden=['mmkd_ext'], PYTHONPATH=str(tmp_path / 'out'))
    assert 'all 7' in done.stdout, done.stderr


def test_data_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = Config.fromfile(ROOT / 'configs' / 'norm' / 'resnet56_resnet20_cifar100.py')

    def fail(*args: Any, **kwargs: Any) -> None:
        raise URLError('no network')

    monkeypatch.setattr('mmpretrain.datasets.cifar.download_and_extract_archive', fail)
    cfg.val_dataloader.dataset.data_root = str(tmp_path / 'nowhere')
    with pytest.raises(ConfigError, match=r'^val_dataloader: its data cannot be loaded \(.*no network.*--no-check'):
        export_student(cfg, checkpoint(tmp_path / 'a.pth', trained(cfg)), tmp_path / 'out', 'a')
    assert not (tmp_path / 'out').exists()


class TestRefusals:
    def refused(self, cfg: Config, match: str) -> None:
        with pytest.raises(ConfigError, match=match):
            fold_student(trained(cfg))

    def test_another_pooling_or_an_activation_in_between(self) -> None:
        norm = dict(type='mmkd_ext.NORMNeck', in_channels=64, teacher_channels=5, pool=False)
        cfg = read('resnet_student')
        cfg.model.neck = [norm, dict(type='GeneralizedMeanPooling')]
        self.refused(cfg, r'^model.neck.0 cannot be folded: GeneralizedMeanPooling \(1\) comes between')

    def test_batch_norm_and_activation_after_it_as_in_the_released_wide_resnets(self) -> None:
        model = trained(read('resnet_norm_alone'))
        neck = model.neck
        neck.gap = None
        model.neck = nn.Sequential(neck, nn.Sequential(nn.BatchNorm2d(64), nn.ReLU()), nn.AdaptiveAvgPool2d(1))
        with pytest.raises(ConfigError, match='BatchNorm2d .* comes between'):
            fold_student(model)

    def test_padding_with_zeros_and_an_offset(self) -> None:
        cfg = read('pspnet_norm')
        cfg.model.architecture.neck.with_bn = True
        self.refused(cfg, '^model.neck cannot be folded: the convolution pads with zeros')

    def test_a_head_that_is_not_known(self) -> None:
        cfg = read('resnet_norm_alone')
        cfg.model.head = dict(type='StackedLinearClsHead', num_classes=10, in_channels=64, mid_channels=[8])
        self.refused(cfg, 'a StackedLinearClsHead comes next; known are LinearClsHead')

    def test_a_map_that_no_head_takes_or_of_which_it_is_not_known(self) -> None:
        cfg = read('pspnet_norm')
        student = cfg.model.architecture
        student.decode_head.update(in_index=1, in_channels=32)
        self.refused(cfg, '^model.neck cannot be folded: no head takes its map')
        model = trained(read('pspnet_norm'))
        del model.backbone.out_indices  # as mmseg's UNet has none
        with pytest.raises(ConfigError, match=r'maps PSPHead chooses from is not known \(.*in_index=-1\)'):
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

    def test_a_checkpoint_of_another_config(self, tmp_path: Path) -> None:
        path = checkpoint(tmp_path / 'a.pth', trained(read('resnet_student')))
        with pytest.raises(ConfigError, match=r'a.pth is not of this config: \d+ weights are missing \(neck.contract'):
            export_student(read('resnet_norm'), path, tmp_path, 'a', check=False, reload=False)
        with pytest.raises(ConfigError, match='are missing .* do not belong to it'):
            export_student(read('pspnet_norm'), path, tmp_path, 'a', check=False, reload=False)
        cfg = read('resnet_kd')
        cfg.model.architecture.head.num_classes = 7
        with pytest.raises(ConfigError, match=r'2 weights have another shape \(head.fc.bias, head.fc.weight\)'):
            export_student(cfg, path, tmp_path, 'a', check=False, reload=False)

    def test_other_outputs_and_nothing_is_written(
        self, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cfg = read('resnet_norm')
        cfg.val_dataloader.dataset.update(data_root=str(images), data_prefix='')
        path = checkpoint(tmp_path / 'a.pth', trained(cfg))

        def spoiled(model: Any) -> Any:
            folded = fold_student(model)
            folded.weights['head.fc.bias'][1] += 0.01
            return folded

        def run(made: export.Exported, work: dict) -> list:
            model = reload.load(str(made.config), str(made.checkpoint))
            return [reload.outputs(model, data, work['dense']) for data in work['batches']]

        monkeypatch.setattr(export, 'fold_student', spoiled)
        monkeypatch.setattr(export, '_run_files', run)
        with pytest.raises(ConfigError, match='gives other outputs, off by .* nothing is written'):
            export_student(cfg, path, tmp_path / 'bad', 'a')
        assert not (tmp_path / 'bad').exists()

    def test_no_data_loader(self, tmp_path: Path) -> None:
        cfg = read('resnet_kd')
        path = checkpoint(tmp_path / 'a.pth', trained(cfg))
        for field in ('train', 'val', 'test'):
            cfg.pop(f'{field}_dataloader')
        with pytest.raises(ConfigError, match='no data loader to compare outputs on'):
            export_student(cfg, path, tmp_path, 'a')


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images, in folders of their classes."""
    import mmcv
    import numpy as np

    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        mmcv.imwrite(pixels, str(tmp_path / 'images' / str(i % 2) / f'{i}.png'))
    return tmp_path / 'images'


def test_the_scope_is_left_as_it_was(tmp_path: Path) -> None:
    cfg = read('resnet_kd')
    with DefaultScope.overwrite_default_scope('mmdet'):
        export_student(cfg, checkpoint(tmp_path / 'a.pth', trained(cfg)), tmp_path, 'a', check=False, reload=False)
        assert DefaultScope.get_current_instance().scope_name == 'mmdet'


@pytest.mark.parametrize(
    'kind', [dict(type='NORMNeck', _scope_='mmkd_ext'), dict(type=NORMNeck)], ids=['scope', 'class']
)
def test_a_transform_is_known_however_it_is_named(kind: dict) -> None:
    cfg = read('resnet_norm')
    neck = cfg.model.architecture.neck
    neck.pop('type')
    neck.update(kind)
    assert stock_config(cfg).model.neck == dict(type='GlobalAveragePooling')
    assert 'mmkd_ext' not in str(stock_config(cfg).get('custom_imports'))
