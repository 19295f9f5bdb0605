"""The teacher and the student that a config names, with their weights and pixels."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from support import MINI
from toys import toy

from mmkd_ext.class_means import fingerprint
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.networks import build_proposer, build_teacher

PIXELS = dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[4, 5, 6])


@pytest.fixture
def weights(tmp_path: Path) -> str:
    path = tmp_path / 'toy.pth'
    torch.save(toy(8).state_dict(), path)
    return str(path)


def distillation(**model: Any) -> Config:
    return Config(dict(model=dict(architecture=dict(type='ToyModel', data_preprocessor=PIXELS), **model)))


def test_a_config_that_trains_the_teacher_names_it_and_its_pixels(weights: str, tmp_path: Path) -> None:
    path = tmp_path / 'plain.py'
    path.write_text(f"model = dict(type='ToyModel')\ndata_preprocessor = dict({PIXELS})\n")
    teacher, about = build_teacher(Config.fromfile(path), weights)
    assert torch.equal(teacher.head.weight, toy(8).head.weight)
    assert teacher.data_preprocessor.mean.flatten().tolist() == [1, 2, 3]
    assert about == dict(teacher='plain.py', checkpoint='toy.pth', fingerprint=fingerprint(toy(8)), changes='')


def test_a_distillation_config_names_the_checkpoint_and_the_students_pixels(weights: str) -> None:
    cfg = distillation(teacher=dict(type='ToyModel'), teacher_ckpt=weights)
    teacher, about = build_teacher(cfg, None)
    assert teacher.data_preprocessor.mean.flatten().tolist() == [1, 2, 3]
    assert (about['teacher'], about['checkpoint']) == ('ToyModel', 'toy.pth')
    own = dict(PIXELS, mean=[7, 7, 7])
    teacher, _ = build_teacher(distillation(teacher=dict(type='ToyModel', data_preprocessor=own)), weights)
    assert teacher.data_preprocessor.mean.flatten().tolist() == [7, 7, 7]


def test_the_students_pixels_replace_the_teachers_own_where_the_config_says_so(weights: str) -> None:
    own = dict(PIXELS, mean=[7, 7, 7])
    cfg = distillation(teacher=dict(type='ToyModel', data_preprocessor=own), teacher_pixels='student')
    cfg.model.data_preprocessor = dict(std=[9, 9, 9])
    teacher, about = build_teacher(cfg, weights)
    found = teacher.data_preprocessor
    assert (found.mean.flatten().tolist(), found.std.flatten().tolist()) == ([1, 2, 3], [9, 9, 9])
    assert about['changes'].startswith("in the student's pixels, mean (1, 2, 3), std (9, 9, 9)")
    cfg.model.teacher.data_preprocessor = dict(PIXELS, std=[9, 9, 9])
    assert build_teacher(cfg, weights)[1]['changes'] == ''


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (Config({}), r'the config defines no `model`'),
        (distillation(), r'the config has no model\.teacher'),
        (distillation(teacher=dict(type='ToyModel')), r'the teacher has no checkpoint: give --checkpoint FILE'),
        (
            Config(dict(model=dict(type='ToyModel', init_cfg=dict(type='Pretrained', checkpoint='x')))),
            r'has no checkpo',
        ),
    ],
)
def test_a_teacher_without_model_or_weights_is_refused(cfg: Config, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_teacher(cfg, None)


def test_a_student_must_be_that_of_a_distillation_and_have_regions() -> None:
    with pytest.raises(ConfigError, match='--proposals student needs a distillation config'):
        build_proposer(Config(dict(model=dict(type='ToyModel'))), None)
    with pytest.raises(ConfigError, match=r'^model\.architecture must be a two-stage detector, .*got ToyModel'):
        build_proposer(distillation(teacher=dict(type='ToyModel')), None)


def test_a_student_starts_alike_every_time_or_with_its_checkpoint(weights: str, tmp_path: Path) -> None:
    cfg = Config(dict(model=dict(architecture=str(MINI / 'faster_rcnn_student.py'), teacher=dict(type='ToyModel'))))
    first, about = build_proposer(cfg, None)
    assert not first.training
    assert about == f'student, as it starts: {fingerprint(first)}'
    with torch.no_grad():
        first.roi_head.bbox_head.fc_cls.bias.fill_(3)
    torch.save(first.state_dict(), tmp_path / 'epoch_1.pth')
    second, again = build_proposer(cfg, None)
    assert again == about
    loaded, about = build_proposer(cfg, str(tmp_path / 'epoch_1.pth'))
    assert about == f'student, epoch_1.pth: {fingerprint(first)}'
    assert not torch.equal(second.roi_head.bbox_head.fc_cls.bias, loaded.roi_head.bbox_head.fc_cls.bias)
    with pytest.raises(ConfigError, match=r'^--student-ckpt: .*toy\.pth does not belong to this student'):
        build_proposer(cfg, weights)
