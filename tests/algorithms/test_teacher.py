import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from saved_toys import PATCHES, LoadsItself, same_weights, vit
from torch import Tensor
from toys import ToyModel, ToyStage, batch, toy

from mmkd_ext.algorithms.teacher import Teacher
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager


class TestBuilding:
    def test_weights_are_loaded_and_the_model_is_frozen_in_eval_mode(self, saved: Path) -> None:
        teacher = Teacher(dict(type='ToyModel'), str(saved), toy(1))
        assert same_weights(teacher.model)
        assert not any(p.requires_grad for p in teacher.model.parameters())
        assert not any(m.training for m in teacher.model.modules())

    def test_a_random_teacher_can_be_asked_for(self) -> None:
        # By name: the doctest run imports toys.py once more, and so registers the class once more.
        assert type(Teacher(dict(type='ToyModel'), None, toy(1), strict=False).model).__name__ == 'ToyModel'

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


@pytest.mark.parametrize('fold', [0, 1e-5])
@pytest.mark.parametrize('source', ['backbone', 'head'])
def test_a_teacher_that_changes_its_images_leaves_the_students_as_they_are(fold: float, source: str) -> None:
    class Normalising(ToyModel):
        def extract_feat(self, inputs: Tensor) -> Tensor:
            inputs -= 0.5
            return super().extract_feat(inputs)

    teacher = Teacher(dict(type=Normalising), None, toy(1), strict=False, fold=fold)
    teacher.model.load_state_dict(toy(8).state_dict())
    taps = RecorderManager(dict(t=dict(type='ModuleOutputs', source=source)), 'key')
    data, expected = batch(), toy(8).eval()
    for _ in range(2):
        teacher.record(taps, dict(t=1), **data)
        assert torch.equal(data['inputs'], batch()['inputs'])
    maps = expected.backbone(data['inputs'] - 0.5)
    expected = maps if source == 'backbone' else expected(data['inputs'] - 0.5)
    torch.testing.assert_close(taps.get('t'), expected, rtol=1e-4, atol=1e-5)
