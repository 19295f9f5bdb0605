import os
import re
import socket
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint, load_from_local
from support import ROOT
from torch import Tensor
from toys import batch, toy

from mmkd_ext.build import build_part
from mmkd_ext.compat import import_mmrazor, install, load_checkpoint_file, plain
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


def hub_with_history(name: str) -> MessageHub:
    hub = MessageHub(name)
    for value in (1.5, 0.25, 3.0):
        hub.update_scalar('train/loss', value, count=2)
    hub.update_scalar('train/lr', 0.1)
    hub.update_scalar('train/time', 9.0, resumed=False)
    hub.update_info('iter', 3)
    hub.update_info('best_score', np.float64(0.5))
    hub.update_info('not_kept', object(), resumed=False)
    return hub


def assert_same_history(found: MessageHub, expected: MessageHub) -> None:
    assert list(found.log_scalars) == ['train/loss', 'train/lr']
    for name, buffer in found.log_scalars.items():
        original = expected.log_scalars[name]
        for ours, theirs in zip(buffer.data, original.data, strict=True):
            assert isinstance(ours, np.ndarray)
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        assert buffer.max_length == original.max_length
    assert found.get_info('iter') == 3
    assert found.get_info('best_score') == 0.5


class OnDevice(Tensor):
    """Like a tensor in GPU memory: no array can be had of it before it is copied to the host."""

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("can't convert cuda tensor to numpy. Use Tensor.cpu() first.")

    def cpu(self, *args: Any) -> Tensor:
        return self.as_subclass(Tensor)

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.as_subclass(Tensor)


class TestMessageHub:
    def test_a_saved_history_is_read_back_by_the_safe_loader(self, tmp_path: Path) -> None:
        hub, path = hub_with_history('saved'), tmp_path / 'hub.pth'
        torch.save(hub.state_dict(), path)
        other = MessageHub('loaded')
        other.load_state_dict(torch.load(path, weights_only=True))
        assert_same_history(other, hub)

    def test_it_can_be_saved_and_read_again_and_again(self, tmp_path: Path) -> None:
        hub, path = hub_with_history('first'), tmp_path / 'hub.pth'
        for i in range(3):
            torch.save(hub.state_dict(), path)
            hub = MessageHub(f'again_{i}')
            hub.load_state_dict(torch.load(path, weights_only=True))
        assert_same_history(hub, hub_with_history('compare'))
        hub.update_scalar('train/loss', 7.0)
        assert hub.get_scalar('train/loss').data[0].tolist() == [1.5, 0.25, 3.0, 7.0]

    @pytest.mark.slow
    def test_the_file_is_read_where_this_package_is_not_imported(self, tmp_path: Path) -> None:
        path = tmp_path / 'epoch_1.pth'
        torch.save(dict(state_dict=toy(1).state_dict(), message_hub=hub_with_history('stock').state_dict()), path)
        program = f"""
import sys, torch
hub = torch.load({str(path)!r}, weights_only=True)['message_hub']
assert hub['log_scalars']['train/loss']['log'].tolist() == [1.5, 0.25, 3.0]
assert hub['runtime_info']['best_score'] == 0.5
assert 'mmkd_ext' not in sys.modules and 'mmengine' not in sys.modules
"""
        subprocess.run([sys.executable, '-c', program], check=True, cwd=tmp_path)

    def test_saving_leaves_the_hub_as_it_is(self) -> None:
        hub = hub_with_history('kept')
        hub.state_dict()
        assert isinstance(hub.get_scalar('train/loss'), HistoryBuffer)
        assert isinstance(hub.get_info('best_score'), np.float64)

    def test_an_empty_hub_survives(self) -> None:
        other = MessageHub('was_empty')
        other.load_state_dict(MessageHub('empty').state_dict())
        assert not other.log_scalars

    def test_states_with_history_buffers_are_still_taken(self) -> None:
        buffer = HistoryBuffer([1.0, 2.0], [1, 1])
        hub = MessageHub('old')
        state = dict(log_scalars=OrderedDict(loss=buffer), runtime_info={}, resumed_keys=dict(loss=True))
        hub.load_state_dict(state)
        assert hub.get_scalar('loss') is buffer
        hub.load_state_dict(hub_with_history('instance'))
        assert hub.get_scalar('train/loss').data[0].tolist() == [1.5, 0.25, 3.0]

    def test_a_history_that_was_loaded_to_a_gpu_is_taken(self) -> None:
        state = hub_with_history('host').state_dict()
        for scalar in state['log_scalars'].values():
            for name in ('log', 'count'):
                scalar[name] = scalar[name].as_subclass(OnDevice)
        hub = MessageHub('from_gpu')
        hub.load_state_dict(state)
        assert hub.get_scalar('train/loss').data[0].tolist() == [1.5, 0.25, 3.0]

    @pytest.mark.parametrize('key', ['log_scalars', 'runtime_info', 'resumed_keys'])
    def test_a_state_without_one_of_its_keys_is_refused_as_by_mmengine(self, key: str) -> None:
        state = hub_with_history('whole').state_dict()
        del state[key]
        with pytest.raises(AssertionError, match=key):
            MessageHub('part').load_state_dict(state)


class TestPlain:
    def test_numpy_values_become_tensors_and_numbers_at_any_depth(self) -> None:
        found = plain({'a': [np.int64(3), (np.bool_(True), {'b': np.arange(3)})], 'c': np.str_('x'), 'd': None})
        assert found['a'][0] == 3
        assert type(found['a'][0]) is int
        assert found['a'][1][0] is True
        assert torch.equal(found['a'][1][1]['b'], torch.arange(3))
        assert type(found['c']) is str
        assert found['d'] is None

    def test_arrays_are_copied(self) -> None:
        array = np.zeros(2)
        plain(array).fill_(1)
        assert not array.any()


class Witness:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


class TestCheckpointFiles:
    def old_file(self, path: Path) -> Path:
        """A training checkpoint as mmengine 0.10 writes it without this package."""
        hub = hub_with_history('old_file')
        history = OrderedDict((name, hub.get_scalar(name)) for name in ('train/loss', 'train/lr'))
        info = OrderedDict(iter=3, best_score=np.float64(0.5), loop=np.arange(3), flag=np.bool_(True))
        state = dict(log_scalars=history, runtime_info=info, resumed_keys={'train/loss': True, 'train/lr': True})
        torch.save(dict(state_dict=toy(8).state_dict(), message_hub=state, meta=dict(epoch=1)), path)
        return path

    def test_old_files_with_history_buffers_are_read_by_mmengines_loader(self, tmp_path: Path) -> None:
        path = self.old_file(tmp_path / 'epoch_1.pth')
        state = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        hub = MessageHub('resumed')
        hub.load_state_dict(state['message_hub'])
        assert_same_history(hub, hub_with_history('as_it_was'))
        assert hub.get_scalar('train/loss').mean() == HistoryBuffer([1.5, 0.25, 3.0], [2, 2, 2]).mean()

    @pytest.mark.slow
    def test_they_are_read_by_a_process_that_made_no_history_itself(self, tmp_path: Path) -> None:
        path = self.old_file(tmp_path / 'epoch_1.pth')
        program = f"""
import mmkd_ext
from mmengine.runner.checkpoint import CheckpointLoader
hub = CheckpointLoader.load_checkpoint({str(path)!r})['message_hub']
assert hub['log_scalars']['train/loss'].statistics('max') == 3.0
"""
        subprocess.run([sys.executable, '-c', program], check=True, cwd=ROOT)

    def test_mmengines_load_checkpoint_reads_them_into_a_model(self, tmp_path: Path) -> None:
        model = toy(1)
        load_checkpoint(model, str(self.old_file(tmp_path / 'epoch_1.pth')), strict=True)
        assert torch.equal(model.head.weight, toy(8).head.weight)

    def test_allowing_history_buffers_does_not_allow_other_attributes(self, tmp_path: Path) -> None:
        path = tmp_path / 'evil.pth'

        class Reach:
            def __reduce__(self) -> tuple:
                return getattr, (HistoryBuffer, '__init__')

        torch.save(dict(state_dict={}, reach=Reach()), path)
        with pytest.raises(ConfigError):
            load_checkpoint_file(str(path))

    @pytest.mark.parametrize('load', [CheckpointLoader.load_checkpoint, load_checkpoint_file])
    def test_a_file_that_would_run_code_is_refused_by_name_and_runs_nothing(self, tmp_path: Path, load: Any) -> None:
        path, witness = tmp_path / 'evil.pth', tmp_path / 'witness'
        torch.save(dict(state_dict={}, hook=Witness(witness)), path)
        with pytest.raises(ConfigError, match=r'evil\.pth holds pickled code \(posix\.mkdir\)'):
            load(str(path))
        assert not witness.exists()

    def test_an_absent_file_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r'the checkpoint no/such\.pth does not exist'):
            CheckpointLoader.load_checkpoint('no/such.pth')

    def test_the_home_folder_may_be_abbreviated(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('HOME', str(tmp_path))
        torch.save({'a': torch.ones(2)}, tmp_path / 'a.pth')
        assert list(load_checkpoint_file('~/a.pth')) == ['a']

    def test_map_location_is_heeded(self, tmp_path: Path) -> None:
        torch.save({'a': torch.ones(2)}, tmp_path / 'a.pth')
        assert load_checkpoint_file(str(tmp_path / 'a.pth'), map_location='meta')['a'].is_meta

    def test_other_schemes_stay_mmengines(self) -> None:
        for path in ('torchvision://resnet18', 'open-mmlab://resnet50', 's3://bucket/a.pth'):
            assert CheckpointLoader._get_checkpoint_loader(path).__module__.startswith('mmengine.')
        assert CheckpointLoader._get_checkpoint_loader('a.pth') is load_checkpoint_file
        assert CheckpointLoader._get_checkpoint_loader('a.pth') is not load_from_local
        assert CheckpointLoader._get_checkpoint_loader('https://host/a.pth') is load_checkpoint_file


class Server(BaseHTTPRequestHandler):
    """Gives the files of a folder; `/cut/` breaks off in the middle, `/open/` does not say how long they are."""

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


def served(tmp_path: Path, name: str, value: float = 1.0, hashed: bool = False, zipped: bool = True) -> str:
    """The name of a file that the server has; with the hash of its content where wanted."""
    path = tmp_path / 'files' / f'{name}.pth'
    torch.save({'a': torch.full((500,), value)}, path, _use_new_zipfile_serialization=zipped)
    if hashed:
        path = path.rename(path.with_name(f'{name}-{sha256(path.read_bytes()).hexdigest()[:8]}.pth'))
    return path.name


def cache(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / 'checkpoints').iterdir())


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
        why = r'it broke off after \d+ of \d+ bytes' if folder == 'cut' else 'what came (has the SHA-256|is truncated)'
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
            ConfigError, match=r'truncated or not a PyTorch file .*; delete /.*/checkpoints/old-.*\.pth, whe'
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
from mmkd_ext.compat import load_checkpoint_file
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


class TestSchemes:
    def test_addresses_of_mmengines_schemes_are_looked_up_and_fetched(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urls = dict(net=f'{server}/{served(tmp_path, "net")}')
        for name in ('get_torchvision_models', 'get_external_models', 'get_mmcls_models'):
            monkeypatch.setattr(f'mmengine.runner.checkpoint.{name}', lambda: dict(urls))
        for scheme in ('torchvision', 'modelzoo', 'open-mmlab', 'openmmlab'):
            assert load_checkpoint_file(f'{scheme}://net')['a'][0] == 1
        assert load_checkpoint_file('mmcls://net') == dict(state_dict={})  # those of a backbone alone
        with pytest.raises(ConfigError, match=r'the checkpoint torchvision://nat: torchvision:// has no model of this'):
            load_checkpoint_file('torchvision://nat')

    @pytest.mark.parametrize('load', [CheckpointLoader.load_checkpoint, load_checkpoint_file])
    def test_they_run_no_code_either(
        self, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, load: Any
    ) -> None:
        witness = tmp_path / 'witness'
        torch.save(dict(state_dict={}, hook=Witness(witness)), tmp_path / 'files' / 'evil.pth')
        monkeypatch.setattr(
            'mmengine.runner.checkpoint.get_torchvision_models', lambda: dict(evil=f'{server}/evil.pth')
        )
        with pytest.raises(ConfigError, match=r'evil\.pth holds pickled code \(posix\.mkdir\)'):
            load('torchvision://evil')
        assert not witness.exists()

    def test_object_storage_is_read_by_its_own_backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, witness = tmp_path / 'a.pth', tmp_path / 'witness'
        torch.save({'a': torch.ones(2)}, path)
        backend = SimpleNamespace(get=lambda address: path.read_bytes())
        monkeypatch.setattr('mmengine.runner.checkpoint.get_file_backend', lambda *_, **__: backend)
        for address in ('s3://bucket/a.pth', 'petrel://bucket/a.pth', 'cluster:s3://bucket/a.pth'):
            assert list(load_checkpoint_file(address)) == ['a']
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ConfigError, match=r'the checkpoint s3://bucket/a\.pth cannot be loaded \('):
            load_checkpoint_file('s3://bucket/a.pth')
        torch.save(Witness(witness), path)
        with pytest.raises(ConfigError, match=r's3://bucket/a\.pth holds pickled code \(posix\.mkdir\)'):
            load_checkpoint_file('s3://bucket/a.pth')
        assert not witness.exists()

    def test_a_scheme_without_its_client_and_one_that_nobody_knows_are_named(self) -> None:
        with pytest.raises(ConfigError, match=r'the checkpoint s3://bucket/a\.pth cannot be loaded \(.*petrel'):
            load_checkpoint_file('s3://bucket/a.pth')
        with pytest.raises(ConfigError, match=r"torchvison:// is not a known scheme; the nearest is 'torchvision'"):
            load_checkpoint_file('torchvison://resnet18')


def test_installing_twice_changes_nothing_more() -> None:
    before = MessageHub.state_dict, MessageHub.load_state_dict, dict(CheckpointLoader._schemes)
    install()
    assert (MessageHub.state_dict, MessageHub.load_state_dict, dict(CheckpointLoader._schemes)) == before


class TestMMRazor:
    def test_all_parts_that_a_config_can_name_are_imported(self) -> None:
        mmrazor = import_mmrazor()
        assert mmrazor.__version__ == '1.0.0'
        assert {'ConfigurableDistiller', 'SingleTeacherDistill', 'PKDLoss'} <= set(mmrazor.registry.MODELS.module_dict)
        assert 'ModuleOutputsRecorder' in mmrazor.registry.TASK_UTILS.module_dict
        assert 'StopDistillHook' in mmrazor.registry.HOOKS.module_dict
        assert 'SingleTeacherDistillValLoop' in mmrazor.registry.LOOPS.module_dict

    def test_where_it_does_not_import_the_reason_is_given(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, 'mmrazor.models', None)
        with pytest.raises(ConfigError, match=r'does not import here \(ModuleNotFoundError: .*mmrazor\.models'):
            import_mmrazor()
        with pytest.raises(ConfigError, match='does not import here'):
            build_part(dict(type='mmrazor.PKDLoss'), MODELS, 'key')

    def test_without_it_a_mistyped_name_is_still_answered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, 'mmrazor.models', None)
        with pytest.raises(ConfigError, match=r"^key\.type='KDLos' is not registered; the nearest .*'KDLoss'"):
            build_part(dict(type='KDLos'), MODELS, 'key')

    def test_our_parts_train_in_its_engine_and_give_the_same_losses(self) -> None:
        """A connector and two losses of this package, named with their scope in MMRazor's own algorithm."""
        mmrazor = import_mmrazor()
        head = dict(type='ModuleOutputs', source='head')
        neck = dict(type='ModuleOutputs', source='neck')
        sides = [dict(from_student=side, recorder='head') for side in (True, False)]
        maps = [dict(from_student=side, recorder='neck') for side in (True, False)]
        maps[0]['connector'] = 'mlp'
        distiller = dict(
            type='ConfigurableDistiller',
            student_recorders=dict(head=head, neck=neck),
            teacher_recorders=dict(head=head, neck=neck),
            connectors=dict(mlp=dict(type='mmkd_ext.ChannelMLPConnector', in_channels=4, out_channels=6)),
            distill_losses=dict(
                loss_kd=dict(type='mmkd_ext.KDLoss', tau=2.0), loss_cwt=dict(type='mmkd_ext.CWTLoss', alpha=0.01)
            ),
            loss_forward_mappings=dict(
                loss_kd=dict(zip(('student', 'teacher'), sides, strict=True)),
                loss_cwt=dict(zip(('student', 'teacher'), maps, strict=True)),
            ),
        )
        models = []
        for scope in ('mmrazor', 'mmkd_ext'):
            cfg = dict(
                type=f'{scope}.SingleTeacherDistill',
                architecture=toy(1),
                teacher=toy(2, width=6),
                distiller=distiller,
            )
            torch.manual_seed(4)
            with DefaultScope.overwrite_default_scope(scope):
                models.append(ROOT_MODELS.build(cfg))
        theirs, ours = models
        assert type(theirs.distiller) is mmrazor.models.ConfigurableDistiller
        ours.distiller.connectors.load_state_dict(theirs.distiller.connectors.state_dict())
        for model in models:
            model.train()
        expected, found = (model(**batch(), mode='loss') for model in models)
        assert set(found) == set(expected)
        assert {'distill.loss_kd', 'distill.loss_cwt', 'student.loss_cls'} <= set(found)
        torch.testing.assert_close(found, expected)
        grads = []
        for model, losses in zip(models, (expected, found), strict=True):
            sum(value for name, value in losses.items() if 'loss' in name).backward()
            student = model.architecture
            grads.append([p.grad for p in (*student.parameters(), *model.distiller.connectors.parameters())])
        torch.testing.assert_close(grads[1], grads[0])
