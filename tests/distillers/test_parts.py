"""Connectors and losses as a distiller calls them: their precision, their errors, those of MMRazor."""

from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from wiring import BASE, LOGITS, REVIEW, STUDENT, TEACHER, MatrixLoss, Toy, changed, logits_with, make, run, source

from mmkd_ext.build import build_part
from mmkd_ext.compat import import_mmrazor
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS as OURS


class TestPrecision:
    def test_under_autocast_the_loss_is_that_of_the_records_in_float32(
        self, student: Toy, teacher: Toy, x: Tensor
    ) -> None:
        distiller = make(changed(*LOGITS))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = run(distiller, student, teacher, x)['loss_kd']
        s, t = distiller.student_recorders.get('head'), distiller.teacher_recorders.get('head')
        assert s.dtype == t.dtype == torch.bfloat16
        assert loss.dtype == torch.float32
        assert torch.equal(loss, OURS.build(dict(type='KDLoss', tau=2.0))(s.float(), t.float()))

    def test_no_operation_of_the_loss_is_autocast(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(logits_with(dict(type=MatrixLoss)))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = run(distiller, student, teacher, x)['loss_kd']
        s, t = distiller.student_recorders.get('head').float(), distiller.teacher_recorders.get('head').float()
        assert torch.equal(loss, (s @ t.T).square().mean())
        assert distiller.distill_losses['loss_kd'].dtypes == (torch.float32, torch.float32)

    def test_the_losses_of_logits_and_labels_are_those_of_float32(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        student.tag = nn.Identity()
        heads = LOGITS[2][1]['loss_kd']
        labels = torch.tensor([4, 1])
        distiller = make(
            changed(
                ('connectors', {}),
                (
                    'distill_losses',
                    dict(loss_dkd=dict(type='DKDLoss', tau=2.0), loss_dist=dict(type='DISTLoss', tau=2.0)),
                ),
                ('student_recorders.tag', dict(type='ModuleOutputs', source='tag')),
                (
                    'loss_forward_mappings',
                    dict(loss_dkd=heads | dict(labels=dict(from_student=True, recorder='tag')), loss_dist=heads),
                ),
            )
        )
        with torch.autocast('cpu', dtype=torch.bfloat16):
            with distiller.teacher_recorders.recording(teacher):
                teacher(x)
            with distiller.student_recorders.recording(student):
                student(x)
                student.tag(labels)
            losses = distiller.compute_distill_losses()
        s, t = distiller.student_recorders.get('head'), distiller.teacher_recorders.get('head')
        assert s.dtype == t.dtype == torch.bfloat16
        expected = dict(
            loss_dkd=OURS.build(dict(type='DKDLoss', tau=2.0))(s.float(), t.float(), labels),
            loss_dist=OURS.build(dict(type='DISTLoss', tau=2.0))(s.float(), t.float()),
        )
        for name, loss in losses.items():
            assert loss.dtype == torch.float32
            assert torch.equal(loss, expected[name])
        sum(losses.values()).backward()
        assert all(p.grad.isfinite().all() for p in student.head.parameters())

    def test_the_loss_of_fused_levels_is_that_of_float32(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(changed(*REVIEW))
        seen = []
        distiller.connectors['abf'].register_forward_hook(lambda module, args, out: seen.extend(out))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = run(distiller, student, teacher, x)['loss_cwt']
        assert {y.dtype for y in seen} == {torch.bfloat16}
        theirs = [level.float() for level in distiller.teacher_recorders.get('neck')]
        assert loss.dtype == torch.float32
        assert torch.equal(loss, OURS.build(dict(type='HCLLoss'))([y.float() for y in seen], theirs))
        loss.backward()
        assert all(p.grad.isfinite().all() for p in (*student.neck.parameters(), *distiller.parameters()))

    def test_the_loss_of_a_projected_embedding_is_that_of_float32(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        embed = dict(type='EmbedConnector', in_channels=6, out_channels=6, dropout=0.0)
        distiller = make(
            logits_with(
                dict(type='KDLoss', tau=2.0),
                ('connectors', dict(embed=embed)),
                ('loss_forward_mappings.loss_kd.student.connector', 'embed'),
            )
        )
        seen = []
        distiller.connectors['embed'].register_forward_hook(lambda module, args, out: seen.append(out))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = run(distiller, student, teacher, x)['loss_kd']
        assert seen[0].dtype == torch.bfloat16
        expected = OURS.build(dict(type='KDLoss', tau=2.0))(
            seen[0].float(), distiller.teacher_recorders.get('head').float()
        )
        assert loss.dtype == torch.float32
        assert torch.equal(loss, expected)

    def test_gradients_pass_back_through_the_cast(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = run(make(BASE), student, teacher, x)['loss_cwt']
        loss.backward()
        assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in student.neck.parameters())

    def test_float64_stays_float64(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        loss = run(make(BASE).double(), student.double(), teacher.double(), x.double())['loss_cwt']
        assert loss.dtype == torch.float64

    def test_labels_and_other_whole_numbers_are_left_alone(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        class WithLabels(nn.Module):
            def forward(self, student: Tensor, labels: Tensor) -> Tensor:
                return nn.functional.cross_entropy(student, labels)

        class Labels(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.tensor([0, 3])

        teacher.head = Labels()
        distiller = make(
            logits_with(
                dict(type=WithLabels),
                (
                    'loss_forward_mappings.loss_kd',
                    dict(
                        student=dict(from_student=True, recorder='head'),
                        labels=dict(from_student=False, recorder='head'),
                    ),
                ),
            )
        )
        loss = run(distiller, student, teacher, x)['loss_kd']
        torch.testing.assert_close(loss, nn.functional.cross_entropy(student(x), torch.tensor([0, 3])))


def fails(error: BaseException) -> type[nn.Module]:
    """A user's loss or connector whose code raises."""

    class Broken(nn.Module):
        def forward(self, student: Tensor, teacher: Tensor | None = None) -> Tensor:
            raise error

    return Broken


class TestErrorsThatNoConfigCanMend:
    """They keep their type and their traceback; a note says where they happened."""

    @pytest.mark.parametrize('error', [KeyError('bug'), ValueError('3 is odd'), RuntimeError('shape mismatch')])
    @pytest.mark.parametrize('part', ['connectors.mlp', 'distill_losses.loss_cwt'])
    def test_those_of_a_users_own_module(
        self, part: str, error: Exception, student: Toy, teacher: Toy, x: Tensor
    ) -> None:
        broken = dict(type=fails(error))
        edits = [(part, broken)]
        if part.startswith('connectors'):  # inside a module of torch's
            edits = [(part, [broken]), (f'{STUDENT}.data_idx', 0), (f'{TEACHER}.data_idx', 0)]
        with pytest.raises(type(error)) as caught:
            run(make(changed(*edits)), student, teacher, x)
        assert caught.value is error
        assert caught.traceback[-1].name == 'forward'
        assert f'model.distiller.{part}: ' in ''.join(getattr(error, '__notes__', [f'model.distiller.{part}: ']))

    @pytest.mark.parametrize(
        'error',
        [
            torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB, of that size'),
            RuntimeError('CUDA error: device-side assert triggered; shape'),
            RuntimeError('[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: size 12'),
            torch.distributed.DistBackendError('NCCL error: unhandled system error, size'),
            RecursionError('expected'),
        ],
    )
    def test_failures_of_the_machine_inside_a_library(
        self, error: Exception, student: Toy, teacher: Toy, x: Tensor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        distiller = make(BASE)
        distiller.distill_losses['loss_cwt'].forward = failing = Mock(side_effect=error)
        with pytest.raises(type(error)) as caught:
            run(distiller, student, teacher, x)
        assert caught.value is error
        assert failing.called

    def test_what_a_config_can_mend_shows_its_cause(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        conv = dict(type=nn.Conv2d, in_channels=4, out_channels=5, kernel_size=1, levels=3)
        with pytest.raises(ConfigError) as caught:
            run(make(changed(('connectors.mlp', conv))), student, teacher, x)
        assert 'expected input[2, 3, 8, 8] to have 4 channels' in str(caught.value.__cause__)
        assert type(caught.value.__cause__) is RuntimeError
        assert caught.value.__cause__.__traceback__ is not None


class TestMMRazorParts:
    @pytest.mark.parametrize('name', ['mmrazor.ChannelWiseDivergence', 'ChannelWiseDivergence'])
    def test_its_loss_gives_its_own_value(self, name: str, student: Toy, x: Tensor) -> None:
        import_mmrazor()
        from mmrazor.models.losses import ChannelWiseDivergence

        distiller = make(
            changed(
                ('connectors', {}),
                ('distill_losses.loss_cwt', dict(type=name, tau=3.0, loss_weight=2.0)),
                (
                    'loss_forward_mappings.loss_cwt',
                    dict(preds_S=source('student', data_idx=0), preds_T=source('teacher', data_idx=0)),
                ),
            )
        )
        teacher = Toy(3, seed=2)
        assert type(distiller.distill_losses['loss_cwt']) is ChannelWiseDivergence
        expected = ChannelWiseDivergence(tau=3.0, loss_weight=2.0)(student.neck(x)[0], teacher.neck(x)[0])
        torch.testing.assert_close(run(distiller, student, teacher, x)['loss_cwt'], expected)

    @pytest.mark.parametrize('part', ['loss', 'connector'])
    def test_its_parts_get_contiguous_maps(self, part: str, student: Toy, teacher: Toy, x: Tensor) -> None:
        """They use `view`; SegFormer's maps and those of channels-last backbones are not contiguous."""
        loss = dict(type='mmrazor.FTLoss') if part == 'loss' else dict(type='CWTLoss', alpha=1.0)
        names = ('s_feature', 't_feature') if part == 'loss' else ('student', 'teacher')
        sides = source('student', data_idx=0, connector='wide'), source('teacher', data_idx=0)
        connector = dict(type='Conv2d', in_channels=3, out_channels=5, kernel_size=1)
        if part == 'connector':
            connector = dict(type='mmrazor.CRDConnector', dim_in=192, dim_out=6)
            sides = sides[0], dict(from_student=False, recorder='head')
            loss = dict(type='KDLoss', tau=1.0)
        edits = [('connectors', dict(wide=connector)), ('distill_losses.loss_cwt', loss)]
        distiller = make(changed(*edits, ('loss_forward_mappings.loss_cwt', dict(zip(names, sides, strict=True)))))
        expected = run(distiller, student, teacher, x)['loss_cwt']
        for model in (student, teacher):
            model.neck.to(memory_format=torch.channels_last)
        loss = run(distiller, student, teacher, x.to(memory_format=torch.channels_last))['loss_cwt']
        assert not distiller.student_recorders.get('neck')[0].is_contiguous()
        torch.testing.assert_close(loss, expected)

    @pytest.mark.parametrize(
        ('loss', 'names'),
        [
            (dict(type='DKDLoss', tau=2.0, reduction='mean'), ('preds_S', 'preds_T', 'gt_labels')),
            (dict(type='DISTLoss', inter_loss_weight=2.0, intra_loss_weight=0.5), ('logits_S', 'logits_T')),
        ],
    )
    def test_our_losses_of_its_names_take_its_arguments(self, loss: dict, names: tuple) -> None:
        import_mmrazor()
        sides = (dict(from_student=True, recorder='head'), dict(from_student=False, recorder='head'))
        sides = (*sides, dict(from_student=True, recorder='neck'))
        mapping = ('loss_forward_mappings.loss_kd', dict(zip(names, sides, strict=False)))
        ours, theirs = (make(logits_with(cfg, mapping)) for cfg in (loss, dict(loss, type=f'mmrazor.{loss["type"]}')))
        assert type(ours.distill_losses['loss_kd']) is not type(theirs.distill_losses['loss_kd'])
        for distiller in (ours, theirs):
            torch.manual_seed(0)
            distiller.student_recorders['head'].record(torch.randn(2, 6))
            distiller.teacher_recorders['head'].record(torch.randn(2, 6))
            distiller.student_recorders['neck'].record(torch.tensor([1, 0]))
        torch.testing.assert_close(ours.compute_distill_losses(), theirs.compute_distill_losses())

    def test_the_scope_key_of_mmrazor_is_understood(self) -> None:
        import_mmrazor()
        loss = build_part(dict(type='L2Loss', _scope_='mmrazor'), OURS, 'key')
        assert type(loss).__module__.startswith('mmrazor.')

    def test_its_connector_is_usable_at_every_level(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(
            changed(('connectors.mlp', dict(type='ConvModuleConnector', in_channel=3, out_channel=5, levels=3)))
        )
        assert run(distiller, student, teacher, x)['loss_cwt'] > 0


@pytest.mark.parametrize('argument', ['student', 'teacher'])
def test_a_loss_that_changes_its_arguments_is_refused(argument: str, student: Toy, teacher: Toy, x: Tensor) -> None:
    """The next loss of the same record would get what is left of it."""

    class Inplace(nn.Module):
        def forward(self, **given: Tensor) -> Tensor:
            given[argument].mul_(2)
            return (given['student'] - given['teacher']).square().mean()

    distiller = make(logits_with(dict(type=Inplace)))
    with pytest.raises(ConfigError, match=r'loss_kd: it changes its arguments in place, which other losses may use \('):
        run(distiller, student, teacher, x)
