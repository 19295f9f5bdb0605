"""What every algorithm shares: it is the student to everything outside, with a distiller attached."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from distilled_toys import distiller, make, make_self, total
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import get_state_dict, load_checkpoint, load_state_dict, save_checkpoint
from torch import nn
from toys import ToyModel, ToyStage, batch, toy

from mmkd_ext.algorithms.self_distill import SelfDistill
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.errors import ConfigError, sentence


class TestCheckpoints:
    def test_weights_stand_under_the_students_names_and_the_distillers(self, algorithm: SingleTeacherDistill) -> None:
        student = list(toy(1).state_dict())
        ours = [f'distiller.connectors.mlp.mlp.{i}.{kind}' for i in (0, 2) for kind in ('weight', 'bias')]
        assert list(algorithm.state_dict()) == student + ours
        assert list(get_state_dict(algorithm)) == student + ours, "mmengine's own walk over the modules"
        assert [name for name, _ in algorithm.named_parameters()] == [
            *(name for name, _ in toy(1).named_parameters()),
            *ours,
        ]

    def test_they_load_into_the_plain_student_strictly(self, algorithm: SingleTeacherDistill) -> None:
        state = {k: v for k, v in algorithm.state_dict().items() if not k.startswith('distiller.')}
        plain = toy(9)
        plain.load_state_dict(state, strict=True)
        x = batch()['inputs']
        assert torch.equal(plain.eval()(x), algorithm.eval()(x))

    @pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
    def test_they_load_into_another_algorithm_strictly(self, algorithm: SingleTeacherDistill, load: Any) -> None:
        other = make(toy(9))
        torch.nn.init.zeros_(other.distiller.connectors['mlp'].mlp[0].weight)
        load(other, algorithm.state_dict(), strict=True)
        for (name, found), expected in zip(other.state_dict().items(), algorithm.state_dict().values(), strict=True):
            assert torch.equal(found, expected), name

    def test_a_weight_that_is_not_there_is_still_reported(self, algorithm: SingleTeacherDistill) -> None:
        state = algorithm.state_dict()
        state.pop('head.bias')
        state['tail.bias'] = torch.zeros(3)
        state['distiller.tail.bias'] = torch.zeros(3)
        with pytest.raises(RuntimeError) as caught:
            make().load_state_dict(state, strict=True)
        assert all(name in str(caught.value) for name in ('"head.bias"', '"tail.bias"', '"distiller.tail.bias"'))

    @pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
    def test_weights_that_mmrazor_saved_are_taken(self, algorithm: SingleTeacherDistill, load: Any) -> None:
        theirs = {
            name if name.startswith('distiller.') else f'architecture.{name}': value
            for name, value in algorithm.state_dict().items()
        }
        other = make(toy(9))
        load(other, theirs, strict=True)
        assert torch.equal(other.gain, algorithm.gain)
        assert torch.equal(other.head.weight, algorithm.head.weight)
        assert torch.equal(other.student.backbone.norm.running_var, algorithm.backbone.norm.running_var)

    def test_a_saved_file_is_read_by_mmengine_without_a_word_of_mismatch(
        self, algorithm: SingleTeacherDistill, tmp_path: Path, capfd: pytest.CaptureFixture
    ) -> None:
        path = tmp_path / 'epoch_1.pth'
        save_checkpoint(dict(state_dict=get_state_dict(algorithm), meta={}), str(path))
        load_checkpoint(make(toy(9)), str(path))
        assert 'unexpected key' not in ''.join(capfd.readouterr())

    def test_a_students_own_renaming_of_old_weights_still_works(self) -> None:
        class Renaming(ToyModel):
            def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
                for key in [key for key in state_dict if key.startswith(f'{prefix}old_head.')]:
                    state_dict[key.replace('old_head', 'head')] = state_dict.pop(key)
                super()._load_from_state_dict(state_dict, prefix, *args)

        algorithm = make(Renaming())
        state = {key.replace('head.', 'old_head.'): value + 1 for key, value in toy(1).state_dict().items()}
        algorithm.load_state_dict(state, strict=False)
        assert torch.equal(algorithm.head.bias, state['old_head.bias'])

    @pytest.mark.parametrize('save', [nn.Module.state_dict, get_state_dict])
    @pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
    def test_a_student_that_saves_its_weights_under_other_names_still_does(self, save: Any, load: Any) -> None:
        class Wrapped(BaseModel):
            """Like mmpretrain's TimmClassifier: `model.` is left out in the names of saved weights."""

            def __init__(self, model: ToyModel) -> None:
                super().__init__()
                self.model = model
                self._register_state_dict_hook(self._without_prefix)
                self._register_load_state_dict_pre_hook(self._with_prefix)

            def forward(self, *args: Any, **kwargs: Any) -> Any:
                return self.model(*args, **kwargs)

            @staticmethod
            def _without_prefix(model: nn.Module, state: dict, prefix: str, metadata: dict) -> dict:
                return {re.sub(rf'^{prefix}model\.', prefix, key): value for key, value in state.items()}

            @staticmethod
            def _with_prefix(state: dict, prefix: str, *_: Any) -> None:
                for key in list(state):
                    state[re.sub(f'^{prefix}', f'{prefix}model.', key)] = state.pop(key)

        cfg = distiller(student='model.backbone')
        plain, algorithm, other = toy(9), make(Wrapped(toy(1)), distiller=cfg), make(Wrapped(toy(9)), distiller=cfg)
        torch.nn.init.zeros_(other.distiller.connectors['mlp'].mlp[0].weight)
        state = save(algorithm)
        load(plain, {key: value for key, value in state.items() if not key.startswith('distiller.')}, strict=True)
        load(other, state, strict=True)
        assert [key for key in state if not key.startswith('distiller.')] == list(plain.state_dict())
        assert all(torch.equal(value, state[key]) for key, value in save(other).items())

    @pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
    def test_a_checkpoint_of_something_else_is_refused(self, algorithm: SingleTeacherDistill, load: Any) -> None:
        state = {f'layer1.{name}': value for name, value in toy(1).backbone.state_dict().items()}
        with pytest.raises(
            ConfigError, match=r"^load_from: .*begin with 'layer1', those of ToyModel with .*'backbone'"
        ):
            load(algorithm, state, strict=False)


class TestTheStudentShinesThrough:
    def test_its_attributes_and_methods_are_found(self, algorithm: SingleTeacherDistill) -> None:
        assert algorithm.note == 'of the model'
        assert algorithm.gain is algorithm.student.gain
        assert algorithm.backbone is algorithm.student.backbone
        assert algorithm.extract_feat(batch()['inputs']).shape == (4, 4, 4, 4)
        assert not hasattr(algorithm, 'bbox_head')
        with pytest.raises(AttributeError, match='bbox_head'):
            _ = algorithm.bbox_head

    def test_features_and_predictions_are_its_own(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.eval()
        data, plain = batch(), toy(1).eval()
        assert torch.equal(algorithm(data['inputs']), plain(data['inputs']))
        assert algorithm(**data, mode='predict') == plain(**data, mode='predict')
        assert algorithm.val_step(data) == plain.val_step(data)
        assert algorithm.test_step(data) == plain.test_step(data)

    def test_its_own_train_method_is_heeded(self) -> None:
        class NormEval(ToyModel):
            def train(self, mode: bool = True) -> 'NormEval':
                super().train(mode)
                self.backbone.norm.eval()
                return self

        algorithm = make(NormEval())
        algorithm.train()
        assert not algorithm.backbone.norm.training
        assert algorithm.head.training
        algorithm.eval()
        assert not any(module.training for module in algorithm.modules())
        assert not algorithm.student.training

    def test_its_buffers_are_updated_in_the_algorithm_too(self, algorithm: SingleTeacherDistill) -> None:
        algorithm(**batch(), mode='loss')
        assert algorithm.state_dict()['seen'] == 4
        assert algorithm.seen is algorithm.student.seen

    def test_its_preprocessor_is_the_algorithms(self) -> None:
        student = toy(1, data_preprocessor=dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[1, 1, 1]))
        algorithm = make(student)
        assert algorithm.data_preprocessor is student.data_preprocessor
        assert not any(name.startswith('data_preprocessor') for name in algorithm.state_dict())


class TestReplacedParts:
    def test_an_attribute_that_a_hook_changes_is_the_students(self) -> None:
        """As mmpretrain's DenseCLHook does with `loss_lambda`."""
        student = toy(1)
        student.loss_lambda = 0.5
        algorithm = make(student)
        algorithm.init_weights()
        algorithm.loss_lambda = 0.0
        assert student.loss_lambda == algorithm.loss_lambda == 0.0
        student.loss_lambda = 1.0
        assert algorithm.loss_lambda == 1.0
        algorithm.other = 2
        assert not hasattr(student, 'other')

    def test_a_part_that_is_replaced_is_the_one_that_runs(self) -> None:
        algorithm = make()
        algorithm.neck = torch.nn.Identity()
        assert algorithm.student.neck is algorithm.neck
        algorithm.add_module('neck', torch.nn.Identity())
        assert algorithm.student.neck is algorithm.neck

    def test_a_frozen_students_statistics_do_not_move(self) -> None:
        algorithm = make(student_trainable=False).train()
        assert not any(module.training for module in algorithm.student.modules())
        assert algorithm.distiller.training


class TestLoss:
    def test_student_and_distillation_losses_have_their_prefixes(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.eval()
        data = batch()
        losses = algorithm(**data, mode='loss')
        expected = {f'student.{k}': v for k, v in toy(1).eval()(**data, mode='loss').items()}
        record = toy(1).eval().backbone(data['inputs']), toy(2, width=6).eval().backbone(data['inputs'])
        connected = algorithm.distiller.connectors['mlp'](record[0])
        expected['distill.loss_cwt'] = 0.01 * (connected - record[1]).square().sum() / 4
        assert list(losses) == list(expected)
        torch.testing.assert_close(losses, expected)

    def test_a_train_step_sums_the_losses_and_logs_them(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.train()
        optimiser = OptimWrapper(torch.optim.SGD(algorithm.parameters(), lr=0.1))
        logs = algorithm.train_step(batch(), optimiser)
        assert logs['loss'].item() == pytest.approx((logs['student.loss_cls'] + logs['distill.loss_cwt']).item())
        assert logs['distill.loss_cwt'] > 0
        assert 'student.accuracy' in logs

    def test_mixed_precision_trains_with_a_loss_in_float32(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.train()
        with torch.autocast('cpu', dtype=torch.bfloat16):
            losses = algorithm(**batch(), mode='loss')
        assert losses['distill.loss_cwt'].dtype == torch.float32
        total(losses).backward()
        assert all(p.grad.isfinite().all() for p in algorithm.parameters())

    def test_every_trainable_parameter_gets_a_gradient(self, algorithm: SingleTeacherDistill) -> None:
        total(algorithm(**batch(), mode='loss')).backward()
        assert [name for name, p in algorithm.named_parameters() if p.grad is None] == []


class TestSwitches:
    @pytest.mark.parametrize('build', [make, make_self])
    def test_the_students_own_losses_can_be_left_out(self, build: Any) -> None:
        algorithm = build(calculate_student_loss=False)
        assert list(algorithm(**batch(), mode='loss')) == ['distill.loss_cwt']
        total(algorithm(**batch(), mode='loss')).backward()
        assert algorithm.backbone.conv.weight.grad.abs().sum() > 0

    def test_a_frozen_student_trains_connectors_alone(self) -> None:
        algorithm = make(student_trainable=False)
        total(algorithm(**batch(), mode='loss')).backward()
        trained = {name for name, p in algorithm.named_parameters() if p.grad is not None}
        assert trained == {f'distiller.connectors.mlp.mlp.{i}.{kind}' for i in (0, 2) for kind in ('weight', 'bias')}
        assert not any(p.requires_grad for p in algorithm.student.parameters())


class TestBuilding:
    def test_mmrazors_scope_on_a_distiller_or_recorder_means_ours(self) -> None:
        cfg = dict(distiller(), type='mmrazor.ConfigurableDistiller')
        cfg['student_recorders']['s']['_scope_'] = 'mmrazor'
        algorithm = make(distiller=dict(cfg, _scope_='mmrazor'))
        assert type(algorithm.distiller) is ConfigurableDistiller
        assert 'distill.loss_cwt' in algorithm(**batch(), mode='loss')

    @pytest.mark.parametrize('form', [str, Path, lambda path: dict(cfg_path=str(path), pretrained=False)])
    def test_a_student_may_come_from_a_config_file(self, tmp_path: Path, form: Any) -> None:
        path = tmp_path / 'student.py'
        path.write_text("model = dict(type='ToyModel', width=4, classes=5)\n")
        assert make(form(path)).head.out_features == 5

    def test_the_preprocessor_of_the_config_file_is_used(self, tmp_path: Path) -> None:
        path = tmp_path / 'student.py'
        path.write_text(
            "model = dict(type='ToyModel', width=4)\n"
            "data_preprocessor = dict(type='ImgDataPreprocessor', mean=[5, 6, 7], std=[1, 1, 1])\n"
        )
        assert make(str(path)).data_preprocessor.mean.flatten().tolist() == [5, 6, 7]

    def test_a_preprocessor_given_beside_replaces_the_students(self) -> None:
        given = dict(type='ImgDataPreprocessor', mean=[5, 6, 7], std=[1, 1, 1])
        own = dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[1, 1, 1])
        none, other = (dict(type='ToyModel', width=4, **more) for more in ({}, dict(data_preprocessor=own)))
        assert make(none, data_preprocessor=given).data_preprocessor.mean.flatten().tolist() == [5, 6, 7]
        algorithm = make(other, data_preprocessor=given)
        assert algorithm.data_preprocessor.mean.flatten().tolist() == [5, 6, 7]
        assert algorithm.student.data_preprocessor is algorithm.data_preprocessor

    def test_a_preprocessor_of_the_students_kind_replaces_what_it_names(self) -> None:
        own = dict(type='SegDataPreProcessor', mean=[1, 2, 3], std=[1, 1, 1], size_divisor=32)
        student = dict(type='ToyModel', _scope_='mmseg', width=4, data_preprocessor=own)
        for given in (dict(mean=[5, 6, 7]), dict(type='SegDataPreProcessor', mean=[5, 6, 7], std=[1, 1, 1])):
            found = make(student, data_preprocessor=given).data_preprocessor
            assert found.mean.flatten().tolist() == [5, 6, 7]
            assert found.size_divisor == 32

    def test_mmengines_preprocessor_goes_beside_a_classifier_that_would_add_its_augmentations(self) -> None:
        backbone = dict(type='MobileNetV2', widen_factor=0.1, init_cfg=None)
        student = dict(
            type='mmpretrain.ImageClassifier', backbone=backbone, train_cfg=dict(augments=dict(type='Mixup', alpha=0.2))
        )
        given = dict(type='ImgDataPreprocessor', mean=[5, 6, 7], std=[1, 1, 1])
        cfg = dict(type='ConfigurableDistiller')
        algorithm = SelfDistill(student, cfg, data_preprocessor=given)
        assert algorithm.data_preprocessor.mean.flatten().tolist() == [5, 6, 7]

    def test_pretrained_beside_the_students_path_starts_it_from_the_packages_weights(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        torch.save(toy(8).state_dict(), tmp_path / 'zoo.pth')
        zoo = Config(dict(model=dict(type='ToyModel', width=4), model_path=str(tmp_path / 'zoo.pth')))
        monkeypatch.setattr('mmkd_ext.build.get_config', lambda path, pretrained: zoo)
        monkeypatch.setattr('mmkd_ext.build.path_today', lambda path: path)
        algorithm = make(dict(cfg_path='::toy.py', pretrained=True))
        algorithm.init_weights()
        torch.testing.assert_close(algorithm.student.state_dict(), toy(8).state_dict())

    def test_an_init_cfg_pretrained_loads_mmrazors_student_teacher_and_connectors(self, tmp_path: Path) -> None:
        file = tmp_path / 'mmrazor.pth'
        other = make(toy(8), toy(9, width=6))
        weights = {f'architecture.{name}': value for name, value in other.student.state_dict().items()}
        weights |= {f'teacher.{name}': value for name, value in other.teacher.model.state_dict().items()}
        weights |= {f'distiller.{name}': value + 1 for name, value in other.distiller.state_dict().items()}
        torch.save(dict(state_dict=weights), file)
        init = dict(type='Pretrained', checkpoint=str(file))
        algorithm = make(dict(type='ToyModel'), dict(type='ToyModel', width=6), init_cfg=init)
        algorithm.init_weights()
        torch.testing.assert_close(algorithm.student.state_dict(), other.student.state_dict())
        torch.testing.assert_close(algorithm.teacher.model.state_dict(), other.teacher.model.state_dict())
        for name, value in algorithm.distiller.state_dict().items():
            torch.testing.assert_close(value, weights[f'distiller.{name}'])

    @pytest.mark.parametrize(
        ('weights', 'message'),
        [
            ({'head2.weight': torch.zeros(1)}, r'holds no weights of this student'),
            (
                {'head.weight': torch.zeros(9, 9)},
                r'does not belong to this model: head\.weight is \(9, 9\) in the file',
            ),
            (None, r'does not exist'),
        ],
    )
    def test_an_init_cfg_pretrained_of_something_else_is_refused(
        self, tmp_path: Path, weights: dict | None, message: str
    ) -> None:
        file = tmp_path / 'other.pth'
        if weights:
            torch.save(weights, file)
        algorithm = make(dict(type='ToyModel'), init_cfg=dict(type='Pretrained', checkpoint=str(file)))
        with pytest.raises(ConfigError, match=rf'^model\.init_cfg\.checkpoint: .*other\.pth {message}'):
            algorithm.init_weights()

    def test_a_built_preprocessor_given_beside_is_not_dropped(self) -> None:
        given = MODELS.build(dict(type='ImgDataPreprocessor', mean=[5, 6, 7], std=[1, 1, 1]))
        assert make(dict(type='ToyModel', width=4), data_preprocessor=given).data_preprocessor is given

    def test_an_init_cfg_given_beside_replaces_the_students(self) -> None:
        init = dict(type='Constant', layer='Linear', val=0.5)
        algorithm = make(dict(type='ToyModel', width=4), init_cfg=init)
        algorithm.init_weights()
        assert (algorithm.head.weight == 0.5).all()

    @pytest.mark.parametrize('name', ['distiller', 'teacher', 'architecture'])
    def test_a_student_with_a_part_of_a_name_used_here_is_refused(self, name: str) -> None:
        student = toy(1)
        student.add_module(name, nn.Identity())
        with pytest.raises(ConfigError, match=rf"^model\.architecture: ToyModel has a part named '{name}'"):
            make(student)

    def test_a_part_of_a_model_is_refused_as_student(self) -> None:
        pixels = dict(type='ImgDataPreprocessor', mean=[5, 6, 7], std=[1, 1, 1])
        for part in (ToyStage(4), dict(type=ToyStage, width=4, data_preprocessor=pixels)):
            with pytest.raises(
                ConfigError, match=r'^model\.architecture must be a whole model, but ToyStage .*ImageClas'
            ):
                make(part)

    def test_that_a_students_own_load_from_is_not_taken_over_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said: list[str] = []
        monkeypatch.setattr('mmkd_ext.build.print_log', lambda text, **_: said.append(text))
        path = tmp_path / 'student.py'
        path.write_text("model = dict(type='ToyModel', width=4)\nload_from = 'a.pth'\n")
        make(str(path))
        assert "student.py has load_from='a.pth', which is not used" in ''.join(said)

    @pytest.mark.parametrize(('side', 'key'), [('student', 'architecture'), ('teacher', 'teacher')])
    @pytest.mark.parametrize(
        ('source', 'message'),
        [
            (3, r" must be a package path such as 'mmdet::.*or a dict with `type`, got 3"),
            ([], ' must be a package path'),
            (dict(width=4), r" must be a package path .*got \{'width': 4\}"),
            ('no/such/file.py', r': there is no config file no/such/file\.py \(looked from /'),
            ('mmengine_nope::a.py', r': mmengine_nope::a\.py cannot be read'),
            (dict(type='NoSuchModel'), r" cannot be built: .*type='NoSuchModel' is not registered"),
            (dict(type='ToyModel', wdith=4), r"\.wdith is unknown to ToyModel; the nearest is 'width'\.$"),
            (dict(type='ToyModel', data_preprocessor=3), r' cannot be built: .*data_preprocessor should be a `dict`'),
        ],
    )
    def test_a_model_that_cannot_be_built_is_refused_with_its_key(
        self, side: str, key: str, source: Any, message: str
    ) -> None:
        kwargs = {'student': toy(1), 'teacher': toy(2, width=6), side: source}
        with pytest.raises(ConfigError, match=rf'^model\.{key}{message}'):
            SingleTeacherDistill(kwargs['student'], kwargs['teacher'], distiller())

    @pytest.mark.parametrize(
        ('unknown', 'message'),
        [
            (
                dict(teacher_checkpoint='a.pth'),
                r"teacher_checkpoint is unknown to RoIDistill; the nearest .*'teacher_ckpt'",
            ),
            (dict(teachers=dict(type='ToyModel')), r"teachers is unknown to RoIDistill; the nearest are 'teacher', "),
            (
                dict(student_trainble=False),
                r"student_trainble is unknown to RoIDistill; the nearest .*'student_trainable'",
            ),
            (
                dict(backbone=dict(type='ResNet'), neck=None),
                r"backbone is unknown to RoIDistill; there are 'architecture', .*add _delete_=True next to `type`\.$",
            ),
            ({}, r'architecture must be a package path .*, got None'),
            (dict(architecture=dict(type='ToyModel')), r'distiller must be a dict with the key `type`, got None'),
            (dict(architecture=dict(type='ToyModel'), distiller=distiller()), r'teacher must be a package path .*None'),
        ],
    )
    def test_a_key_that_is_unknown_or_missing_is_said_in_one_sentence(self, unknown: dict, message: str) -> None:
        with pytest.raises(ConfigError) as caught:
            MODELS.build(dict(type='mmkd_ext.RoIDistill', **unknown))
        assert re.match(rf'model\.{message}', sentence(caught.value))

    def test_a_teachers_key_is_not_taken_without_one(self) -> None:
        with pytest.raises(ConfigError, match=r'^model\.teacher_ckpt is unknown to SelfDistill'):
            make_self(teacher_ckpt='a.pth')

    def test_a_part_of_a_model_that_refuses_a_key_is_named(self) -> None:
        cfg = dict(type='mmpretrain.ImageClassifier', backbone=dict(type='ResNet', depth=18, widen_factor=1.0, dept=3))
        message = (
            r"^model\.architecture\.backbone\.widen_factor is unknown to ResNet; there are 'depth', .*_delete_=True"
        )
        with pytest.raises(ConfigError, match=message):
            make(cfg)
        del cfg['backbone']['widen_factor']
        with pytest.raises(
            ConfigError, match=r"^model\.architecture\.backbone\.dept is .*; the nearest are 'depth', 'deep_stem'\.$"
        ):
            make(cfg)

    def test_an_argument_left_of_another_type_is_said_with_the_remedy(self) -> None:
        cfg = distiller()
        cfg['distill_losses']['loss_cwt']['gamma_of_old'] = 1
        message = r"^model\.distiller\.distill_losses\.loss_cwt\.gamma_of_old is .* there are 'alpha', .*_delete_=True"
        with pytest.raises(ConfigError, match=message):
            make(distiller=cfg)
        cfg = distiller()
        cfg['loss_forward_mapping'] = cfg.pop('loss_forward_mappings')
        with pytest.raises(
            ConfigError, match=r"^model\.distiller\.loss_forward_mapping is .*is 'loss_forward_mappings'"
        ):
            make(distiller=cfg)

    @pytest.mark.parametrize(('side', 'key'), [('architecture', 'architecture'), ('teacher', 'teacher')])
    def test_keys_beside_a_path_are_added_and_refused_where_the_file_has_them(
        self, tmp_path: Path, side: str, key: str
    ) -> None:
        path = tmp_path / 'model.py'
        path.write_text("model = dict(type='ToyModel', width=4)\n")
        kwargs = dict(architecture=toy(1), teacher=toy(2), distiller=distiller(), teacher_strict=False)
        kwargs['distiller']['connectors']['mlp']['out_channels'] = 4
        kwargs[side] = dict(cfg_path=str(path), width=4, classes=7)
        algorithm = SingleTeacherDistill(**kwargs)
        model = algorithm.student if side == 'architecture' else algorithm.teacher.model
        assert model.head.out_features == 7
        kwargs[side] = dict(cfg_path=str(path), width=6)
        with pytest.raises(
            ConfigError, match=rf'^model\.{key}\.width is also set in .*model\.py, .*model=dict\(width=\.\.\.'
        ):
            SingleTeacherDistill(**kwargs)
        kwargs[side] = dict(cfg_path=str(path), pretrained=True)
        with pytest.raises(
            ConfigError, match=rf'^model\.{key}: pretrained=True, but no package lists weights for .*model'
        ):
            SingleTeacherDistill(**kwargs)

    @pytest.mark.parametrize(
        ('text', 'message'),
        [('lr = 1', 'defines no `model`'), ('model = 3', 'defines no `model`'), ('model = (', 'cannot be read')],
    )
    def test_a_config_file_without_a_model_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / 'student.py'
        path.write_text(text)
        with pytest.raises(ConfigError, match=rf'^model\.architecture: .*student\.py {message}'):
            make(str(path))

    @pytest.mark.parametrize(
        ('side', 'message'),
        [
            ('student', r"student_recorders\.s\.source='bakbone' is not a module of ToyModel; the nearest are 'back"),
            ('teacher', r"teacher_recorders\.t\.source='bakbone' is not a module of ToyModel; the nearest are 'back"),
        ],
    )
    def test_a_source_that_is_in_no_model_is_refused_before_the_first_step(self, side: str, message: str) -> None:
        with pytest.raises(ConfigError, match=rf'^model\.distiller\.{message}'):
            make(distiller=distiller(**{side: 'bakbone'}))

    def test_a_distiller_that_is_none_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r'^model\.distiller must be a dict with the key `type`'):
            make(distiller=None)

    def test_a_mistake_in_the_distiller_is_named_by_its_whole_key(self) -> None:
        cfg = distiller()
        cfg['distill_losses']['loss_cwt']['alpa'] = 1
        with pytest.raises(
            ConfigError, match=r"distill_losses\.loss_cwt\.alpa is unknown to CWTLoss; the nearest is 'alpha'\.$"
        ):
            make(distiller=cfg)


def test_on_a_cpu_batch_norms_are_of_one_process() -> None:
    """DDP refuses a model with SyncBN there."""
    student = toy(1)
    student.backbone.norm = nn.SyncBatchNorm(4)
    cfg = distiller()
    cfg['connectors']['mlp'] = nn.Sequential(nn.Conv2d(4, 6, 1), nn.SyncBatchNorm(6))
    algorithm = make(student, distiller=cfg)
    synced = [isinstance(module, nn.SyncBatchNorm) for module in algorithm.modules()]
    assert any(synced) == torch.cuda.is_available()
    assert list(algorithm.backbone.norm.state_dict()) == list(nn.BatchNorm2d(4).state_dict())
