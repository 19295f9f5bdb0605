"""Fixtures of the tests that run real models: tiny digit scenes, a teacher's weights, commands as a user types them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from file_server import Server
from forked import run_script
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from quick import quicken
from support import MINI, ROOT

quicken()


@pytest.fixture(autouse=True)
def _nothing_left_of_runs() -> Iterator[None]:
    """Remove what other tests' runs left behind: the default scope, the classes of the data set."""
    kept = [(manager, dict(manager._instance_dict)) for manager in (DefaultScope, MessageHub)]
    yield
    for manager, instances in kept:
        manager._instance_dict.clear()
        manager._instance_dict.update(instances)


@pytest.fixture(scope='session')
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few scenes for teachers, for students and for validation, and single digits, in every format."""
    out = tmp_path_factory.mktemp('data') / 'digit_scenes'
    scenes = ['--teacher', '24', '--train', '24', '--val', '8']
    singles = ['--singles-teacher', '40', '--singles-train', '40', '--singles-val', '20']
    command = [sys.executable, str(ROOT / 'tools' / 'dataset' / 'digit_scenes.py'), '--out', str(out)]
    subprocess.run([*command, *scenes, *singles], check=True, capture_output=True)
    return out


@pytest.fixture(scope='session')
def command() -> Callable[..., subprocess.CompletedProcess]:
    """Runs a command of tools/ (or any script) with this python, from the repository's root; captures its output.

    A Python script runs in a fork (see `forked.run_script`, which takes `hidden` and `processes`) unless `fresh=True`.
    """

    def run(
        *arguments: object,
        timeout: int = 300,
        fresh: bool = False,
        hidden: Sequence[str] = (),
        processes: int = 1,
        **environment: str,
    ) -> subprocess.CompletedProcess:
        path = os.pathsep.join([str(ROOT), str(ROOT / 'tests' / 'runs'), os.environ.get('PYTHONPATH', '')])
        env = {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable, **environment}
        words = [str(argument) for argument in arguments]
        if words[0].endswith('.py'):
            if not fresh:
                return run_script(words, ROOT, env, hidden, processes, timeout)
            words.insert(0, sys.executable)
        return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout)

    return run


@pytest.fixture(scope='session')
def teacher_ckpt(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Random weights of a teacher config, as a checkpoint."""
    import torch

    from mmkd_ext.build import build_model, model_config

    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp('teacher') / f'{name}.pth'
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model(model_config(str(MINI / f'{name}.py'), 'model.teacher'), 'model.teacher')
        torch.save(dict(state_dict=model.state_dict()), path)
        return path

    return make


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a local server of tmp_path/'files', with an empty cache at tmp_path/'checkpoints'."""
    (tmp_path / 'files').mkdir()
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    handler = type('Handler', (Server,), dict(folder=tmp_path / 'files', do_GET=Server.answer))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as http:
        thread = Thread(target=http.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        yield f'http://127.0.0.1:{http.server_port}'
        http.shutdown()
        thread.join()
