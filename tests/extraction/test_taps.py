"""Where the embeddings and labels are found, from toy models that are named as those of the toolboxes."""

import copy
import re
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.taps import Tap, count_classes, find_classifier, find_taps


def tree(**parts: nn.Module) -> nn.Module:
    """A model with submodules by dotted names, with `__` for the dots."""
    model = nn.Module()
    for path, module in parts.items():
        *names, last = path.split('__')
        place = model
        for name in names:
            if not hasattr(place, name):
                place.add_module(name, nn.Module())
            place = getattr(place, name)
        place.add_module(last, module)
    return model


def classifier() -> nn.Module:
    return tree(backbone__fc=nn.Linear(8, 10), head__fc=nn.Linear(8, 10), head__loss_module=nn.Identity())


def vit(*names: str) -> nn.Module:
    layers = {f'head__layers__{name}': nn.Linear(8, 10) for name in names}
    model = tree(head__layers__pre_logits=nn.Linear(6, 8), **layers, head__loss_module=nn.Identity())
    model.head.num_classes = 10
    return model


def detector() -> nn.Module:
    head = 'roi_head__bbox_head__'
    linear = {
        f'{head}shared_fcs__0': nn.Linear(9, 8),
        f'{head}fc_cls': nn.Linear(8, 11),
        f'{head}fc_reg': nn.Linear(8, 40),
    }
    return tree(**linear, **{f'{head}loss_cls': nn.Identity()}, rpn_head__loss_cls=nn.Identity())


def cascade() -> nn.Module:
    stages = {f'roi_head__bbox_head__{i}__fc_cls': nn.Linear(8, 11) for i in range(3)}
    return tree(**stages, **{f'roi_head__bbox_head__{i}__loss_cls': nn.Identity() for i in range(3)})


@pytest.mark.parametrize(
    ('model', 'name', 'loss', 'classes'),
    [
        (classifier(), 'head.fc', 'head.loss_module', 10),
        (vit('head'), 'head.layers.head', 'head.loss_module', 10),
        (detector(), 'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.loss_cls', 11),
    ],
    ids=['classifier', 'vit', 'detector'],
)
def test_the_classifier_and_its_loss_are_found(model: nn.Module, name: str, loss: str, classes: int) -> None:
    assert find_classifier(model) == name
    taps = find_taps({}, model)
    assert taps['embedding'].recorder == dict(type='ModuleInputs', source=name)
    assert taps['labels'].recorder == dict(type='ModuleInputs', source=loss)
    assert (taps['embedding'].data_idx, taps['labels'].data_idx) == (0, 1)
    assert count_classes(taps, model, None, {}) == classes


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (cascade(), r"--layer is needed.*'roi_head\.bbox_head\.0\.fc_cls', .*\.1\.fc_cls', .*\.2\.fc_cls'"),
        (vit('head', 'head_dist'), r"--layer is needed.*'head\.layers\.head', 'head\.layers\.head_dist'"),
        (tree(decode_head__conv_seg=nn.Conv2d(4, 4, 1)), '--layer is needed.*there is none'),
    ],
    ids=['cascade', 'deit', 'segmentor'],
)
def test_a_classifier_that_is_not_clear_is_asked_for(model: nn.Module, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_taps({}, model)


def test_a_layer_that_is_named_is_taken_with_the_loss_of_its_own_head() -> None:
    taps = find_taps({}, cascade(), 'roi_head.bbox_head.2.fc_cls')
    assert str(taps['embedding']) == 'ModuleInputs roi_head.bbox_head.2.fc_cls [0]'
    assert str(taps['labels']) == 'ModuleInputs roi_head.bbox_head.2.loss_cls [1]'
    assert count_classes(taps, cascade(), 'roi_head.bbox_head.2.fc_cls', {}) == 11


@pytest.mark.parametrize(
    ('layer', 'message'),
    [
        ('head.fcc', r"--layer=head\.fcc is not a module of Module; the nearest .*'head\.fc'"),
        ('backbone.fc', r'--layer=backbone\.fc: no head of Module around it has a classification loss'),
    ],
)
def test_a_layer_that_cannot_be_used_is_named(layer: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_taps({}, classifier(), layer)


def test_without_a_linear_classifier_the_data_set_says_how_many_classes() -> None:
    model, taps = tree(neck=nn.Identity()), dict(embedding=Tap(dict(type='ModuleOutputs', source='neck'), 'key'))
    assert count_classes(taps, model, None, dict(classes=('cat', 'dog'))) == 2
    model.add_module('roi_head', nn.Identity())
    assert count_classes(taps, model, None, dict(classes=('cat', 'dog'))) == 3, 'the background'
    with pytest.raises(ConfigError, match='how many classes'):
        count_classes(taps, model, None, {})


@pytest.mark.parametrize('outputs', [10, 11, 12])
def test_a_region_head_has_the_background_too_whatever_its_loss_makes_of_it(outputs: int) -> None:
    """A sigmoid has no output for it, seesaw one more than a softmax."""
    model = detector()
    model.roi_head.bbox_head.fc_cls = nn.Linear(8, outputs)
    model.roi_head.bbox_head.num_classes = 10
    assert count_classes(find_taps({}, model), model, None, {}) == 11


DISTILLER = dict(
    student_recorders=dict(gt=dict(type='ModuleInputs', source='head.loss_module')),
    teacher_recorders=dict(gap=dict(type='ModuleOutputs', source='neck')),
    distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0), loss_nd=dict(type='mmkd_ext.NDLoss', class_means='none')),
    loss_forward_mappings=dict(
        loss_nd=dict(
            student=dict(from_student=True, recorder='gap', connector='emb'),
            teacher=dict(from_student=False, recorder='gap', record_idx=-1, data_idx=3),
            labels=dict(from_student=True, recorder='gt', data_idx=1),
        )
    ),
)


def test_the_mapping_of_an_nd_loss_says_where_both_are() -> None:
    taps = find_taps(dict(distiller=DISTILLER), classifier())
    assert taps['embedding'] == Tap(
        dict(type='ModuleOutputs', source='neck'), 'model.distiller.teacher_recorders.gap', -1, 3
    )
    assert taps['labels'].recorder == dict(type='ModuleInputs', source='head.loss_module')
    assert (taps['labels'].record_idx, taps['labels'].data_idx) == (0, 1)
    assert (taps['embedding'].needed, taps['labels'].needed) == (None, 1)
    assert count_classes(taps, classifier(), None, {}) == 10


def test_a_named_layer_goes_before_the_mapping_and_other_losses_say_nothing() -> None:
    assert find_taps(dict(distiller=DISTILLER), classifier(), 'head.fc')['embedding'].data_idx == 0
    other = dict(DISTILLER, distill_losses=dict(loss_kd=dict(type='KDLoss')))
    assert find_taps(dict(distiller=other), classifier())['embedding'].recorder['source'] == 'head.fc'


MISTAKES = [
    ('teacher', dict(connector='x'), r'loss_nd\.teacher\.connector: .*leave out the connector'),
    ('teacher', dict(recorder='gip'), r"teacher\.recorder: .*teacher_recorders has no 'gip'; the nearest is 'gap'"),
    ('teacher', dict(data_idx=[0, 1]), r'teacher\.data_idx: .*not a list of levels; got \[0, 1\]'),
    ('labels', dict(from_student=False), r"labels\.recorder: .*teacher_recorders has no 'gt'"),
    ('labels', None, r'loss_nd\.labels must be a dict with `from_student` and `recorder`, got None'),
]


@pytest.mark.parametrize(('argument', 'change', 'message'), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_in_the_mapping_is_named(argument: str, change: Any, message: str) -> None:
    distiller = copy.deepcopy(DISTILLER)
    mapping = distiller['loss_forward_mappings']['loss_nd']
    mapping[argument] = mapping[argument] | change if change else None
    with pytest.raises(ConfigError) as error:
        find_taps(dict(distiller=distiller), classifier())
    assert re.search(r'^model\.distiller\.loss_forward_mappings\.' + '.*' + message, str(error.value)), error.value


def test_two_nd_losses_must_agree() -> None:
    distiller = copy.deepcopy(DISTILLER)
    distiller['distill_losses']['loss_nd2'] = dict(type='NDLoss', class_means='other')
    mappings = distiller['loss_forward_mappings']
    mappings['loss_nd2'] = copy.deepcopy(mappings['loss_nd'])
    assert find_taps(dict(distiller=distiller), classifier()) == find_taps(dict(distiller=DISTILLER), classifier())
    mappings['loss_nd2']['teacher']['data_idx'] = 0
    with pytest.raises(ConfigError, match=r'2 losses of type NDLoss .*\(loss_nd, loss_nd2\): choose one with --layer'):
        find_taps(SimpleNamespace(get=dict(distiller=distiller).get), classifier())
    # Which of them is clear where one of them reads the file that is made.
    assert find_taps(dict(distiller=distiller), classifier(), file='other')['embedding'].data_idx == 0
