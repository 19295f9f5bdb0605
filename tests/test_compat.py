import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from support import ROOT
from torch import Tensor
from toys import batch, toy

from mmkd_ext.build import build_part
from mmkd_ext.compat import import_mmrazor, install, plain
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


class TestOldFiles:
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
        with pytest.raises(ConfigError, match=r'fails to import here \(ModuleNotFoundError: .*mmrazor\.models'):
            import_mmrazor()
        with pytest.raises(ConfigError, match='fails to import here'):
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
