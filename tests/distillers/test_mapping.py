"""What a mapping says, as data."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from torch import Tensor, nn

from mmkd_ext.distillers.mapping import (
    Argument,
    Parts,
    Source,
    levels_of,
    needed_records,
    parse_argument,
    parse_mappings,
    sources_of,
)
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager


class Loss(nn.Module):
    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None = None) -> Tensor: ...


class Fusion(nn.Module):
    takes_levels = True


def recorders(*names: str) -> RecorderManager:
    return RecorderManager({name: dict(type='ModuleOutputs', source=name) for name in names})


def parts() -> Parts:
    each = nn.ModuleList([nn.Identity(), nn.Identity()])
    connectors = nn.ModuleDict(dict(each=each, same=nn.Identity(), fuse=Fusion()))
    return Parts(nn.ModuleDict(dict(loss_a=Loss())), connectors, recorders('neck', 'head'), recorders('fpn'))


def argument(**entry: Any) -> Argument:
    return parse_argument(dict(entry), 'key', parts())


def test_without_a_list_it_is_one_value() -> None:
    found = argument(from_student=True, recorder='neck')
    assert found == Argument((Source(True, 'neck'),), listed=False, fused=False)
    assert not found.has_levels
    assert found.at(3) == Source(True, 'neck'), 'given to every level'


@pytest.mark.parametrize(
    ('entry', 'sources'),
    [
        (dict(recorder='neck', data_idx=[0, 2]), [('neck', 0, 0, None), ('neck', 0, 2, None)]),
        (dict(recorder=['neck', 'head']), [('neck', 0, None, None), ('head', 0, None, None)]),
        (dict(recorder='neck', record_idx=(1, -1)), [('neck', 1, None, None), ('neck', -1, None, None)]),
        (dict(recorder='neck', connector=['same', None]), [('neck', 0, None, 'same'), ('neck', 0, None, None)]),
        (
            dict(recorder='neck', data_idx=[0, 1], connector='each'),
            [('neck', 0, 0, 'each'), ('neck', 0, 1, 'each')],
        ),
        (dict(recorder='neck', data_idx=['p3']), [('neck', 0, 'p3', None)]),
    ],
)
def test_a_list_under_any_key_makes_a_source_per_level(entry: dict, sources: list) -> None:
    found = argument(from_student=True, **entry)
    assert found.listed
    assert [(s.recorder, s.record_idx, s.data_idx, s.connector) for s in found.sources] == sources
    assert [found.at(i) for i in range(len(sources))] == list(found.sources)


def test_a_connector_that_takes_all_levels_makes_levels_without_a_list_too() -> None:
    whole = argument(from_student=False, recorder='fpn', connector='fuse')
    assert (whole.listed, whole.fused, whole.has_levels) == (False, True, True)
    listed = argument(from_student=False, recorder='fpn', data_idx=[0, 1], connector='fuse')
    assert (listed.listed, listed.fused) == (True, True)


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        (dict(recorder='neck', connector='each'), r'levels=2, but the mapping names no list of levels'),
        (dict(recorder='neck', data_idx=[0, 1, 2], connector='each'), r'levels=2, but the mapping names 3 levels'),
        (dict(recorder='neck', connector=['fuse', 'fuse']), r"key\.connector='fuse' takes all levels at once"),
        (dict(recorder='neck', connector='fuse', connector_idx=0), r'remove connector_idx'),
        (dict(recorder='fpn'), r"key\.recorder: .*no 'fpn'"),
    ],
)
def test_what_does_not_fit_the_parts_is_refused(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        argument(from_student=True, **entry)


MAPPINGS = dict(
    loss_a=dict(
        student=dict(from_student=True, recorder='neck', data_idx=[0, 1], record_idx=[0, 2]),
        teacher=dict(from_student=False, recorder='fpn', data_idx=[0, 1], record_idx=-1),
        labels=dict(from_student=True, recorder='head'),
    )
)


def test_the_wiring_gives_levels_sources_and_the_records_that_are_needed() -> None:
    wiring = parse_mappings(MAPPINGS, parts())
    levels = [
        (name, {arg: (s.recorder, s.data_idx) for arg, s in sources.items()}) for name, sources in levels_of(wiring)
    ]
    assert levels == [
        ('loss_a', dict(student=('neck', i), teacher=('fpn', i), labels=('head', None))) for i in range(2)
    ]
    assert len(list(sources_of(wiring))) == 5
    assert needed_records(wiring, from_student=True) == dict(neck=3, head=1)
    assert needed_records(wiring, from_student=False) == dict(fpn=None), 'counted from the end'


def test_it_is_read_once_and_not_changed() -> None:
    source = argument(from_student=True, recorder='neck').sources[0]
    with pytest.raises(FrozenInstanceError):
        source.recorder = 'head'  # type: ignore[misc]
    assert str(argument(from_student=True, recorder='neck', data_idx=[0, 1], connector='each')) == (
        "student recorder 'neck'[0] through connector 'each', student recorder 'neck'[1] through connector 'each'"
    )
