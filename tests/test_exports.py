"""What is imported from Python: by name from its room, and no more than it needs."""

import subprocess
import sys
from types import ModuleType

import pytest
from support import ROOT

import mmkd_ext
from mmkd_ext import algorithms, connectors, distillers, hooks, losses, models, recorders
from mmkd_ext.registry import MODELS


@pytest.mark.parametrize('name', [name for name in mmkd_ext.__all__ if name != '__version__'])
def test_the_package_gives_what_it_announces(name: str) -> None:
    kind = getattr(mmkd_ext, name)
    assert isinstance(kind, type)
    assert kind.__name__ == name
    assert name == 'ClassMeans' or MODELS.get(name) is kind


def test_what_it_does_not_announce_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'SingleTeacher'"):
        mmkd_ext.SingleTeacher  # noqa: B018


@pytest.mark.parametrize(
    'room', [losses, connectors, models, recorders, distillers, algorithms, hooks], ids=lambda room: room.__name__
)
def test_a_room_exports_what_stands_in_it(room: ModuleType) -> None:
    homes = {getattr(room, name).__module__ for name in room.__all__ if name != 'BACKBONES'}
    assert homes
    assert all(home.startswith(f'{room.__name__}.') for home in homes)


@pytest.mark.parametrize('room', [losses, connectors], ids=lambda room: room.__name__)
def test_a_room_exports_the_types_that_it_registers(room: ModuleType) -> None:
    types = [name for name in room.__all__ if isinstance(getattr(room, name), type)]
    assert types
    for name in types:
        assert MODELS.get(name) is getattr(room, name)


@pytest.mark.slow
def test_an_algorithm_is_imported_when_it_is_asked_for() -> None:
    program = """
import sys
import mmkd_ext
assert not any(name.startswith('mmkd_ext.algorithms') for name in sys.modules)
from mmkd_ext import SingleTeacherDistill
print(SingleTeacherDistill.__module__)
"""
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == 'mmkd_ext.algorithms.single_teacher', done.stderr
