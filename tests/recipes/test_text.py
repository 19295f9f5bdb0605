"""The written file: how it is laid out, what it names, and that nothing is overwritten."""

from pathlib import Path

import pytest

from mmkd_ext.errors import ConfigError
from mmkd_ext.recipes import write
from mmkd_ext.recipes.text import WIDTH, written
from mmkd_ext.recipes.wants import Code


def test_what_is_long_is_broken_and_means_the_same() -> None:
    value = {'*': Code('base'), 'a': dict(b=['x' * 30] * 3, c=dict(d=1.5, e=True)), 'f': dict(g='y' * 60, h=(1, 2))}
    text = written(value)
    assert '\n' in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert eval(text, dict(base=dict(z=0))) == dict(z=0, a=value['a'], f=value['f'])


def test_a_file_with_the_same_content_is_left_and_any_other_refused(tmp_path: Path) -> None:
    path = tmp_path / 'made' / 'x.py'
    assert write('a = 1\n', path)
    before = path.stat().st_mtime_ns
    assert not write('a = 1\n', path)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=f'^{path} is there already, with other content; train it as it is'):
        write('a = 2\n', path)
    assert path.read_text() == 'a = 1\n'
    assert [file.name for file in path.parent.iterdir()] == ['x.py']
