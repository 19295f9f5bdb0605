"""Where NORM's transform is put into a student."""

from dataclasses import replace

import pytest
from looks import cfg, detector, one_map

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes import choose
from mmkd_ext.recipes.kinds import CLASSIFIER, SEGMENTOR


def with_neck(*necks: str) -> dict:
    fields, made = cfg(), [dict(type=neck) for neck in necks]
    return dict(fields, model=dict(fields['model'], neck=made if len(made) > 1 else made[0]))


def test_a_classifiers_transform_takes_the_place_of_the_pooling() -> None:
    student, teacher = one_map(CLASSIFIER), one_map(CLASSIFIER, channels=16)
    recipe = choose('norm', student, teacher, with_neck('GlobalAveragePooling'))
    assert recipe.architecture['neck'] == dict(type='mmkd_ext.NORMNeck', in_channels=8, teacher_channels=16)
    assert recipe.architecture['head']['loss']['type'] == 'mmkd_ext.LogitNormLoss'
    with pytest.raises(ConfigError, match='takes the place of the pooling .*, where this one has no neck'):
        choose('norm', student, teacher, cfg())
    with pytest.raises(ConfigError, match='where this one has HRFuseScales, GlobalAveragePooling'):
        choose('norm', student, teacher, with_neck('HRFuseScales', 'GlobalAveragePooling'))
    with pytest.raises(ConfigError, match='NORM compares maps of the same size: .* stride 32, .* 16'):
        choose('norm', student, one_map(CLASSIFIER, stride=16), with_neck('GlobalAveragePooling'))


def test_a_segmentors_transform_is_its_neck() -> None:
    student = one_map(SEGMENTOR)
    recipe = choose('norm', student, student, cfg())
    assert (recipe.architecture['neck']['pool'], 'head' in recipe.architecture) == (False, False)
    with pytest.raises(ConfigError, match="takes the place of a segmentor's neck, and this one has a FPN"):
        choose('norm', student, student, with_neck('FPN'))


def test_a_detectors_transforms_stand_behind_the_convolutions_of_its_levels() -> None:
    student, teacher = detector(), detector(channels=16, strides=(8, 16, 32))
    with pytest.raises(ConfigError, match="convolutions that give a neck's levels, which those of Conv2d are not"):
        choose('norm', student, teacher, cfg())
    student.maps = [replace(level, conv=f'neck.convs.{i}') for i, level in enumerate(student.maps)]
    recipe = choose('norm', student, teacher, cfg())
    assert recipe.architecture['neck']['after'] == ['convs.1', 'convs.2']
    assert recipe.architecture['neck']['teacher_channels'] == 16
    recorders = recipe.distiller['student_recorders'].values()
    assert [recorder['source'] for recorder in recorders] == [f'neck.convs.{i}.transform.expand' for i in (1, 2)]
