"""What is seen of real models, on one image."""

from functools import cache

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from support import MINI
from torch import nn

from mmkd_ext.build import model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes import Look, choose, look


@cache
def seen(name: str) -> Look:
    return look(model_config(str(MINI / f'{name}.py'), 'model'), 'student')


def test_a_two_stage_detector() -> None:
    found = seen('faster_rcnn_student')
    assert found.kind == 'two-stage detector'
    assert [(r.source, r.data_idx, r.channels, r.stride) for r in found.maps] == [
        ('neck', 0, 32, 4), ('neck', 1, 32, 8), ('neck', 2, 32, 16),
    ]  # fmt: skip
    assert [r.conv for r in found.maps] == [f'neck.fpn_convs.{i}.conv' for i in range(3)]
    assert [(r.source, r.channels) for r in found.logits] == [('roi_head.bbox_head.fc_cls', 11)]
    assert [(r.type, r.channels, r.data_idx) for r in found.embedding] == [('ModuleInputs', 256, 0)]
    assert [(r.source, r.data_idx) for r in found.labels] == [('roi_head.bbox_head.loss_cls', 1)]


def test_a_level_that_repeats_another_and_a_stage_that_is_frozen() -> None:
    cfg = model_config(str(MINI / 'faster_rcnn_student.py'), 'model')
    cfg.neck.num_outs = 4
    cfg.backbone.frozen_stages = 1
    found = look(cfg, 'student')
    assert [r.fresh for r in found.maps] == [True, True, True, False]
    assert [r.trains for r in found.stages] == [False, True, True]


def test_without_a_neck_a_detector_has_the_maps_of_its_backbone_that_train() -> None:
    cfg = model_config(str(MINI / 'faster_rcnn_student.py'), 'model')
    cfg.pop('neck')
    cfg.backbone.frozen_stages = 1
    assert [(r.source, r.data_idx) for r in look(cfg, 'student').maps] == [('backbone', 1), ('backbone', 2)]
    assert [r.data_idx for r in look(cfg, 'teacher').maps] == [0, 1, 2]


def test_a_segmentor_has_its_last_map_and_its_logits() -> None:
    found = seen('pspnet_student')
    assert [(r.source, r.data_idx, r.channels, r.stride) for r in found.maps] == [('backbone', -1, 64, 4)]
    assert [(r.source, r.channels, r.stride) for r in found.pixels] == [('decode_head.conv_seg', 11, 4)]
    assert len(found.stages) == 3


@pytest.mark.parametrize(
    'backbone',
    [dict(type='DDRNet', channels=4, ppm_channels=4), dict(type='PIDNet', channels=4, ppm_channels=4)],
    ids=lambda backbone: backbone['type'],
)
def test_a_backbone_that_returns_more_in_training_than_its_map(backbone: dict) -> None:
    head = dict(type='DDRHead', in_channels=16, channels=4, num_classes=3)
    cfg = ConfigDict(type='EncoderDecoder', backbone=backbone, decode_head=head, _scope_='mmseg')
    as_student, as_teacher = look(cfg, 'student'), look(cfg, 'teacher')
    assert [(r.source, r.data_idx, r.channels, r.stride) for r in as_student.maps] == [('backbone', 1, 16, 8)]
    assert [(r.source, r.data_idx, r.channels, r.stride) for r in as_teacher.maps] == [('backbone', None, 16, 8)]
    assert not as_student.model.backbone.training
    run = dict(train_cfg=dict(max_iters=9), model={})
    assert choose('cwt', as_student, as_teacher, run).distiller['loss_forward_mappings']['loss_cwt'] == dict(
        student=dict(from_student=True, recorder='maps', data_idx=1, connector='maps'),
        teacher=dict(from_student=False, recorder='maps'),
    )
    with pytest.raises(ConfigError, match='item 1 of what it returns in training'):
        choose('norm', as_student, as_teacher, run)


def test_a_classifiers_stages_are_found_where_its_backbone_returns_the_last_alone() -> None:
    found = seen('resnet_student')
    assert [(r.source, r.channels, r.stride) for r in found.stages] == [
        ('backbone.layer1', 8, 1), ('backbone.layer2', 16, 2), ('backbone.layer3', 32, 4), ('backbone.layer4', 64, 8),
    ]  # fmt: skip
    assert [(r.source, r.channels) for r in found.logits] == [('head.fc', 10)]
    assert [r.channels for r in found.embedding] == [64]


def test_a_vision_transformer_has_its_patch_tokens_for_a_map_and_no_stages() -> None:
    arch = dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=8)
    backbone = dict(type='VisionTransformer', arch=arch, img_size=32, patch_size=8)
    head = dict(type='VisionTransformerClsHead', num_classes=3, in_channels=8)
    model = dict(type='ImageClassifier', backbone=backbone, head=head, _scope_='mmpretrain')
    found = look(ConfigDict(model), 'student')
    assert [(r.type, r.source, r.channels, r.stride) for r in found.maps] == [
        ('PatchTokens', 'backbone.layers.1', 8, 8),
    ]  # fmt: skip
    assert found.stages == []
    assert [(r.source, r.channels) for r in found.logits] == [('head.layers.head', 3)]


def test_a_single_module_with_a_map_is_not_taken_for_the_last_stage() -> None:
    """Of Conformer's blocks, which return a map and tokens together, only the first returns a map alone."""
    found = look(model_config('mmpretrain::conformer/conformer-tiny-p16_8xb128_in1k.py', 'model'), 'student')
    assert found.maps == []
    assert 'but no map (B, C, H, W)' in found.why['maps']


def test_a_head_whose_classes_are_trained_by_a_sigmoid_has_no_softmax() -> None:
    cfg = model_config(str(MINI / 'faster_rcnn_student.py'), 'model')
    cfg.roi_head.bbox_head.loss_cls = dict(type='CrossEntropyLoss', use_sigmoid=True)
    found = look(cfg, 'student')
    assert found.logits == found.embedding == found.labels == []
    assert found.why['logits'] == 'its classes are trained by CrossEntropyLoss without a softmax'


def test_class_scores_beside_an_objectness_are_not_compared() -> None:
    cfg = model_config('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', 'model')
    found = look(cfg, 'student')
    assert found.scores == []
    assert found.why['scores'] == 'its YOLOXHead trains them on objects only, next to an objectness score'


def test_a_model_without_a_backbone_is_said() -> None:
    class Whole(MODELS.get('mmpretrain.ImageClassifier')):  # as mmpretrain's TimmClassifier
        def __init__(self, **cfg: object) -> None:
            super().__init__(**cfg)
            del self.backbone

    MODELS.register_module('LookWhole', module=Whole, force=True)
    cfg = ConfigDict(type='LookWhole', backbone=dict(type='mmpretrain.LeNet5'))
    with pytest.raises(ConfigError, match='^--distill: the teacher, a Whole, has no `backbone`; '):
        look(cfg, 'teacher')


def test_what_cannot_be_run_is_said_in_one_sentence() -> None:
    cfg = model_config(str(MINI / 'faster_rcnn_student.py'), 'model')
    cfg.neck.in_channels = [16, 32, 65]
    with pytest.raises(
        ConfigError, match='^--distill: the teacher, a FasterRCNN, cannot be run on an image of 512x512 '
    ):
        look(cfg, 'teacher')


def test_an_unknown_kind_is_refused_and_nothing_random_was_drawn() -> None:
    MODELS.register_module('LookLinear', module=type('LookLinear', (nn.Linear,), {}), force=True)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with pytest.raises(ConfigError, match='the student is a LookLinear, but must be a two-stage detector or a '):
        look(ConfigDict(type='LookLinear', in_features=2, out_features=2), 'student')
    assert torch.equal(torch.get_rng_state(), state)
