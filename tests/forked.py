"""Run scripts in forks of a process that has imported the toolboxes, since importing takes longer than most scripts.

Each script has its own process, like a user's, except that the toolboxes are already imported (`preloaded`), but not
this package. Also, configs are written without mmengine's formatter, which takes seconds (`quick`).
"""

import multiprocessing
import os
import runpy
import socket
import sys
from collections.abc import Sequence
from multiprocessing import forkserver
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory
from unittest.mock import patch

SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(['preloaded'])
PATH = os.pathsep.join(
    [os.path.dirname(__file__), os.environ.get('PYTHONPATH', '')]
)  # so that the fork server finds the module


def run_script(
    words: list[str],
    cwd: Path,
    environment: dict[str, str],
    hidden: Sequence[str] = (),
    processes: int = 1,
    timeout: int = 300,
) -> CompletedProcess:
    """Run a Python script.

    Args:
        words: Its path and its arguments.
        cwd: The folder to run it in.
        environment: Its environment variables.
        hidden: Modules that it cannot import.
        processes: How many processes to start, as torchrun does; their output is joined.
        timeout: Seconds until all are killed.
    """
    with patch.dict(os.environ, PYTHONPATH=PATH):
        forkserver.ensure_running()
    with TemporaryDirectory() as folder, socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        job = dict(WORLD_SIZE=str(processes), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(found.getsockname()[1]))
        found.close()
        started, files = [], []
        for rank in map(str, range(processes)):
            files.append([Path(folder) / f'{name}{rank}' for name in ('stdout', 'stderr')])
            own = {**environment, **(dict(job, RANK=rank, LOCAL_RANK=rank) if processes > 1 else {})}
            started.append(SERVER.Process(target=_script, args=(words, cwd, own, hidden, files[-1])))
            started[-1].start()
        for process in started:
            process.join(timeout)
            process.kill()
            process.join()
        codes = [process.exitcode for process in started]
        printed = [''.join(file.read_text() for file in kind) for kind in zip(*files, strict=True)]
    return CompletedProcess(words, next(filter(None, codes), 0), *printed)


def _script(words: list[str], cwd: Path, environment: dict[str, str], hidden: Sequence[str], files: list[Path]) -> None:
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    multiprocessing.set_start_method('fork', force=True)  # as in a script that is started directly
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [os.path.dirname(words[0]), *environment.get('PYTHONPATH', '').split(os.pathsep), *sys.path]
    sys.argv = words
    sys.modules.update(dict.fromkeys(hidden))
    runpy.run_path(words[0], run_name='__main__')
