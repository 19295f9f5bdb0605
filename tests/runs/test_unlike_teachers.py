"""Teachers that differ from their student in width, stride and pixels at once, and one with deformable convolutions."""

import copy
from typing import Any

import pytest
import torch
from config_checks import calibrate
from mmengine.config import Config
from support import MINI
from torch import nn
from torch.nn.functional import interpolate

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager

DCN = 'mmdet::dcn/cascade-mask-rcnn_x101-32x4d-dconv-c3-c5_fpn_1x_coco.py'


def classifier(width: int, last_stride: int, **pixels: Any) -> dict:
    """A narrow ResNet-18; its last map has 8 times the width in channels."""
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(
            type='ResNet', depth=18, base_channels=width, stem_channels=width, strides=(1, 2, 2, last_stride)
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=5, in_channels=8 * width, loss=dict(type='CrossEntropyLoss')),
        data_preprocessor=dict(type='ClsDataPreprocessor', **pixels),
    )


def distiller(in_channels: int, out_channels: int, **loss: Any) -> dict:
    """CWT of the backbone's last map."""
    taps = dict(stages=dict(type='ModuleOutputs', source='backbone'))
    sides = [dict(from_student=side, recorder='stages', data_idx=-1) for side in (True, False)]
    return dict(
        type='ConfigurableDistiller',
        student_recorders=taps,
        teacher_recorders=taps,
        connectors=dict(mlp=dict(type='ChannelMLPConnector', in_channels=in_channels, out_channels=out_channels)),
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=1e-3, **loss)),
        loss_forward_mappings=dict(loss_cwt=dict(student=dict(sides[0], connector='mlp'), teacher=sides[1])),
    )


def unlike(**loss: Any) -> SingleTeacherDistill:
    """64 channels at stride 32 learn from 96 at stride 16, which are made from other pixels in another order."""
    torch.manual_seed(1)
    student = classifier(8, 2, mean=[120, 110, 100], std=[60, 55, 50], to_rgb=True)
    teacher = classifier(12, 1, mean=[0, 10, 20], std=[255, 255, 128], to_rgb=False)
    return SingleTeacherDistill(student, teacher, distiller(64, 96, **loss), teacher_strict=False).eval()


def raw() -> dict:
    from mmpretrain.structures import DataSample

    images = torch.randint(0, 256, (3, 3, 64, 96), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    return dict(inputs=list(images), data_samples=[DataSample().set_gt_label(i) for i in range(3)])


def test_the_loss_is_that_of_the_teachers_own_pixels_at_its_own_size() -> None:
    algorithm = unlike(resize='bilinear')
    data = algorithm.data_preprocessor(raw(), True)
    found = algorithm(**data, mode='loss')['distill.loss_cwt']
    teacher = algorithm.teacher.model
    with torch.no_grad():
        theirs = teacher.backbone(teacher.data_preprocessor(raw(), True)['inputs'])[-1]
        ours = algorithm.distiller.connectors['mlp'](algorithm.backbone(data['inputs'])[-1])
    assert (ours.shape, theirs.shape) == ((3, 96, 2, 3), (3, 96, 4, 6))
    resized = interpolate(ours, (4, 6), mode='bilinear')
    torch.testing.assert_close(found.detach(), 1e-3 * (resized - theirs).square().sum() / 3, rtol=1e-4, atol=0)
    found.backward()
    assert algorithm.backbone.conv1.weight.grad.abs().sum() > 0


def test_another_stride_is_refused_with_what_to_do() -> None:
    algorithm = unlike()
    with pytest.raises(
        ConfigError, match=r"^model\.distiller\.distill_losses\.loss_cwt: .*\(3, 96, 2, 3\).*resize='bil"
    ):
        algorithm(**algorithm.data_preprocessor(raw(), True), mode='loss')


def dcn_teacher(deformable: bool = True) -> Any:
    """The detector of the CWT configs with fewer blocks and channels; or its twin with ordinary convolutions."""
    cfg = model_config(DCN, 'model.teacher')
    cfg.backbone.update(depth=50, groups=2, base_channels=8, stem_channels=8, init_cfg=None)
    cfg.neck.update(in_channels=[32, 64, 128, 256], out_channels=16)
    cfg.rpn_head.update(in_channels=16, feat_channels=16)
    for head in (*cfg.roi_head.bbox_head, cfg.roi_head.mask_head):
        head.in_channels = 16
    if not deformable:
        cfg.backbone.update(dcn=None, stage_with_dcn=(False,) * 4)
    return build_model(cfg, 'model.teacher')


@pytest.fixture(scope='module')
def deformable() -> Any:
    """With statistics of its own activations, or a random network's fade away."""
    torch.manual_seed(3)
    model = dcn_teacher()
    calibrate(model, torch.randn(2, 3, 96, 128))
    return model


def levels(model: Any, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    taps = RecorderManager(dict(fpn=dict(type='ModuleOutputs', source='neck')), 'model.distiller.teacher_recorders')
    Teacher(model, None, build_model(model_config(str(MINI / 'faster_rcnn_student.py'), 'm'), 'm')).record(
        taps, dict(fpn=1), images, None
    )
    return taps.get('fpn')


def test_a_deformable_teacher_runs_on_a_cpu_and_its_offsets_count(deformable: Any) -> None:
    images = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(4))
    offsets = {name: p for name, p in deformable.named_parameters() if 'conv_offset' in name}
    assert len(offsets) == 2 * (4 + 6 + 3)  # weight and bias of each block of the last three stages
    assert not any(p.any() for p in offsets.values())
    twin = dcn_teacher(deformable=False).eval()
    twin.load_state_dict({key: value for key, value in deformable.state_dict().items() if key not in offsets})
    expected, found = levels(twin, images), levels(deformable, images)
    assert [tuple(x.shape) for x in found] == [(2, 16, 24 >> i, 32 >> i) for i in range(4)] + [(2, 16, 2, 2)]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * expected[0].abs().max().item())
    moved = copy.deepcopy(deformable)
    for name in offsets:
        nn.init.normal_(moved.get_parameter(name), std=0.5)
    assert all(x.isfinite().all() for x in levels(moved, images))
    assert (levels(moved, images)[0] - expected[0]).abs().max() > 0.01 * expected[0].abs().max()


def test_a_deformable_teacher_teaches(deformable: Any) -> None:
    from mmdet.testing import demo_mm_inputs

    cfg = Config.fromfile(MINI / '_base_' / 'cwt_fpn.py').distiller
    cfg.connectors.fpn.out_channels = 16
    algorithm = SingleTeacherDistill(str(MINI / 'faster_rcnn_student.py'), deformable, cfg).train()
    data = algorithm.data_preprocessor(demo_mm_inputs(2, [[3, 96, 96]] * 2, num_classes=10), True)
    loss = algorithm(**data, mode='loss')['distill.loss_cwt']
    loss.backward()
    assert loss > 0
    assert all(p.grad.abs().sum() > 0 for p in algorithm.distiller.parameters())
