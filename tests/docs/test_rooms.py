"""docs/rooms.md names what is there."""

import ast
import re

import pytest
from support import ROOT

PAGE = (ROOT / 'docs' / 'rooms.md').read_text()
PACKAGE = ROOT / 'mmkd_ext'


@pytest.mark.parametrize('name', sorted({*re.findall(r'`(mmkd_ext/[\w./]+)`', PAGE)}))
def test_a_file_that_a_row_names_is_there(name: str) -> None:
    assert (ROOT / name).exists()


NAMED = re.findall(r'`(mmkd_ext/[\w./]+\.py)` \(((?:`\w+`(?:, )?)+)', PAGE)


@pytest.mark.parametrize(('file', 'names'), NAMED, ids=[file for file, _ in NAMED])
def test_a_function_that_a_row_names_is_in_its_file(file: str, names: str) -> None:
    kinds = (ast.FunctionDef, ast.ClassDef)
    there = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, kinds)}
    assert {*re.findall(r'\w+', names)} <= there


def test_each_room_has_its_floor() -> None:
    (floors,) = re.findall(r'```text\n(.*?)```', PAGE, re.DOTALL)
    named = {name.rstrip('/') for line in floors.splitlines() for name in re.findall(r'\w+(?:\.py|/)', line[:75])}
    rooms = {path.name for path in PACKAGE.iterdir() if path.suffix == '.py' or (path / '__init__.py').is_file()}
    assert named == rooms - {'__init__.py', 'version.py'}
