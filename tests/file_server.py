"""Checkpoint files behind URLs of a server of this machine; the fixture `server` starts it."""

from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import torch


class Server(BaseHTTPRequestHandler):
    """Serves the files of a folder; `/cut/` breaks off in the middle, `/open/` does not give their length."""

    folder: Path

    def answer(self) -> None:
        path = self.folder / Path(self.path.partition('?')[0]).name
        if not path.exists():
            return self.send_error(404)
        content = path.read_bytes()
        self.send_response(200)
        if '/open/' not in self.path:
            self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if '/cut/' in self.path else content)
        return None

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def served(tmp_path: Path, name: str, value: float = 1.0, hashed: bool = False, zipped: bool = True) -> str:
    """The name of a file on the server, with the hash of its content if wanted."""
    path = tmp_path / 'files' / f'{name}.pth'
    torch.save({'a': torch.full((500,), value)}, path, _use_new_zipfile_serialization=zipped)
    if hashed:
        path = path.rename(path.with_name(f'{name}-{sha256(path.read_bytes()).hexdigest()[:8]}.pth'))
    return path.name


def cache(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / 'checkpoints').iterdir())
