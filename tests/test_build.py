"""Building parts and models: what is a mistake in a config, and what is a bug in a user's class."""

import re
from importlib import import_module

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DATASETS, LOOPS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner
from torch import nn
from toys import ToyModel

from mmkd_ext.build import build_model, build_part, model_config, refused, registered
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


class _Broken(nn.Module):
    def __init__(self, table: dict, size: int | None = 1) -> None:
        super().__init__()
        if size == 0:
            raise ValueError('size must not be 0')
        self.weight = table['weight'][: _rounded(size)]


def _rounded(size: int) -> int:
    return int(str(size + 1))


class _Needing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        import_module('nothing_at_all')


BUILDS = pytest.mark.parametrize(
    'build', [lambda cfg: build_part(cfg, MODELS, 'loss'), lambda cfg: build_model(cfg, 'model')]
)


@BUILDS
def test_a_bug_in_the_constructor_of_a_users_class_keeps_its_type(build):
    with pytest.raises(KeyError, match=r'weight \(while building (loss|model)\)'):
        build(ConfigDict(type=_Broken, table={}))
    with pytest.raises(TypeError, match=r'unsupported operand .* \(while building (loss|model)\)'):
        build(ConfigDict(type=_Broken, table=dict(weight=[1]), size=None))
    with pytest.raises(ConfigError, match=r'tabel is unknown to _Broken; the nearest is .table.'):
        build(ConfigDict(type=_Broken, tabel={}))


@pytest.mark.parametrize(
    ('cfg', 'words'), [(dict(table={}, size=0), 'size must not be 0'), (dict(size=1), "missing .* argument: 'table'")]
)
@BUILDS
def test_arguments_that_it_refuses_are_one_sentence(build, cfg, words):
    with pytest.raises(ConfigError, match=rf'^(loss|model).*: .*{words}'):
        build(ConfigDict(type=_Broken, **cfg))


class _Around(nn.Module):
    def __init__(self, part: dict) -> None:
        super().__init__()
        self.part = build_part(part, MODELS, 'loss.part')


def test_a_bug_in_a_part_of_a_part_keeps_its_type():
    with pytest.raises(KeyError, match=r'weight \(while building loss\.part\)'):
        build_part(dict(type=_Around, part=dict(type=_Broken, table={})), MODELS, 'loss')


def test_a_type_that_a_users_class_does_not_find_is_one_sentence():
    text = "^model cannot be built: type='Nowhere' is not registered as model in mmengine; .* need default_scope="
    with pytest.raises(ConfigError, match=text):
        build_model(ConfigDict(type=ToyModel, data_preprocessor=dict(type='Nowhere')), 'model')


class TestPackagePaths:
    """`mmkd_ext::METHOD/CONFIG.py`, in a checkout and in an installed package alike."""

    def test_mmengine_finds_a_config_by_it(self):
        cfg = get_config('mmkd_ext::cwt/faster_rcnn_r101_r50_coco.py')
        assert cfg.model.type == 'mmkd_ext.SingleTeacherDistill'

    def test_it_is_a_base_whose_parts_stay_of_their_toolbox(self, tmp_path):
        path = tmp_path / 'mine.py'
        path.write_text("_base_ = 'mmkd_ext::mini/faster_rcnn_student.py'\ntrain_dataloader = dict(batch_size=4)\n")
        cfg = Config.fromfile(path)
        assert (cfg.default_scope, cfg.train_dataloader.batch_size) == ('mmdet', 4)
        assert cfg.train_dataloader.dataset.type == 'CocoDataset'
        assert '_scope_' not in cfg.train_dataloader.dataset

    def test_a_teacher_named_by_it_is_built_by_its_toolbox(self):
        cfg = model_config('mmkd_ext::mini/faster_rcnn_teacher.py', 'model.teacher')
        assert (cfg.type, cfg['_scope_']) == ('FasterRCNN', 'mmdet')


def _sentence_of(build, *args) -> str | None:
    with pytest.raises(Exception) as error:  # noqa: PT011
        build(*args)
    return refused(error.value)


@pytest.mark.parametrize(
    ('registry', 'cfg', 'words'),
    [
        (DATASETS, dict(type='CocoDatset'), "type='CocoDatset' is not registered as dataset in mmdet; the nearest are"),
        (DATASETS, dict(type='CocoDataset', anno_file=''), "type='CocoDataset': anno_file is unknown .*'ann_file'"),
        (LOOPS, dict(type='ValLoop', dataloader={}), "type='ValLoop' cannot be built: .*missing 2 required .*'runner'"),
        (TRANSFORMS, dict(type='Resize'), "type='Resize' cannot be built: .*scale"),
        (MODELS, dict(type=_Broken, table={}, size=0), "type='_Broken' cannot be built: size must not be 0"),
        (MODELS, dict(type=_Needing), "type='_Needing' cannot be built: No module named 'nothing_at_all'"),
    ],
)  # fmt: skip
def test_what_mmengine_refuses_to_build_is_one_sentence(registry, cfg, words):
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert re.match(f'{words}.*\\.$', str(_sentence_of(registry.build, cfg)))


def test_a_data_loader_that_does_not_know_an_argument_is_named():
    loader = dict(dataset=[0], sampler=dict(type='DefaultSampler'), batchsize=4)
    expected = "type='DataLoader': batchsize is unknown to it; the nearest are 'batch_size', "
    assert _sentence_of(Runner.build_dataloader, loader).startswith(expected)


def test_a_bug_is_not_taken_for_a_refusal():
    assert _sentence_of(MODELS.build, dict(type=_Broken, table={})) is None  # a KeyError in the constructor
    assert _sentence_of(MODELS.build, dict(type=_Broken, table=dict(weight=[1]), size=None)) is None
    assert _sentence_of(int, 'x') is None  # built nothing


def test_a_registry_finds_what_its_parents_have():
    assert MODELS.get('KDLoss')  # imports what is registered
    assert {'KDLoss', 'BaseDataPreprocessor'} <= {*registered(MODELS)}
