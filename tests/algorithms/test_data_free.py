import pytest
from mmengine.registry import MODELS

from mmkd_ext.algorithms.data_free import data_free_distillation
from mmkd_ext.errors import ConfigError, sentence
from mmkd_ext.registry import MODELS as OURS


@pytest.mark.parametrize('name', ['DataFreeDistillation', 'DAFLDataFreeDistillation'])
def test_data_free_distillation_is_refused_by_name(name: str) -> None:
    assert OURS.get(name) is data_free_distillation
    with pytest.raises(ConfigError) as error:
        MODELS.build(dict(type=f'mmkd_ext.{name}', generator=dict(type='DAFLGenerator'), teachers={}))
    assert sentence(error.value).startswith('model.type: distillation without data is not offered here')
