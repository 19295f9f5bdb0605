"""Building parts and models: what is a mistake in a config, and what is a bug in a user's class."""

import pytest
from mmengine.config import ConfigDict
from torch import nn

from mmkd_ext.build import build_model, build_part
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
