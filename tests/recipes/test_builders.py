"""Which records of two models are compared, and through what."""

import pytest
from looks import cfg, detector, one_map
from torch import nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes import Recipe, Record, choose
from mmkd_ext.recipes.kinds import CLASSIFIER, DENSE, SEGMENTOR


def loss_of(recipe: Recipe) -> dict:
    (loss,) = recipe.distiller['distill_losses'].values()
    return loss


def entries(recipe: Recipe) -> list[dict]:
    (mapping,) = recipe.distiller['loss_forward_mappings'].values()
    return list(mapping.values())


def test_levels_are_paired_by_their_strides() -> None:
    recipe = choose('fitnet', detector(strides=(4, 8, 16)), detector(DENSE, strides=(8, 16, 32, 64)), cfg())
    student, teacher = entries(recipe)
    assert (student['data_idx'], teacher['data_idx']) == ([1, 2], [0, 1])
    assert recipe.distiller['connectors']['maps']['levels'] == 2


def test_a_level_that_repeats_the_one_before_is_compared_only_where_the_method_takes_all() -> None:
    student = detector()
    student.maps.append(Record('ModuleOutputs', 'neck', 8, 3, 32, fresh=False))
    teacher = detector(strides=(4, 8, 16, 32))
    for method, expected in (('pkd', [0, 1, 2]), ('cwd', [0, 1, 2, 3])):
        assert entries(choose(method, student, teacher, cfg()))[0]['data_idx'] == expected


def test_a_connector_stands_where_the_method_has_one_or_widths_differ() -> None:
    same, wide = detector(), detector(channels=16)
    assert 'connectors' not in choose('cwd', same, detector(), cfg()).distiller
    found = choose('cwd', same, wide, cfg()).distiller['connectors']['maps']
    assert found == dict(type='Conv1x1Connector', in_channels=8, out_channels=16, levels=3)
    assert 'connectors' in choose('cwt', same, detector(), cfg()).distiller
    mgd = choose('mgd', same, wide, cfg()).distiller['connectors']['maps']
    assert (mgd['student_channels'], mgd['teacher_channels']) == (8, 16)


def test_levels_of_several_widths_have_each_their_connector() -> None:
    student = detector()
    student.maps[1] = Record('ModuleOutputs', 'neck', 6, 1, 8)
    recipe = choose('fitnet', student, detector(), cfg())
    assert [c['in_channels'] for c in recipe.distiller['connectors'].values()] == [8, 6, 8]
    assert entries(recipe)[0]['connector'] == list(recipe.distiller['connectors'])


@pytest.mark.parametrize(('stride', 'resize', 'scale'), [(32, 'bilinear', 2.0), (8, 'area', 0.5), (16, None, None)])
def test_last_maps_of_other_strides_are_resized_to_the_teachers(stride: int, resize: str, scale: float) -> None:
    student, teacher = one_map(SEGMENTOR, stride=stride), one_map(SEGMENTOR, stride=16)
    assert loss_of(choose('cwt', student, teacher, cfg())).get('resize') == resize
    fitnet = choose('fitnet', student, teacher, cfg())
    assert fitnet.distiller['connectors']['maps'].get('scale') == scale
    if scale is not None:
        with pytest.raises(
            ConfigError, match='--distill mgd: .* only cwt and fitnet resize maps; what fits: cwt, fitnet'
        ):
            choose('mgd', student, teacher, cfg())


def test_classes_must_be_the_same_where_they_are_compared() -> None:
    with pytest.raises(ConfigError, match='class by class: the student has 6 logits, the teacher 8; what fits: cwt'):
        choose('kd', detector(), detector(classes=7), cfg())
    with pytest.raises(ConfigError, match='the student has 5 classes, the teacher 7'):
        choose('kd', detector(DENSE), detector(DENSE, classes=7), cfg())


def test_regions_of_two_stage_detectors_compare_in_their_own_algorithm() -> None:
    recipe = choose('nd', detector(), detector(channels=16), cfg())
    assert recipe.algorithm == 'mmkd_ext.RoIDistill'
    assert recipe.class_means == ['loss_nd']
    connectors = recipe.distiller['connectors']
    assert connectors == dict(embedding=dict(type='EmbedConnector', in_channels=16, out_channels=32, init_std=0.01))
    assert recipe.distiller['loss_forward_mappings']['loss_nd']['student']['connector'] == 'embedding'


def test_the_stages_of_a_cascade_compare_each_with_its_own_and_the_last() -> None:
    student, teacher = detector(), detector()
    student.logits = [Record('ModuleOutputs', f'roi_head.bbox_head.{i}.fc_cls', 6) for i in range(3)]
    teacher.logits, student.labels = student.logits[:2], student.labels * 3
    recipe = choose('kd', student, teacher, cfg())
    teacher_recorders = recipe.distiller['teacher_recorders'].values()
    assert [r['source'].split('.')[2] for r in teacher_recorders] == ['0', '1', '1']
    with pytest.raises(ConfigError, match='--distill nd: each stage of a cascade'):
        choose('nd', student, teacher, cfg())


def test_what_is_frozen_is_no_stage_of_the_methods_without_a_teacher() -> None:
    student = detector()
    student.stages[0] = Record('ModuleOutputs', 'backbone', 8, 0, 4)
    recipe = choose('tfd', student, None, cfg())
    assert recipe.algorithm == 'mmkd_ext.SelfDistill'
    assert entries(recipe)[0]['data_idx'] == [1, 2]
    student.stages = student.stages[:2]
    with pytest.raises(ConfigError, match=r'but its Conv2d returns 1 of them as maps; what fits \(with a teacher of'):
        choose('tfd', student, None, cfg())
    student.model.backbone.out_indices = (3,)
    with pytest.raises(
        ConfigError, match=r'returns 1 of them as maps \(its backbone\.out_indices is \(3,\); name more stages there'
    ):
        choose('tfd', student, None, cfg())


def test_the_student_starts_with_the_teachers_neck_and_head_only_where_they_fit() -> None:
    assert choose('cwt', detector(DENSE), detector(DENSE), cfg()).inherit == ['neck', 'bbox_head']
    assert choose('cwt', detector(DENSE), detector(DENSE, classes=7), cfg()).inherit == []
    assert choose('cwt', detector(), detector(), cfg()).inherit == []


def test_what_a_model_lacks_is_said_with_the_reason() -> None:
    student = detector(DENSE)
    student.scores = []
    with pytest.raises(ConfigError, match=r'the student \(Part\) has no class logits of levels: the reason'):
        choose('kd', student, detector(DENSE), cfg())


def test_images_that_are_mixed_have_no_one_class_for_dkd() -> None:
    student = one_map(CLASSIFIER)
    student.logits, student.labels = ([Record('ModuleOutputs', name, 5)] for name in ('head.fc', 'head.loss_module'))
    student.embedding = [Record('ModuleInputs', 'head.fc', 8, 0)]
    assert 'labels' in choose('dkd', student, student, cfg()).distiller['student_recorders']
    student.model.data_preprocessor = nn.Module()
    student.model.data_preprocessor.batch_augments = nn.Identity()
    with pytest.raises(
        ConfigError, match=r'one class per image, but .*train_cfg\.augments mix images; what fits: .*kd'
    ):
        choose('dkd', student, student, cfg())
    assert choose('kd', student, student, cfg()).distiller['distill_losses']['loss_kd']
