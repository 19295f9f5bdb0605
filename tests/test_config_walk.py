"""What entries of configs build, whoever wrote them and however deep they lie."""

from typing import Any

import pytest
from mmengine.hooks import EMAHook

from mmkd_ext.config_walk import distillers_in, innermost, is_ours, named, our_type, types_in
from mmkd_ext.losses import KDLoss


@pytest.mark.parametrize(
    ('entry', 'expected'),
    [
        (dict(type='mmkd_ext.KDLoss'), ('mmkd_ext', 'KDLoss')),
        (dict(type='KDLoss', _scope_='mmkd_ext'), ('mmkd_ext', 'KDLoss')),
        (dict(type=KDLoss), ('mmkd_ext', 'KDLoss')),
        (dict(type='mmrazor.KDLoss', _scope_='mmdet'), ('mmrazor', 'KDLoss')),
        (dict(type=EMAHook), ('mmengine', 'EMAHook')),
        (dict(type='EMAHook'), (None, 'EMAHook')),
        (dict(loss='KDLoss'), (None, '')),
        ('mmkd_ext.KDLoss', (None, '')),
    ],
)
def test_what_an_entry_builds_is_said_by_prefix_scope_or_class(entry: Any, expected: tuple) -> None:
    assert named(entry) == expected
    ours = expected[0] == 'mmkd_ext'
    assert is_ours(entry) == ours
    assert our_type(entry) == (expected[1] if ours else None)


def test_what_lies_deep_is_found() -> None:
    entry = dict(type='A', hooks=[dict(type='mmkd_ext.B'), (dict(type='mmrazor.C', part=dict(type='mmdet.D')),)])
    assert list(types_in(entry)) == ['A', 'B', 'C', 'D']
    assert list(distillers_in(entry)) == ['mmkd_ext', 'mmrazor']


def test_the_data_sets_inside_of_wrappers_are_found_with_their_keys() -> None:
    inner = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[dict(type='A'), dict(type='B')]))
    keys = [key for _, key in innermost(inner, 'train_dataloader.dataset')]
    assert keys == [f'train_dataloader.dataset.dataset.datasets[{i}]' for i in range(2)]
    assert list(innermost(None)) == []
