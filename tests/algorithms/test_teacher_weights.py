"""Checkpoints of teachers: what is loaded, and what is refused."""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from saved_toys import PATCHES, BackboneOnly, LoadsItself, same_weights, saved_with, vit
from torch import nn
from toys import ToyModel, toy

from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.algorithms.teacher_weights import load_teacher
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError


class RunsCommand:
    """A pickle of it runs a command when it is loaded."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.witness}',)


class TestLoading:
    def test_all_weights_are_loaded(self, saved: Path) -> None:
        model = toy(1)
        load_teacher(model, str(saved))
        assert same_weights(model)

    def test_a_bare_state_dict_is_taken(self, saved: Path) -> None:
        torch.save(toy(8).state_dict(), saved)
        model = toy(1)
        load_teacher(model, str(saved))
        assert same_weights(model)

    @pytest.mark.parametrize('prefix', ['module.', 'architecture.', 'module.architecture.'])
    def test_prefixes_of_wrappers_and_of_mmrazor_are_dropped(self, tmp_path: Path, prefix: str) -> None:
        path = tmp_path / 'wrapped.pth'
        torch.save(dict(state_dict={prefix + k: v for k, v in toy(8).state_dict().items()}), path)
        model = toy(1)
        load_teacher(model, str(path))
        assert same_weights(model)

    def test_a_distilled_student_can_teach(self, tmp_path: Path) -> None:
        """Connectors of its own training, and MMRazor's copy of its teacher, are left out."""
        more = dict(distiller__mlp__weight=torch.ones(2), teacher__head__weight=torch.ones(9, 9))
        model = toy(1)
        load_teacher(model, str(saved_with(tmp_path / 'student.pth', **more)))
        assert same_weights(model)

    def test_a_training_checkpoint_with_history_buffers_is_taken(self, tmp_path: Path) -> None:
        path = tmp_path / 'epoch_3.pth'
        hub = dict(
            log_scalars=OrderedDict({'train/loss': HistoryBuffer([1.5, 0.5], [1, 1])}),
            runtime_info=OrderedDict(best=np.float64(0.5), palette=np.arange(6).reshape(2, 3)),
            resumed_keys={'train/loss': True},
        )
        torch.save(dict(state_dict=toy(8).state_dict(), message_hub=hub), path)
        model = toy(1)
        load_teacher(model, str(path))
        assert same_weights(model)

    def test_a_norms_count_of_batches_may_be_absent_from_old_files(self, tmp_path: Path) -> None:
        path = saved_with(tmp_path / 'old.pth', backbone__norm__num_batches_tracked=None)
        load_teacher(toy(1), str(path))

    def test_what_a_model_does_to_weights_itself_is_done_before_they_are_judged(self, tmp_path: Path) -> None:
        """A vision transformer resizes the position embeddings of another image size, and only those."""
        path = tmp_path / 'vit.pth'
        torch.save(dict(state_dict=vit(32).state_dict()), path)
        model = vit(48)
        load_teacher(model, str(path))
        assert model.pos_embed.shape == (1, 1 + 3 * 3, 16)
        assert torch.equal(model.patch_embed.projection.weight, torch.load(path)['state_dict'][PATCHES])
        with pytest.raises(
            ConfigError, match=r'cls_token is \(1, 1, 16\) in the file and \(1, 1, 24\) in the model; 17 w'
        ):
            load_teacher(vit(48, width=24), str(path))

    def test_position_tables_of_another_window_are_resized(self, tmp_path: Path) -> None:
        """By a function that SciPy no longer has."""

        def swin(size: int, window: int) -> Any:
            arch = dict(embed_dims=8, depths=[1] * 4, num_heads=[1] * 4)
            cfg = dict(type='mmpretrain.SwinTransformer', arch=arch, img_size=size, window_size=window)
            return build_model(model_config(cfg, 'm'), 'm')

        path, table = tmp_path / 'swin.pth', 'stages.0.blocks.0.attn.w_msa.relative_position_bias_table'
        slope = torch.arange(7.0).repeat(7, 1).reshape(49, 1)
        torch.save({**swin(128, 4).state_dict(), table: slope}, path)
        model = swin(256, 8)
        load_teacher(model, str(path))
        found = model.state_dict()[table].reshape(15, 15)
        torch.testing.assert_close(found, found[:1].expand(15, 15))  # still a slope along the same axis
        assert (found[0].diff() >= 0).all()
        torch.testing.assert_close(found[0, [0, 6, 7, 8, 14]], torch.tensor([0.0, 2, 3, 4, 6]))  # neighbours stay

    def test_versions_of_modules_reach_them(self, tmp_path: Path) -> None:
        class Versioned(ToyModel):
            _version = 7

            def _load_from_state_dict(self, state_dict: dict, prefix: str, metadata: dict, *args: Any) -> None:
                self.found = metadata.get('version')
                super()._load_from_state_dict(state_dict, prefix, metadata, *args)

        path = tmp_path / 'a.pth'
        torch.save(nn.ModuleDict(dict(module=Versioned())).state_dict(), path)
        model = Versioned()
        load_teacher(model, str(path))
        assert model.found == 7


class TestRefusals:
    def refused(self, path: Path | str, *parts: str, strict: bool = True) -> None:
        with pytest.raises(ConfigError) as caught:
            load_teacher(toy(1), str(path), strict)
        for part in ('model.teacher_ckpt: ', str(path), *parts):
            assert part in str(caught.value)

    def test_missing_weights_are_listed(self, tmp_path: Path) -> None:
        path = saved_with(tmp_path / 'a.pth', head__bias=None, gain=None)
        self.refused(path, '2 missing (', 'head.bias', 'gain', '0 unexpected', 'model.teacher_strict=False')

    def test_unexpected_weights_are_listed(self, tmp_path: Path) -> None:
        path = saved_with(tmp_path / 'a.pth', tail__bias=torch.ones(2))
        self.refused(path, '0 missing', '1 unexpected (tail.bias)')

    def test_long_lists_are_cut_and_counted(self, tmp_path: Path) -> None:
        path = saved_with(tmp_path / 'a.pth', **{f'tail{i}': torch.ones(1) for i in range(9)})
        self.refused(path, '9 unexpected (tail0, tail1, tail2, tail3, tail4, tail5, ...)')

    @pytest.mark.parametrize('strict', [True, False])
    def test_another_number_of_classes_is_suspected(self, tmp_path: Path, strict: bool) -> None:
        path = saved_with(tmp_path / 'a.pth', head__weight=torch.ones(80, 4), head__bias=torch.ones(80))
        expected = 'head.weight is (80, 4) in the file and (3, 4) in the model (another number of classes?); 2 weights'
        self.refused(path, expected, strict=strict)

    def test_another_width_is_not_taken_for_another_number_of_classes(self, tmp_path: Path) -> None:
        path = saved_with(tmp_path / 'a.pth', head__weight=torch.ones(3, 5))
        self.refused(path, 'head.weight is (3, 5) in the file and (3, 4) in the model.')

    def test_a_buffer_of_another_shape_is_refused(self, tmp_path: Path) -> None:
        path = saved_with(tmp_path / 'a.pth', backbone__norm__running_var=torch.ones(7))
        self.refused(path, 'backbone.norm.running_var is (7,) in the file and (4,) in the model')

    def test_an_absent_file_is_named(self, tmp_path: Path) -> None:
        self.refused(tmp_path / 'nowhere.pth', 'does not exist')

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        self.refused(tmp_path)

    @pytest.mark.parametrize('share', [0.0, 0.01, 0.3, 0.7, 0.99])
    @pytest.mark.parametrize('zipped', [True, False])
    def test_a_truncated_file_is_refused(self, tmp_path: Path, share: float, zipped: bool) -> None:
        whole, path = tmp_path / 'whole.pth', tmp_path / 'cut.pth'
        torch.save(dict(state_dict=toy(8).state_dict()), whole, _use_new_zipfile_serialization=zipped)
        content = whole.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        self.refused(path)

    @pytest.mark.parametrize(
        'content',
        [b'weights', b'\x00' * 64, b'<html>404</html>', b'PK\x03\x04 no zip', b'\x80\x02}q\x00.', bytes(range(256))],
    )
    def test_a_file_of_something_else_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / 'page.pth'
        path.write_bytes(content)
        self.refused(path)

    def test_random_bytes_are_refused_whatever_they_are(self, tmp_path: Path) -> None:
        path, generator = tmp_path / 'noise.pth', np.random.default_rng(5)
        for length in (3, 10, 40, 200) * 8:
            path.write_bytes(generator.bytes(length))
            self.refused(path)

    @pytest.mark.filterwarnings('ignore:Detected pickle protocol')
    def test_damage_within_a_file_of_the_old_format_is_refused(self, tmp_path: Path) -> None:
        path, generator = tmp_path / 'old.pth', np.random.default_rng(5)
        torch.save(dict(state_dict={'a': torch.ones(3)}), path, _use_new_zipfile_serialization=False)
        whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        for _ in range(40):
            damaged = whole.copy()
            damaged[generator.integers(len(whole), size=3)] = generator.integers(256, size=3)
            path.write_bytes(damaged.tobytes())
            self.refused(path)

    @pytest.mark.parametrize('zipped', [True, False])
    def test_a_file_that_would_run_code_is_refused_by_name_and_runs_nothing(self, tmp_path: Path, zipped: bool) -> None:
        path, witness = tmp_path / 'evil.pth', tmp_path / 'witness'
        content = dict(state_dict=toy(8).state_dict(), hook=RunsCommand(witness))
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        self.refused(path, 'pickled code (posix.system)', 'refused because loading it would run it')
        assert not witness.exists()

    def test_a_pickled_model_is_refused_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / 'model.pth'
        torch.save(nn.Linear(2, 2), path)
        self.refused(path, 'torch.nn.modules.linear.Linear')

    @pytest.mark.parametrize('content', [3, [torch.ones(2)], dict(state_dict=3), dict(epoch=1), torch.ones(2)])
    def test_a_file_without_weights_is_refused(self, tmp_path: Path, content: Any) -> None:
        path = tmp_path / 'a.pth'
        torch.save(content, path)
        self.refused(path, 'holds no weights')

    @pytest.mark.parametrize('changes', [dict(head__bias=None), dict(tail=torch.ones(1))])
    def test_lenient_loading_takes_what_fits(self, tmp_path: Path, changes: dict) -> None:
        model = toy(1)
        load_teacher(model, str(saved_with(tmp_path / 'a.pth', **changes)), strict=False)
        assert torch.equal(model.gain, toy(8).gain)
        assert torch.equal(model.head.weight, toy(8).head.weight)


class TestBuilding:
    def test_a_teacher_without_weights_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt is missing: the teacher would be random'):
            Teacher(dict(type='ToyModel'), None, toy(1))

    @pytest.mark.parametrize('as_list', [False, True])
    def test_weights_named_by_the_models_own_init_cfg_will_do(self, saved: Path, as_list: bool) -> None:
        init = dict(type='Pretrained', checkpoint=str(saved))
        teacher = Teacher(dict(type='ToyModel', init_cfg=[init] if as_list else init), None, toy(1))
        teacher.init_weights()
        assert same_weights(teacher.model)

    def test_they_are_held_to_the_same_as_those_of_a_checkpoint(self, saved: Path, tmp_path: Path) -> None:
        """mmengine's own initialisation takes what fits, which here is nothing."""
        other = tmp_path / 'other.pth'
        torch.save({f'student.{name}': value for name, value in toy(8).state_dict().items()}, other)
        init = dict(type='Pretrained', checkpoint=str(other))
        with pytest.raises(
            ConfigError, match=r'^model\.teacher\.init_cfg: .*other\.pth does not belong to this teacher: 12 mis'
        ):
            Teacher(dict(type='ToyModel', init_cfg=init), None, toy(1))
        assert same_weights(Teacher(dict(type='ToyModel', init_cfg=dict(init, prefix='student')), None, toy(1)).model)
        with pytest.raises(ConfigError, match=r"other\.pth holds no weights whose names begin with 'head\.'"):
            Teacher(dict(type='ToyModel', init_cfg=dict(init, prefix='head.')), None, toy(1))
        init = dict(type='Pretrained', checkpoint=str(tmp_path / 'nowhere.pth'))
        with pytest.raises(ConfigError, match=r'^model\.teacher\.init_cfg: the checkpoint .* does not exist'):
            Teacher(dict(type='ToyModel', init_cfg=init), None, toy(1))

    def test_weights_of_a_part_will_not_do(self, saved: Path) -> None:
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt is missing: .*head\.weight'):
            Teacher(dict(type=BackboneOnly, path=str(saved)), None, toy(1))

    @pytest.mark.parametrize('init', [dict(type='Constant', layer='Linear', val=0.5), [], None])
    def test_another_init_cfg_will_not_do(self, init: Any) -> None:
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt is missing'):
            Teacher(dict(type='ToyModel', init_cfg=init), None, toy(1))

    @pytest.mark.parametrize('way', ['load_checkpoint', 'load_state_dict'])
    def test_not_even_where_the_others_may_be_random(self, tmp_path: Path, way: str) -> None:
        path = saved_with(tmp_path / 'part.pth', head__weight=None)
        with pytest.raises(ConfigError, match=r'the teacher would be random \(1 weights \(head\.weight\)\)'):
            Teacher(dict(type=LoadsItself, path=str(path), way=way), None, toy(1))
        teacher = Teacher(dict(type=LoadsItself, path=str(path), way=way), None, toy(1), strict=False)
        teacher.model._apply(lambda value: value.clone())  # as a move to a device does
        teacher.init_weights()
        assert (teacher.model.head.weight == 9).all()
        teacher.model.head.weight.data.copy_(toy(8).head.weight)
        assert same_weights(teacher.model)

    def test_a_second_look_at_a_teacher_takes_no_random_numbers(self, saved: Path) -> None:
        student = toy(1)
        torch.manual_seed(4)
        LoadsItself(path=str(saved))
        expected = torch.rand(3)
        torch.manual_seed(4)
        Teacher(dict(type=LoadsItself, path=str(saved)), None, student)
        assert torch.equal(torch.rand(3), expected)


def test_an_address_is_no_absent_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its folder has the config's name, as those that training writes."""
    config = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
    url = 'https://example.org/retinanet_r18_fpn_1x_coco/weights.pth'
    fetched: list[str] = []
    monkeypatch.setattr('mmkd_ext.algorithms.teacher.load_teacher', lambda _, name, *rest: fetched.append(name))
    student = build_model(model_config(config, 'model.architecture'), 'model.architecture')
    Teacher(config, url, student)
    assert fetched == [url]
    with pytest.raises(ConfigError, match=r'python -m mmkd_ext train mmdet::retinanet/.*\.py makes it'):
        Teacher(config, 'nowhere/retinanet_r18_fpn_1x_coco/epoch_12.pth', student)
