"""Files that are written completely or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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
