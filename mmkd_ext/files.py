"""Files that are written completely or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mmkd_ext.errors import ConfigError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A context with a temporary path to write to, which replaces `path` atomically when the block ends.

    After an error, or if the process is killed meanwhile, the old file stays as it was. Several processes may write the
    same file. The temporary path is in the same folder and has the suffix of `path`.
    """
    path = Path(path)
    part = path.with_name(f'.{uuid4().hex}.{path.name}')
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Replace a file atomically, see `replacing`; text is written in UTF-8."""
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def check_writable(name: str, path: str | Path, folder: bool = False) -> None:
    """Check that a file, or files in a folder, can be written, before the work whose result they get.

    Args:
        name: The option that names it, for messages.
        path: The file or folder; it and its parent folders need not exist, and are not created.
        folder: Whether it is a folder.

    Raises:
        ConfigError: If it cannot be written.
    """
    path = Path(path)
    there = path if folder else path.parent
    try:
        if not folder and path.is_dir():
            raise ConfigError(f'{name} {path} is a folder; name a file in it.')
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ConfigError(f'{name} {path} cannot be written: {there}: {error.strerror or error}.') from None
