import copy
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, nn
from toys import ToyModel, ToyStage, batch, toy

from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.algorithms.teacher_weights import load_teacher
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager

PATCHES = 'patch_embed.projection.weight'


def vit(size: int, width: int = 16, **kwargs: Any) -> Any:
    """mmpretrain's, of one layer and patches of 16 x 16."""
    arch = dict(embed_dims=width, num_layers=1, num_heads=2, feedforward_channels=32)
    cfg = ConfigDict(type='mmpretrain.VisionTransformer', arch=arch, img_size=size, patch_size=16, **kwargs)
    return build_model(model_config(cfg, 'm'), 'm')


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Weights of `toy(8)`, as mmengine saves them."""
    path = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict=toy(8).state_dict(), meta=dict(epoch=1)), path)
    return path


def same_weights(model: nn.Module, seed: int = 8) -> bool:
    return all(torch.equal(value, model.state_dict()[name]) for name, value in toy(seed).state_dict().items())


def saved_with(path: Path, **changes: Tensor | None) -> Path:
    """The file of `toy(8)` with weights replaced, added, or (None) left out; `__` in a name stands for a dot."""
    state = toy(8).state_dict()
    for name, value in changes.items():
        name = name.replace('__', '.')
        if value is None:
            del state[name]
        else:
            state[name] = value
    torch.save(dict(state_dict=state), path)
    return path


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

    def test_an_address_is_no_absent_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
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
    def test_weights_are_loaded_and_the_model_is_frozen_in_eval_mode(self, saved: Path) -> None:
        teacher = Teacher(dict(type='ToyModel'), str(saved), toy(1))
        assert same_weights(teacher.model)
        assert not any(p.requires_grad for p in teacher.model.parameters())
        assert not any(m.training for m in teacher.model.modules())

    def test_a_teacher_without_weights_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt is missing: the teacher would be random'):
            Teacher(dict(type='ToyModel'), None, toy(1))

    def test_a_random_teacher_can_be_asked_for(self) -> None:
        # By name: the doctest run imports toys.py once more, and so registers the class once more.
        assert type(Teacher(dict(type='ToyModel'), None, toy(1), strict=False).model).__name__ == 'ToyModel'

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
            ConfigError, match=r'^model\.teacher\.init_cfg: .*other\.pth is not of this teacher: 12 mis'
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

    def test_loaded_weights_are_not_initialised_over(self, saved: Path) -> None:
        init = dict(type='Constant', layer='Linear', val=0)
        teacher = Teacher(dict(type='ToyModel', init_cfg=init), str(saved), toy(1))
        teacher.init_weights()
        assert same_weights(teacher.model)

    @pytest.mark.parametrize('way', ['load_checkpoint', 'load_state_dict', 'copy'])
    def test_weights_that_the_class_loads_itself_are_not_initialised_over(self, saved: Path, way: str) -> None:
        teacher = Teacher(dict(type=LoadsItself, path=str(saved), way=way), None, toy(1))
        teacher.init_weights()
        assert same_weights(teacher.model)

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

    @pytest.mark.parametrize('whole', [False, True])
    def test_a_backbone_alone_teaches_with_its_own_weights_or_a_whole_models(self, tmp_path: Path, whole: bool) -> None:
        path, source = tmp_path / 'a.pth', dict(type=ToyStage, width=4)
        torch.save((toy(8) if whole else toy(8).backbone).state_dict(), path)
        pixels = dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[2, 2, 2])
        teacher = Teacher(source, str(path), toy(1, data_preprocessor=pixels))
        taps = RecorderManager(dict(t=dict(type='ModuleOutputs', source='backbone.norm')), 'key')
        taps.check(teacher.model)
        teacher.record(taps, dict(t=1), batch()['inputs'], None)
        stage = toy(8).eval().backbone
        torch.testing.assert_close(taps.get('t'), stage.norm(stage.conv(batch()['inputs'])))
        own = dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[4, 4, 4])
        named = Teacher(dict(source, data_preprocessor=own), str(path), toy(1, data_preprocessor=pixels))
        torch.testing.assert_close(named.pixels(torch.ones(1, 3, 2, 2), None), torch.full((1, 3, 2, 2), 0.5))
        torch.save(toy(8).neck.state_dict(), path)
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt: .*6 missing \(backbone\.conv\.weight'):
            Teacher(source, str(path), toy(1))
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt is missing: the teacher would be random'):
            Teacher(source, None, toy(1))

    def test_a_built_backbone_and_one_that_initialises_itself_will_do(self, saved: Path) -> None:
        assert torch.equal(
            Teacher(toy(8).backbone, None, toy(1)).model.backbone.conv.weight, toy(8).backbone.conv.weight
        )
        torch.save(vit(32).state_dict(), saved)
        init = dict(type='Pretrained', checkpoint=str(saved))
        arch = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)
        source = dict(type='mmpretrain.VisionTransformer', arch=arch, img_size=32, patch_size=16, init_cfg=init)
        assert torch.equal(
            Teacher(source, None, toy(1)).model.backbone.patch_embed.projection.weight, torch.load(saved)[PATCHES]
        )

    def test_a_teacher_that_says_nothing_of_pixels_sees_the_students(self, saved: Path) -> None:
        student = toy(1, data_preprocessor=dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[2, 2, 2]))
        teacher = Teacher(dict(type='ToyModel'), str(saved), student)
        x = torch.randn(1, 3, 4, 4)
        assert teacher.pixels(x, None) is x

    def test_it_may_be_given_the_students_pixels_as_they_are(self, saved: Path) -> None:
        student = toy(1, data_preprocessor=dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[2, 2, 2]))
        own = dict(type='ImgDataPreprocessor', mean=[7, 7, 7], std=[1, 1, 1])
        source, x = dict(type='ToyModel', data_preprocessor=own), torch.randn(1, 3, 4, 4)
        assert not torch.equal(Teacher(source, str(saved), student).pixels(x, None), x)
        assert Teacher(source, str(saved), student, pixels='student').pixels(x, None) is x
        with pytest.raises(ConfigError, match=r"^model\.teacher_pixels must be 'own' or 'student', got 'mine'"):
            Teacher(source, str(saved), student, pixels='mine')

    def test_freezing_the_teacher_leaves_the_student_as_it_is(self, saved: Path) -> None:
        student = toy(1, data_preprocessor=dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[2, 2, 2])).train()
        Teacher(dict(type='ToyModel'), str(saved), student)
        assert all(m.training for m in student.modules())
        assert all(p.requires_grad for p in student.parameters())

    def test_copies_share_it(self, saved: Path) -> None:
        teacher = Teacher(dict(type='ToyModel'), str(saved), toy(1))
        assert copy.deepcopy(teacher) is teacher


class LoadsItself(ToyModel):
    """Loads its weights when it is built, and has an `init_weights` that sets them to other values."""

    def __init__(self, path: str, way: str = 'load_state_dict', **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if way == 'load_checkpoint':
            load_checkpoint(self, path, map_location='cpu')
        elif way == 'load_state_dict':
            self.load_state_dict(torch.load(path)['state_dict'], strict=False)
        else:
            for name, value in torch.load(path)['state_dict'].items():
                self.state_dict()[name].copy_(value)

    def init_weights(self) -> None:
        for value in self.parameters():
            nn.init.constant_(value, 9)


class BackboneOnly(ToyModel):
    """Its backbone loads weights when it is built."""

    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backbone.load_state_dict(
            {k[9:]: v for k, v in torch.load(path)['state_dict'].items() if k.startswith('backbone.')}
        )


def recorded(teacher: Teacher, *sources: str, needed: int = 1, steps: int = 1) -> list:
    """What modules of the teacher returned in the last of some steps."""
    taps = RecorderManager({source: dict(type='ModuleOutputs', source=source) for source in sources}, 'key')
    for _ in range(steps):
        teacher.record(taps, dict.fromkeys(sources, needed), **batch())
    return [taps.get(source, needed - 1) for source in sources]


class TestForward:
    def test_features_are_enough_where_all_records_lie_there(self) -> None:
        class Unlabelled(ToyModel):
            def forward(self, *_: Any, **__: Any) -> Any:
                raise ValueError('no labels')

        teacher = Teacher(Unlabelled(), None, toy(1))
        (found,) = recorded(teacher, 'neck', steps=2)
        assert torch.equal(found, teacher.model.extract_feat(batch()['inputs']))
        with pytest.raises(ValueError, match='no labels'):
            recorded(teacher, 'neck', 'head')

    def test_else_it_runs_as_far_as_its_loss(self) -> None:
        teacher = Teacher(toy(8), None, toy(1))
        neck, head = recorded(teacher, 'neck', 'head', steps=3)
        assert torch.equal(head, toy(8).eval().head(neck.mean(dim=(2, 3))))
        # Features were tried once, and what was recorded of them dropped.
        assert teacher.model.calls == ['backbone', 'neck'] + 3 * ['backbone', 'neck', 'head']

    def test_a_parameter_beside_is_there_whichever_forward_it_takes(self) -> None:
        teacher = Teacher(toy(8), None, toy(1))
        kinds = dict(gain='Parameter', head='ModuleOutputs')
        taps = RecorderManager({name: dict(type=kind, source=name) for name, kind in kinds.items()}, 'key')
        teacher.record(taps, dict(gain=1, head=1), **batch())
        assert taps.get('gain') is teacher.model.gain
        assert taps.get('head').shape == (4, 3)

    def test_a_part_that_runs_again_behind_the_features_is_recorded_as_often_as_is_needed(self) -> None:
        class Twice(ToyModel):
            def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
                return self.head(self.neck(self.extract_feat(inputs)).mean(dim=(2, 3)))

        model = Twice().eval()
        (found,) = recorded(Teacher(model, None, toy(1)), 'neck', needed=2, steps=2)
        assert torch.equal(found, model.neck(model.extract_feat(batch()['inputs'])))

    @pytest.mark.parametrize('error', [NotImplementedError(), RuntimeError('Invalid mode "loss".')])
    def test_a_model_without_losses_gives_its_plain_output(self, error: Exception) -> None:
        class Inference(ToyModel):
            def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
                if mode != 'tensor':
                    raise error
                return super().forward(inputs)

        (found,) = recorded(Teacher(Inference(), None, toy(1)), 'head', steps=2)
        assert found.shape == (4, 3)

    def test_an_error_in_its_losses_is_not_hidden(self) -> None:
        class Fails(ToyModel):
            def extract_feat(self, inputs: Tensor, more: Any = None) -> Tensor:
                return super().extract_feat(inputs)

            def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
                raise RuntimeError('out of memory')

        for source in ('neck', 'head'):  # features that take more than images are left alone
            with pytest.raises(RuntimeError, match='out of memory'):
                recorded(Teacher(Fails(), None, toy(1)), source)

    def test_a_masked_autoencoder_teaches_its_unmasked_features_of_its_own_pixels(self) -> None:
        cfg = ConfigDict(
            type='mmpretrain.MAE',
            backbone=dict(
                type='MAEViT',
                arch=dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32),
                img_size=32,
                patch_size=16,
            ),
            neck=dict(
                type='MAEPretrainDecoder',
                num_patches=4,
                patch_size=16,
                embed_dim=16,
                decoder_embed_dim=16,
                decoder_depth=1,
                decoder_num_heads=2,
            ),
            head=dict(type='MAEPretrainHead', patch_size=16, loss=dict(type='PixelReconstructionLoss', criterion='L2')),
            data_preprocessor=dict(type='SelfSupDataPreprocessor', **IMAGENET, to_rgb=True),
        )
        model = build_model(model_config(cfg, 'm'), 'm')
        pixels = dict(type='ImgDataPreprocessor', **HALVES)
        student = toy(1, data_preprocessor=pixels)
        images = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1)).float()
        taps = RecorderManager(dict(t=dict(type='ModuleOutputs', source='backbone')), 'key')
        inputs = student.data_preprocessor(dict(inputs=images))['inputs']
        for teacher in (Teacher(model, None, student), Teacher(model.backbone, None, student)):
            teacher.record(taps, dict(t=1), inputs, None)
            own = teacher.model.data_preprocessor(dict(inputs=images, data_samples=None))['inputs']
            torch.testing.assert_close(taps.get('t'), model.extract_feat(own), rtol=1e-4, atol=1e-4)


IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
HALVES = dict(mean=[127.5] * 3, std=[127.5] * 3)


def test_the_teacher_is_run_on_the_adapted_images(saved: Path) -> None:
    student = toy(1, data_preprocessor=dict(type='ImgDataPreprocessor', **HALVES))
    own = dict(type='ImgDataPreprocessor', **IMAGENET, bgr_to_rgb=True)
    teacher = Teacher(dict(type='ToyModel', data_preprocessor=own), str(saved), student)
    taps = RecorderManager(dict(t=dict(type='ModuleInputs', source='backbone')), 'key')
    images = torch.randint(0, 256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(1)).float()
    teacher.record(taps, dict(t=1), student.data_preprocessor(dict(inputs=images))['inputs'], None)
    expected = teacher.model.data_preprocessor(dict(inputs=images))['inputs']
    torch.testing.assert_close(taps.get('t', data_idx=0), expected, rtol=1e-4, atol=1e-4)
