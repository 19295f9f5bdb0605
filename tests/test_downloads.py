"""Files are fetched once, whole, and by one process of a machine."""

import os
import re
import socket
import sys
from pathlib import Path
from subprocess import Popen

import pytest
from file_server import cache, served
from mmengine.runner.checkpoint import CheckpointLoader
from support import ROOT

from mmkd_ext.checkpoints import load_checkpoint_file
from mmkd_ext.errors import ConfigError


class TestDownload:
    def test_a_file_is_fetched_once(self, tmp_path: Path, server: str) -> None:
        url = f'{server}/models/{served(tmp_path, "teacher_3a1f")}?download=1'
        assert CheckpointLoader.load_checkpoint(url)['a'][0] == 1
        (tmp_path / 'files' / 'teacher_3a1f.pth').unlink()
        assert CheckpointLoader.load_checkpoint(url)['a'][0] == 1
        (kept,) = cache(tmp_path)
        assert re.fullmatch(r'teacher_3a1f-[0-9a-f]{8}\.pth', kept)

    def test_two_files_of_one_name_are_two_files(self, tmp_path: Path, server: str) -> None:
        for value, folder in ((1, 'one'), (2, 'other')):
            assert load_checkpoint_file(f'{server}/{folder}/{served(tmp_path, "latest", value)}')['a'][0] == value

    @pytest.mark.parametrize(
        ('hashed', 'folder'), [(False, 'cut'), (True, 'cut'), (True, 'cut/open'), (False, 'cut/open')]
    )
    def test_a_file_that_breaks_off_is_said_and_not_kept(
        self, tmp_path: Path, server: str, hashed: bool, folder: str
    ) -> None:
        name = served(tmp_path, 'a', hashed=hashed)
        why = r'the download broke off after \d+ of' if folder == 'cut' else 'what came (has the SHA-256|is truncated)'
        for _ in range(2):
            with pytest.raises(
                ConfigError, match=rf'/{folder}/a.*\.pth cannot be fetched: {why}.*by hand and give its'
            ):
                load_checkpoint_file(f'{server}/{folder}/{name}')
            assert cache(tmp_path) == []

    def test_a_damaged_file_in_the_cache_is_fetched_again(self, tmp_path: Path, server: str) -> None:
        for hashed in (False, True):
            url = f'{server}/{served(tmp_path, "a", hashed=hashed)}'
            load_checkpoint_file(url)
            for kept in (tmp_path / 'checkpoints').iterdir():
                kept.write_bytes(kept.read_bytes()[:-100])
            assert load_checkpoint_file(url)['a'][0] == 1
        for kept in (tmp_path / 'checkpoints').iterdir():
            kept.write_bytes(kept.read_bytes()[:-100])
        for path in (tmp_path / 'files').iterdir():
            path.unlink()
        with pytest.raises(ConfigError, match=r'404.*\(in the cache, /.*/checkpoints/a-.*\.pth has the SHA-256'):
            load_checkpoint_file(url)

    def test_of_a_file_that_cannot_be_read_the_place_in_the_cache_is_named(self, tmp_path: Path, server: str) -> None:
        name = served(tmp_path, 'old', zipped=False)
        path = tmp_path / 'files' / name
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(
            ConfigError, match=r'truncated or not a PyTorch file .*; delete the cached /.*/checkpoints/old-.*\.pth to'
        ):
            load_checkpoint_file(f'{server}/{name}')

    def test_a_host_that_does_not_answer_is_said_with_the_way_out(self, tmp_path: Path, server: str) -> None:
        with pytest.raises(ConfigError, match=r'cannot be fetched: HTTP Error 404.*; download it by hand'):
            load_checkpoint_file(f'{server}/absent.pth')
        assert cache(tmp_path) == []

    @pytest.mark.slow
    def test_a_failure_in_one_process_is_raised_in_all_and_one_a_machine_fetches(
        self, tmp_path: Path, server: str
    ) -> None:
        url = f'{server}/{served(tmp_path, "a")}'
        program = """
import os, sys
import torch
from mmkd_ext.checkpoints import load_checkpoint_file
from mmkd_ext.errors import ConfigError

torch.distributed.init_process_group('gloo')
assert load_checkpoint_file(sys.argv[1])['a'][0] == 1
torch.distributed.barrier()
try:
    load_checkpoint_file(sys.argv[1] + 'x')
except ConfigError as error:
    assert '404' in str(error)
else:
    raise AssertionError
torch.distributed.destroy_process_group()
"""
        base = dict(
            os.environ, WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()), PYTHONPATH=str(ROOT)
        )
        command = [sys.executable, '-c', program, url]
        ranks = [Popen(command, env=dict(base, RANK=rank, LOCAL_RANK=rank), cwd=ROOT) for rank in '01']
        assert [process.wait(120) for process in ranks] == [0, 0]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]
