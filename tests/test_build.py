"""Building parts and models: what is a mistake in a config, and what is a bug in a user's class."""

import pytest
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from torch import nn

from mmkd_ext.build import build_model, build_part, model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


class _Broken(nn.Module):
    def __init__(self, table: dict) -> None:
        super().__init__()
        self.weight = table['weight']


@pytest.mark.parametrize('build', [lambda cfg: build_part(cfg, MODELS, 'loss'), lambda cfg: build_model(cfg, 'model')])
def test_a_bug_in_the_constructor_of_a_users_class_keeps_its_type(build):
    with pytest.raises(KeyError, match='weight'):
        build(ConfigDict(type=_Broken, table={}))
    with pytest.raises(ConfigError, match=r'tabel is unknown to _Broken; the nearest is .table.'):
        build(ConfigDict(type=_Broken, tabel={}))


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
