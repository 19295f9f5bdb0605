import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from distilled_toys import distiller, make, records, total
from mmengine.config import ConfigDict
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import save_checkpoint
from torch import Tensor, nn
from toys import Counter, ToyModel, batch, toy

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.errors import ConfigError


class TestTeacher:
    @pytest.mark.parametrize('source', [toy(2, width=6), dict(type='ToyModel', width=6)], ids=['built', 'config'])
    def test_it_is_in_no_list_of_the_algorithms_parts(self, source: Any) -> None:
        algorithm = make(teacher=source, teacher_strict=False)
        theirs = algorithm.teacher.model
        parameters = {id(p) for p in theirs.parameters()} | {id(b) for b in theirs.buffers()}
        assert not parameters & {id(t) for t in (*algorithm.parameters(), *algorithm.buffers())}
        assert not {id(m) for m in theirs.modules()} & {id(m) for m in algorithm.modules()}
        assert not any('teacher' in name for name, _ in algorithm.named_modules())
        assert not any('teacher' in name for name in algorithm.state_dict())

    def test_it_is_frozen_and_stays_in_eval_mode(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.train()
        assert algorithm.training
        assert algorithm.student.training
        assert not any(module.training for module in algorithm.teacher.model.modules())
        assert not any(p.requires_grad for p in algorithm.teacher.model.parameters())

    def test_it_is_put_back_to_eval_mode_where_something_woke_it(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.teacher.model.train()
        before = copy.deepcopy(algorithm.teacher.model.state_dict())
        algorithm.train()
        algorithm(**batch(), mode='loss')
        torch.testing.assert_close(algorithm.teacher.model.state_dict(), before)

    def test_a_step_changes_student_and_connector_but_no_bit_of_it(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.train()
        before = copy.deepcopy(algorithm.teacher.model.state_dict())
        ours = copy.deepcopy(dict(algorithm.named_parameters()))
        optimiser = torch.optim.SGD(algorithm.parameters(), lr=0.1)
        total(algorithm(**batch(), mode='loss')).backward()
        optimiser.step()
        for name, value in algorithm.teacher.model.state_dict().items():
            assert torch.equal(value, before[name]), name
        for name, parameter in algorithm.named_parameters():
            if name != 'backbone.conv.bias':  # the batch norm behind it takes its effect away
                assert not torch.equal(parameter, ours[name]), name

    def test_its_forward_stops_at_the_last_record_that_is_needed(self, algorithm: SingleTeacherDistill) -> None:
        algorithm(**batch(), mode='loss')
        assert algorithm.teacher.model.calls == ['backbone']
        assert algorithm.student.calls == ['backbone', 'neck', 'head']

    def test_it_is_not_run_where_only_a_parameter_of_it_is_needed(self) -> None:
        cfg = distiller()
        cfg['connectors'] = {}
        cfg['student_recorders'] = dict(s=dict(type='Parameter', source='neck.weight'))
        cfg['teacher_recorders'] = dict(t=dict(type='Parameter', source='neck.weight'))
        del cfg['loss_forward_mappings']['loss_cwt']['student']['connector']
        algorithm = make(teacher=toy(2), distiller=cfg)
        losses = algorithm(**batch(), mode='loss')
        expected = 0.01 * (algorithm.neck.weight - algorithm.teacher.model.neck.weight).square().sum() / 4
        torch.testing.assert_close(losses['distill.loss_cwt'], expected)
        assert algorithm.teacher.model.calls == []

    def test_it_is_not_run_for_predictions_and_features(self, algorithm: SingleTeacherDistill) -> None:
        algorithm(**batch(), mode='predict')
        algorithm(**batch(), mode='tensor')
        assert algorithm.teacher.model.calls == []

    def test_it_runs_on_the_students_images_without_a_graph(self, algorithm: SingleTeacherDistill) -> None:
        seen = []
        hook = algorithm.teacher.model.backbone.register_forward_hook(
            lambda module, args, out: seen.append((args[0], out.requires_grad, torch.is_grad_enabled()))
        )
        data = batch()
        algorithm(**data, mode='loss')
        hook.remove()
        assert torch.equal(seen[0][0], data['inputs'])
        assert seen[0][1:] == (False, False)

    @pytest.mark.parametrize('dtype', [torch.float64, torch.bfloat16])
    def test_it_follows_to_another_dtype(self, algorithm: SingleTeacherDistill, dtype: torch.dtype) -> None:
        algorithm.to(dtype)
        assert {p.dtype for p in (*algorithm.teacher.model.parameters(), *algorithm.parameters())} == {dtype}
        data = batch()
        assert algorithm(data['inputs'].to(dtype), mode='loss')['distill.loss_cwt'].isfinite()

    def test_it_follows_to_another_device(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.to('meta')
        assert all(t.is_meta for t in (*algorithm.teacher.model.parameters(), *algorithm.teacher.model.buffers()))
        assert algorithm.gain is algorithm.student.gain
        assert algorithm.gain.is_meta

    @pytest.mark.parametrize(
        ('kwargs', 'message'),
        [
            (dict(teacher_trainable=True), r'^model\.teacher_trainable must be False'),
            (dict(teacher_norm_eval=False), r'^model\.teacher_norm_eval must be True'),
        ],
    )
    def test_switches_that_would_wake_it_are_refused(self, kwargs: dict, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            make(**kwargs)

    def test_mmrazors_switches_in_their_only_setting_are_accepted(self) -> None:
        make(teacher_trainable=False, teacher_norm_eval=True, teacher_module_inplace=False, module_inplace=False)


class TestCopies:
    @pytest.mark.parametrize('update_buffers', [False, True])
    def test_an_average_shares_the_teacher_and_averages_the_student(
        self, algorithm: SingleTeacherDistill, update_buffers: bool
    ) -> None:
        average = ExponentialMovingAverage(algorithm, momentum=0.25, update_buffers=update_buffers)
        assert average.module.teacher is algorithm.teacher
        assert not {id(p) for p in average.parameters()} & {id(p) for p in algorithm.parameters()}
        average.update_parameters(algorithm)
        before = algorithm.head.weight.detach().clone(), algorithm.gain.detach().clone()
        with torch.no_grad():
            algorithm.head.weight.add_(4)
            algorithm.gain.add_(4)
        average.update_parameters(algorithm)
        torch.testing.assert_close(average.module.head.weight, before[0] + 1)
        torch.testing.assert_close(average.module.gain, before[1] + 1)

    def test_the_averages_predictions_are_those_of_its_own_weights(self, algorithm: SingleTeacherDistill) -> None:
        average = ExponentialMovingAverage(algorithm).module.eval()
        x = batch()['inputs']
        expected = algorithm.eval()(x)
        with torch.no_grad():
            for parameter in algorithm.parameters():
                parameter.zero_()
        assert torch.equal(average(x), expected)
        with torch.no_grad():
            average.gain.zero_()
            average.head.bias.zero_()
        assert not average(x).any()

    def test_the_teacher_is_not_counted_in_a_copys_state(self, algorithm: SingleTeacherDistill) -> None:
        assert list(copy.deepcopy(algorithm).state_dict()) == list(algorithm.state_dict())


class TestLoss:
    def test_no_record_outlives_the_step(self, algorithm: SingleTeacherDistill) -> None:
        algorithm(**batch(), mode='loss')
        assert len(records(algorithm)) == 2
        assert not any(recorder.records for recorder in records(algorithm))

    @pytest.mark.parametrize('where', ['backbone', 'head'])
    def test_no_record_outlives_a_step_that_fails(self, algorithm: SingleTeacherDistill, where: str) -> None:
        def fail(*_: Any) -> None:
            raise KeyError('out of luck')

        hook = getattr(algorithm.student, where).register_forward_hook(fail)
        with pytest.raises(KeyError):
            algorithm(**batch(), mode='loss')
        assert not any(recorder.records for recorder in records(algorithm))
        hook.remove()
        assert 'distill.loss_cwt' in algorithm(**batch(), mode='loss')

    def test_every_step_records_anew(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.eval()
        first, second = (algorithm(**batch(), mode='loss')['distill.loss_cwt'] for _ in range(2))
        torch.testing.assert_close(first, second)

    def two_steps(self, compiled: bool) -> list[Tensor]:
        """The losses of two steps of records that in-place ReLUs change."""
        algorithm = make(distiller=distiller('backbone.norm', 'backbone.norm')).eval()
        step = torch.compile(algorithm.train_step, backend='aot_eager') if compiled else algorithm.train_step
        optimiser = OptimWrapper(torch.optim.SGD(algorithm.parameters(), lr=0.1))
        found = [step(batch(), optimiser)['distill.loss_cwt'].detach() for _ in range(2)]
        assert algorithm.teacher.model.calls == [], 'ended at the record'
        return found

    def test_the_record_is_safe_from_the_students_inplace_relu(self) -> None:
        x = batch()['inputs']
        s, t = (m.eval().backbone for m in (toy(1), toy(2, width=6)))
        connected = make(distiller=distiller('backbone.norm', 'backbone.norm')).distiller.connectors['mlp'](
            s.norm(s.conv(x))
        )
        expected = 0.01 * (connected - t.norm(t.conv(x))).square().sum() / 4
        torch.testing.assert_close(self.two_steps(compiled=False)[0], expected.detach())

    @pytest.mark.slow
    @pytest.mark.filterwarnings('ignore')  # of the compiler
    def test_so_it_is_where_the_runner_compiles_the_step(self) -> None:
        """`compile=dict(backend=...)` hides the in-place operation."""
        torch.testing.assert_close(self.two_steps(compiled=True), self.two_steps(compiled=False))


class TestSwitches:
    def test_stopped_distillation_leaves_the_students_losses(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.distillation_stopped = True
        losses = algorithm.eval()(**batch(), mode='loss')
        expected = toy(1).eval()(**batch(), mode='loss')['loss_cls']
        torch.testing.assert_close(total(losses), expected)
        assert algorithm.teacher.model.calls == []

    def test_stopped_distillation_keeps_the_connectors_in_the_graph(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.distillation_stopped = True
        total(algorithm(**batch(), mode='loss')).backward()
        assert [name for name, p in algorithm.named_parameters() if p.grad is None] == []
        assert not any(p.grad.any() for p in algorithm.distiller.parameters())

    def test_stopped_distillation_adds_zeros_which_the_log_shows(self) -> None:
        cfg = distiller()
        cfg['connectors'] = {}
        del cfg['loss_forward_mappings']['loss_cwt']['student']['connector']
        algorithm = make(teacher=toy(2), distiller=cfg)
        algorithm.distillation_stopped = True
        losses = algorithm(**batch(), mode='loss')
        assert list(losses) == ['student.loss_cls', 'student.accuracy', 'distill.loss_cwt']
        assert losses['distill.loss_cwt'] == 0

    def test_what_only_a_stopped_loss_uses_does_not_run(self) -> None:
        cfg = distiller()
        cfg['student_recorders']['head'] = cfg['teacher_recorders']['head'] = dict(type='ModuleOutputs', source='head')
        cfg['distill_losses']['loss_kd'] = dict(type='KDLoss', tau=2.0)
        cfg['loss_forward_mappings']['loss_kd'] = {
            side: dict(from_student=side == 'student', recorder='head') for side in ('student', 'teacher')
        }
        algorithm, calls = make(distiller=cfg, teacher_fold=0), []
        algorithm.teacher.model.calls = calls
        for name in ('backbone', 'head'):
            getattr(algorithm.teacher.model, name).register_forward_hook(Counter(calls, name))
        for stopped, expected in (('', {'backbone', 'head'}), ('loss_kd', {'backbone'}), ('loss_cwt', set())):
            calls.clear()
            algorithm.distiller.stop([stopped])
            losses = algorithm(**batch(), mode='loss')
            assert set(calls) == expected, stopped
            total(losses).backward()
            assert [name for name, p in algorithm.named_parameters() if p.grad is None] == []
        assert losses['distill.loss_cwt'] == losses['distill.loss_kd'] == 0

    def test_distillation_may_go_on_after_a_stop(self, algorithm: SingleTeacherDistill) -> None:
        algorithm.distillation_stopped = True
        algorithm(**batch(), mode='loss')
        algorithm.distillation_stopped = False
        assert algorithm(**batch(), mode='loss')['distill.loss_cwt'] > 0


class TestBuilding:
    def test_everything_may_come_from_a_config(self) -> None:
        cfg = dict(
            type='mmkd_ext.SingleTeacherDistill',
            architecture=dict(type='ToyModel', width=4),
            teacher=dict(type=ToyModel, width=6),
            teacher_strict=False,
            distiller=distiller(),
        )
        before = copy.deepcopy(cfg)
        algorithm = MODELS.build(cfg)
        assert type(algorithm) is SingleTeacherDistill
        assert cfg == before
        assert 'distill.loss_cwt' in algorithm(**batch(), mode='loss')
        assert type(MODELS.build(ConfigDict(copy.deepcopy(cfg)))) is SingleTeacherDistill

    @pytest.mark.parametrize('name', ['FpnTeacherDistill', 'OverhaulFeatureDistillation'])
    def test_mmrazors_algorithms_with_a_teacher_are_the_same_class(self, name: str) -> None:
        assert MODELS.get(f'mmkd_ext.{name}') is SingleTeacherDistill

    def test_init_weights_reaches_student_and_distiller_but_no_loaded_teacher(self) -> None:
        class Initialised(nn.Conv2d):
            def init_weights(self) -> None:
                nn.init.constant_(self.weight, 0.25)

        cfg = distiller()
        cfg['connectors']['mlp'] = dict(type=Initialised, in_channels=4, out_channels=6, kernel_size=1)
        algorithm = make(distiller=cfg)
        before = copy.deepcopy(algorithm.teacher.model.state_dict())
        algorithm.init_weights()
        assert algorithm.student.initialised == 1
        assert (algorithm.distiller.connectors['mlp'].weight == 0.25).all()
        assert algorithm.teacher.model.initialised == 0
        torch.testing.assert_close(algorithm.teacher.model.state_dict(), before)

    def test_init_weights_reaches_a_teacher_that_initialises_itself(self, tmp_path: Path) -> None:
        path = tmp_path / 'teacher.pth'
        torch.save(toy(8, width=6).state_dict(), path)
        init = dict(type='Pretrained', checkpoint=str(path))
        algorithm = make(teacher=dict(type='ToyModel', width=6, init_cfg=init))
        algorithm.init_weights()
        assert torch.equal(algorithm.teacher.model.head.weight, toy(8, width=6).head.weight)
        assert not algorithm.teacher.model.training


def to_neck() -> dict:
    """CWT of the neck's outputs."""
    cfg = distiller('neck', 'neck')
    cfg['connectors']['mlp']['out_channels'] = 4
    return cfg


def heir(**kwargs: Any) -> SingleTeacherDistill:
    return SingleTeacherDistill(toy(1), toy(2), to_neck(), **kwargs)


def same(ours: nn.Module, theirs: nn.Module) -> bool:
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class TestInherit:
    def test_the_named_parts_are_the_teachers_after_initialising_and_the_others_are_not(self) -> None:
        algorithm = heir(inherit=['neck', 'backbone.norm'])
        theirs = algorithm.teacher.model
        assert not same(algorithm.neck, theirs.neck)
        algorithm.init_weights()
        assert same(algorithm.neck, theirs.neck)
        assert same(algorithm.backbone.norm, theirs.backbone.norm)  # running statistics, too
        assert not same(algorithm.head, theirs.head)
        assert not same(algorithm.backbone.conv, theirs.backbone.conv)

    def test_they_are_copies_that_train_and_the_teacher_stays_frozen(self) -> None:
        algorithm = heir(inherit='neck')
        algorithm.init_weights()
        before = copy.deepcopy(algorithm.teacher.model.state_dict())
        optimiser = torch.optim.SGD(algorithm.parameters(), lr=0.1)
        losses = algorithm(**batch(), mode='loss')
        (losses['student.loss_cls'] + losses['distill.loss_cwt']).backward()
        optimiser.step()
        assert not same(algorithm.neck, algorithm.teacher.model.neck)
        torch.testing.assert_close(algorithm.teacher.model.state_dict(), before)

    def test_what_sees_the_pixels_is_not_taken_over_from_a_teacher_of_other_pixels(self) -> None:
        def algorithm(inherit: str, **pixels: Any) -> SingleTeacherDistill:
            ours, theirs = (dict(mean=[120] * 3, std=[60] * 3), {**dict(mean=[120] * 3, std=[60] * 3), **pixels})
            student, teacher = (
                toy(seed, data_preprocessor=dict(type='ImgDataPreprocessor', **given))
                for seed, given in ((1, ours), (2, theirs))
            )
            return SingleTeacherDistill(student, teacher, to_neck(), inherit=inherit)

        for other in (dict(std=[1] * 3), dict(mean=[0] * 3), dict(bgr_to_rgb=True)):
            for name in ('backbone', 'backbone.conv'):
                with pytest.raises(
                    ConfigError, match=rf"^model\.inherit='{name}' holds backbone\.conv, trained on pixels"
                ):
                    algorithm(name, **other)
            algorithm('neck', **other)
            algorithm('backbone.norm', **other)
        algorithm('backbone', mean=[120.2] * 3, std=[60.1] * 3, pad_value=9)

    def test_nothing_is_inherited_unless_asked_for(self) -> None:
        algorithm = heir(inherit=None)  # as --cfg-options model.inherit=None
        algorithm.init_weights()
        theirs = algorithm.teacher.model
        assert not any(same(getattr(algorithm, name), getattr(theirs, name)) for name in ('backbone', 'neck', 'head'))

    def test_a_teacher_that_initialises_itself_does_so_first(self, tmp_path: Path) -> None:
        save_checkpoint(toy(8).state_dict(), str(tmp_path / 'teacher.pth'))
        init = dict(type='Pretrained', checkpoint=str(tmp_path / 'teacher.pth'))
        teacher = dict(type='ToyModel', init_cfg=init)
        algorithm = SingleTeacherDistill(toy(1), teacher, to_neck(), inherit=['head'])
        algorithm.init_weights()
        assert same(algorithm.head, toy(8).head)

    @pytest.mark.parametrize(
        ('inherit', 'classes', 'message'),
        [
            (['nek'], 3, r"='nek' is not a part of the student; the nearest is 'neck'"),
            ([''], 3, r"='' is not a part of the student; there are 'data_preprocessor', 'backbone'"),
            ([3], 3, r'=3 is not a part of the student'),
            (['neck', 'tail'], 3, r"='tail' is not a part of the teacher"),
            (['head'], 5, r"='head' does not fit: head\.weight is \(3, 4\) in the student and \(5, 4\) in the teacher"),
            (['more'], 3, r"='more' does not fit: more\.bias is \(2,\) in the student and absent in the teacher"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_training(self, inherit: list, classes: int, message: str) -> None:
        student, teacher = toy(1), toy(2, classes=classes)
        student.tail, student.more, teacher.more = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
        with pytest.raises(ConfigError, match=rf'^model\.inherit{message}'):
            SingleTeacherDistill(student, teacher, to_neck(), inherit=inherit)
