"""A file is replaced whole or not at all."""

from pathlib import Path

import pytest

from mmkd_ext.errors import ConfigError
from mmkd_ext.files import check_writable, replacing, write_whole


def test_a_file_is_replaced_by_text_and_by_bytes(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    for content in ('größer', b'bytes'):
        write_whole(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_has_the_folder_and_the_ending_of_the_file_that_it_replaces(tmp_path: Path) -> None:
    with replacing(tmp_path / 'config.py') as part:
        assert (part.parent, part.suffix) == (tmp_path, '.py')
        part.touch()
        assert not (tmp_path / 'config.py').exists()
    assert (tmp_path / 'config.py').exists()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'file'
    write_whole(path, b'old')

    def full(self: Path, content: bytes) -> None:
        self.touch()
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match='No space left'):
        write_whole(path, b'new')
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_tilde_is_a_name_as_for_mmengine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / '~').mkdir()
    write_whole('~/run.json', 'here')
    assert (tmp_path / '~' / 'run.json').read_text() == 'here'


def test_a_place_to_write_to_is_checked_and_nothing_is_made(tmp_path: Path) -> None:
    check_writable('--out', tmp_path / 'a' / 'b')
    check_writable('--out', tmp_path / 'a' / 'b', folder=True)
    check_writable('--out', tmp_path, folder=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match=rf'^--out {tmp_path} is a folder; name a file in it\.$'):
        check_writable('--out', tmp_path)
    (tmp_path / 'file').touch()
    for folder, path in ((True, 'file'), (True, 'file/a/b'), (False, 'file/a')):
        with pytest.raises(ConfigError, match=rf'^--out {tmp_path}/{path} cannot be written: {tmp_path}/file: Not a'):
            check_writable('--out', tmp_path / path, folder)
