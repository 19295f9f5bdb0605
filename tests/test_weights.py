"""The weights in a checkpoint, by the names that they have in a model."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.weights import load_weights, weights_of


def names(keys: list[str], **options: Any) -> list[str]:
    return list(weights_of(dict(state_dict={key: torch.zeros(1) for key in keys}), 'a.pth', **options))


def test_what_stands_in_front_of_names_is_taken_off() -> None:
    theirs = ['architecture.neck.weight', 'teacher.neck.weight', 'distiller.connectors.a.weight']
    for keys in (theirs, [f'module.{key}' for key in theirs]):
        assert names(keys) == ['neck.weight']
        assert names(keys, without=('teacher.',)) == ['neck.weight', 'distiller.connectors.a.weight']
        assert names(keys, prefix='teacher.') == ['neck.weight']
        assert names(keys, prefix='neck') == ['weight']
    with pytest.raises(ConfigError, match=r"^a\.pth holds no weights whose names begin with 'head\.'"):
        names(theirs, prefix='head')


def test_versions_of_modules_are_kept() -> None:
    found = OrderedDict({'module.norm.weight': torch.zeros(1)})
    found._metadata = OrderedDict({'': dict(version=1), 'module': dict(version=1), 'module.norm': dict(version=2)})
    assert weights_of(found, 'a.pth')._metadata['norm'] == dict(version=2)
    assert weights_of(found, 'a.pth', prefix='norm')._metadata[''] == dict(version=2)


@pytest.mark.parametrize('content', [[1], dict(state_dict=[1]), dict(model=dict(a=torch.zeros(1)))])
def test_what_is_no_checkpoint_is_refused(content: Any) -> None:
    with pytest.raises(ConfigError, match=r'^a\.pth holds no weights \(a dict of tensors'):
        weights_of(content, 'a.pth')


def test_weights_in_other_shapes_are_one_sentence_and_a_bug_of_the_model_is_not() -> None:
    model = nn.Linear(2, 3)
    wrong = dict(weight=torch.zeros(4, 2), bias=torch.zeros(4))
    with pytest.raises(
        ConfigError,
        match=r'^a\.pth does not fit: weight is \(4, 2\) in the file and \(3, 2\) in the model \(another number of '
        r'classes\?\); 2 weights have another shape\.$',
    ):
        load_weights(model, wrong, 'a.pth does not fit')

    def fail(*_: Any) -> None:
        raise RuntimeError('a bug')

    model.register_load_state_dict_pre_hook(fail)
    with pytest.raises(RuntimeError, match='^a bug$'):
        load_weights(model, wrong, 'a.pth does not fit')


def test_what_files_of_old_torch_lack_is_not_missing() -> None:
    weights = {name: value for name, value in nn.BatchNorm2d(2).state_dict().items() if 'tracked' not in name}
    weights.pop('bias')
    assert load_weights(nn.BatchNorm2d(2), {**weights, 'other': torch.zeros(1)}, '') == (['bias'], ['other'])
