"""Losses that compare class by class, where student, teacher and data set have other classes."""

from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, DefaultScope
from support import MINI

from mmkd_ext.build import build_model, model_config
from mmkd_ext.distillers.classes import _LOGITS
from mmkd_ext.errors import ConfigError


@pytest.mark.parametrize(('name', 'loss'), [('faster_rcnn_nd', 'loss_'), ('resnet_kd', 'loss_kd')])
def test_a_student_of_other_classes_is_refused_before_the_first_step(name: str, loss: str) -> None:
    cfg = Config.fromfile(MINI / f'{name}.py')
    head = cfg.model.architecture.roi_head.bbox_head if 'rcnn' in name else cfg.model.architecture.head
    head.num_classes = 2
    said = rf'distill_losses.{loss}.*num_classes=2 and model.teacher.*num_classes=10'
    with DefaultScope.overwrite_default_scope(cfg.default_scope), pytest.raises(ConfigError, match=said):
        MODELS.build(cfg.model)


@pytest.mark.parametrize(
    ('name', 'source', 'loss', 'counts'),
    [
        ('pspnet_cwt', 'decode_head.conv_seg', dict(type='mmrazor.ChannelWiseDivergence'), True),
        ('pspnet_cwt', 'decode_head.conv_seg', dict(type='mmrazor.PKDLoss'), True),
        ('pspnet_cwt', 'decode_head.conv_seg', dict(type='mmrazor.ATLoss'), False),
        ('pspnet_cwt', 'backbone', dict(type='mmrazor.ChannelWiseDivergence'), False),
        ('resnet_kd', 'head.fc', dict(type='mmrazor.KLDivergence'), True),
        ('resnet_kd', 'head.fc', dict(type='mmrazor.DistanceWiseRKD'), False),
        ('faster_rcnn_kd', 'roi_head.bbox_head.fc_cls', dict(type='mmrazor.KLDivergence'), True),
    ],
)
def test_a_loss_of_any_package_that_is_given_class_logits_compares_by_class(
    name: str, source: str, loss: dict, counts: bool
) -> None:
    cfg = Config.fromfile(MINI / f'{name}.py').model
    head = cfg.architecture.get('roi_head', {}).get('bbox_head') or cfg.architecture.get('decode_head')
    (head or cfg.architecture.head).num_classes = 2
    recorder = dict(logits=dict(type='ModuleOutputs', source=source))
    first, second = ('s_feature', 't_feature') if loss['type'].endswith('ATLoss') else ('preds_S', 'preds_T')
    cfg.teacher_ckpt, cfg.teacher_strict = None, False
    cfg.distiller = dict(
        type='ConfigurableDistiller',
        student_recorders=recorder,
        teacher_recorders=recorder,
        distill_losses=dict(loss_x=loss),
        loss_forward_mappings=dict(
            loss_x={
                first: dict(from_student=True, recorder='logits'),
                second: dict(from_student=False, recorder='logits'),
            }
        ),
    )
    scope = Config.fromfile(MINI / f'{name}.py').default_scope
    with DefaultScope.overwrite_default_scope(scope):
        if not counts:
            assert MODELS.build(cfg).distiller
            return
        with pytest.raises(
            ConfigError, match=r'loss_x compares class by class, but .*num_classes=2 and .*num_classes='
        ):
            MODELS.build(cfg)


def test_which_layers_give_class_logits() -> None:
    layers = ('bbox_head.gfl_cls', 'bbox_head.retina_cls', 'roi_head.bbox_head.1.fc_cls', 'head.layers.head', 'head.fc')
    assert all(_LOGITS.fullmatch(layer) for layer in layers)
    others = ('bbox_head.gfl_reg', 'roi_head.bbox_head.fc_reg', 'rpn_head.rpn_cls', 'neck.fc', 'bbox_head', 'head.fc_x')
    assert not any(_LOGITS.fullmatch(layer) for layer in others)


DIGITS = [str(digit) for digit in range(10)]


@pytest.mark.parametrize(
    ('data', 'learnt', 'said'),
    [
        (DIGITS[:9], None, r'loss_kd compares class by class, but .*head.num_classes=10, while .* has 9 classes'),
        (DIGITS, DIGITS[::-1], r"loss_kd .* in another order: class 0 is '0' and '9'; give .*metainfo"),
        (DIGITS, ['zero', *DIGITS[1:]], None),
        (DIGITS, DIGITS, None),
        (DIGITS, None, None),
    ],
    ids=['fewer', 'order', 'spelling', 'same', 'unknown'],
)
def test_the_classes_of_the_data_set_are_compared_when_training_begins(
    data: list[str], learnt: list[str] | None, said: str | None, tmp_path: Path
) -> None:
    cfg = Config.fromfile(MINI / 'resnet_kd.py')
    teacher = build_model(model_config(str(MINI / 'resnet_teacher.py'), 'model.teacher'), 'model.teacher')
    cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')
    meta = dict(dataset_meta=dict(classes=tuple(learnt))) if learnt else {}
    torch.save(dict(state_dict=teacher.state_dict(), meta=meta), cfg.model.teacher_ckpt)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        algorithm = MODELS.build(cfg.model)
    algorithm.train()  # as the Runner's first call, before the data set is known
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=data))
    if said:
        with pytest.raises(ConfigError, match=said):
            algorithm.train()
        return
    with patch('mmkd_ext.algorithms.teacher_distill.print_log') as log:
        algorithm.train()
        algorithm.train()
    notes = [call.args[0] for call in log.call_args_list]
    assert len(notes) == (learnt is not None and learnt[0] == 'zero')
    assert all("0 is '0' and 'zero'" in note for note in notes)


def test_maps_are_compared_whatever_the_classes() -> None:
    cfg = Config.fromfile(MINI / 'faster_rcnn_cwt.py')
    cfg.model.architecture.roi_head.bbox_head.num_classes = 2
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        algorithm = MODELS.build(cfg.model)
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=('cat', 'dog')))
    with patch('mmkd_ext.algorithms.teacher_distill.print_log') as log:
        assert algorithm.train().training
    log.assert_not_called()


def test_a_student_of_another_number_of_classes_than_the_data_set_is_said() -> None:
    cfg = Config.fromfile(MINI / 'faster_rcnn_cwt.py')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        algorithm = MODELS.build(cfg.model)
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=('cat', 'dog')))
    with patch('mmkd_ext.algorithms.teacher_distill.print_log') as log:
        algorithm.train()
    (note,) = [call.args[0] for call in log.call_args_list]
    assert note == ('model.architecture.roi_head.bbox_head.num_classes=10, but train_dataloader.dataset has 2 classes.')
