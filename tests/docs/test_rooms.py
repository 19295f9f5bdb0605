"""docs/rooms.md names what is there."""

import re

import pytest
from support import ROOT

PAGE = (ROOT / 'docs' / 'rooms.md').read_text()
PACKAGE = ROOT / 'mmkd_ext'


@pytest.mark.parametrize('name', sorted({*re.findall(r'`(mmkd_ext/[\w./]+)`', PAGE)}))
def test_a_file_that_a_row_names_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_each_room_has_its_floor() -> None:
    (floors,) = re.findall(r'```text\n(.*?)```', PAGE, re.DOTALL)
    named = {name.rstrip('/') for line in floors.splitlines() for name in re.findall(r'\w+(?:\.py|/)', line[:75])}
    rooms = {path.name for path in PACKAGE.iterdir() if path.suffix == '.py' or (path / '__init__.py').is_file()}
    assert named == rooms - {'__init__.py', 'version.py'}
