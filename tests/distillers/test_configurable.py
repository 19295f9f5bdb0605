import copy
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import Tensor, nn
from wiring import (
    ABF,
    BASE,
    DROP,
    LOGITS,
    REVIEW,
    SIZES,
    STUDENT,
    TEACHER,
    ListLoss,
    MatrixLoss,
    Toy,
    TwoResults,
    changed,
    logits_with,
    make,
    run,
    source,
)

from mmkd_ext.build import build_part
from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS as OURS


class InplaceConnector(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(0.5)


class FusingConnector(nn.Module):
    """Three to five channels, each level with the mean of those above it; counts how often it runs."""

    takes_levels = True

    def __init__(self, give: int = 3) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 5, 1) for _ in SIZES)
        self.give, self.runs = give, 0

    def forward(self, levels: list) -> list:
        self.runs += 1
        assert type(levels) is list
        maps = [conv(x) for conv, x in zip(self.convs, levels, strict=True)]
        return [x + sum(y.mean() for y in maps[i + 1 :]) for i, x in enumerate(maps)][: self.give]


class InplaceFusion(nn.Module):
    takes_levels = True

    def forward(self, levels: list) -> list:
        return [levels[0], levels[1].mul_(2), levels[2]]


class TestWiring:
    def test_the_loss_is_that_of_the_records_named(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        losses = run(make(changed(*LOGITS)), student, teacher, x)
        expected = OURS.build(dict(type='KDLoss', tau=2.0))(student(x), teacher(x))
        assert list(losses) == ['loss_kd']
        torch.testing.assert_close(losses['loss_kd'], expected)

    def test_a_list_of_levels_is_the_sum_of_one_stanza_a_level(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        short = make(BASE)
        one = dict(type='ChannelMLPConnector', in_channels=3, out_channels=5)
        long = make(
            changed(
                ('connectors', {f'mlp{i}': one for i in range(3)}),
                ('distill_losses', {f'loss_{i}': BASE['distill_losses']['loss_cwt'] for i in range(3)}),
                (
                    'loss_forward_mappings',
                    {
                        f'loss_{i}': dict(
                            student=source('student', data_idx=i, connector=f'mlp{i}'),
                            teacher=source('teacher', data_idx=i),
                        )
                        for i in range(3)
                    },
                ),
            )
        )
        for i in range(3):
            long.connectors[f'mlp{i}'].load_state_dict(short.connectors['mlp'][i].state_dict())
        grads, totals = [], []
        for distiller in (short, long):
            student.zero_grad()
            total = sum(run(distiller, student, teacher, x).values())
            total.backward()
            totals.append(total.detach())
            grads.append([p.grad.clone() for p in (*student.neck.parameters(), *distiller.parameters())])
        torch.testing.assert_close(totals[0], totals[1])
        torch.testing.assert_close(grads[0], grads[1])
        assert all(grad.abs().sum() > 0 for grad in grads[0])

    def test_each_level_has_its_own_connector(self) -> None:
        connectors = make(BASE).connectors['mlp']
        assert len(connectors) == 3
        assert len({id(p) for p in connectors.parameters()}) == 12
        assert not torch.equal(*(next(connectors[i].parameters()) for i in (0, 1)))

    def test_the_value_of_a_level_by_hand(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(BASE)
        loss = run(distiller, student, teacher, x)['loss_cwt']
        expected = 0.0
        for mlp, s, t in zip(distiller.connectors['mlp'], student.neck(x), teacher.neck(x), strict=True):
            expected += 0.1 * ((mlp(s) - t) ** 2).sum().item() / 2
        assert loss.shape == ()
        assert loss.item() == pytest.approx(expected, rel=1e-5)

    def test_lists_of_recorders_and_of_connectors_name_levels_too(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        taps = {f'level{i}': dict(type='ModuleOutputs', source=f'neck.convs.{i}') for i in range(2)}
        one = dict(type='ChannelMLPConnector', in_channels=3, out_channels=5)
        names = dict(recorder=['level0', 'level1'])
        distiller = make(
            changed(
                ('student_recorders', taps),
                ('teacher_recorders', taps),
                ('connectors', dict(a=one, b=one)),
                (STUDENT, dict(from_student=True, connector=['a', 'b'], **names)),
                (TEACHER, dict(from_student=False, **names)),
            )
        )
        loss = run(distiller, student, teacher, x)['loss_cwt']
        expected = sum(
            0.1 * (distiller.connectors[name](student.neck(x)[i]) - teacher.neck(x)[i]).square().sum() / 2
            for i, name in enumerate('ab')
        )
        torch.testing.assert_close(loss, expected)

    def test_an_argument_without_a_list_is_given_to_every_level(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        class Shared(nn.Module):
            def forward(self, student: Tensor, factor: Tensor) -> Tensor:
                return student.sum() * factor.sum()

        distiller = make(
            changed(
                ('connectors', {}),
                ('distill_losses.loss_cwt', dict(type=Shared)),
                (
                    'loss_forward_mappings.loss_cwt',
                    dict(
                        student=source('student', data_idx=[0, 2]),
                        factor=dict(from_student=False, recorder='head'),
                    ),
                ),
            )
        )
        maps = student.neck(x)
        expected = (maps[0].sum() + maps[2].sum()) * teacher(x).sum()
        torch.testing.assert_close(run(distiller, student, teacher, x)['loss_cwt'], expected)

    def test_a_loss_that_takes_levels_gets_the_lists(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(changed(('distill_losses.loss_cwt', dict(type=ListLoss))))
        loss = run(distiller, student, teacher, x)['loss_cwt']
        given = distiller.distill_losses['loss_cwt'].given
        assert [[tuple(m.shape) for m in maps] for maps in given] == [[(2, 5, n, n) for n in SIZES]] * 2
        assert loss.shape == ()

    def test_a_list_of_connectors_is_applied_in_sequence(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        chain = [dict(type='ChannelMLPConnector', in_channels=a, out_channels=b) for a, b in ((3, 4), (4, 5))]
        distiller = make(changed(('connectors.mlp', chain), (f'{STUDENT}.data_idx', 1), (f'{TEACHER}.data_idx', 1)))
        loss = run(distiller, student, teacher, x)['loss_cwt']
        first, second = distiller.connectors['mlp']
        expected = 0.1 * (second(first(student.neck(x)[1])) - teacher.neck(x)[1]).square().sum() / 2
        torch.testing.assert_close(loss, expected)

    def test_connector_idx_picks_one_of_a_connectors_results(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(
            changed(
                ('connectors.mlp', dict(type=TwoResults)),
                (STUDENT, source('teacher', data_idx=0, connector='mlp', connector_idx=1)),
                (TEACHER, source('teacher', data_idx=0)),
            )
        )
        expected = 0.1 * (2 * teacher.neck(x)[0]).square().sum() / 2
        torch.testing.assert_close(run(distiller, student, teacher, x)['loss_cwt'], expected.detach())

    def test_an_argument_with_a_default_may_be_left_out_and_may_be_given(self) -> None:
        make(logits_with(dict(type=MatrixLoss)))
        labels = ('loss_forward_mappings.loss_kd.labels', dict(from_student=True, recorder='neck', data_idx=0))
        make(logits_with(dict(type=MatrixLoss), labels))

    def test_record_idx_picks_a_run(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(changed(*LOGITS, ('loss_forward_mappings.loss_kd.teacher.record_idx', 1)))
        with distiller.teacher_recorders.recording(teacher):
            teacher(x)
            teacher(2 * x)
        with distiller.student_recorders.recording(student):
            student(x)
        expected = OURS.build(dict(type='KDLoss', tau=2.0))(student(x), teacher(2 * x))
        torch.testing.assert_close(distiller.compute_distill_losses()['loss_kd'], expected)

    def test_several_losses_may_share_records(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(
            changed(
                ('distill_losses.loss_kd', dict(type='KDLoss', tau=2.0)),
                ('loss_forward_mappings.loss_kd', LOGITS[2][1]['loss_kd']),
            )
        )
        assert list(run(distiller, student, teacher, x)) == ['loss_cwt', 'loss_kd']

    def test_a_config_dict_and_a_built_module_are_taken_as_well(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        expected = run(make(BASE), student, teacher, x)
        found = run(make(ConfigDict(copy.deepcopy(BASE))), student, teacher, x)
        torch.testing.assert_close(found, expected)
        built = make(changed(('distill_losses.loss_cwt', OURS.build(dict(type='CWTLoss', alpha=0.1)))))
        torch.testing.assert_close(run(built, student, teacher, x), expected)

    def test_the_config_is_left_as_it_is(self) -> None:
        cfg = copy.deepcopy(BASE)
        make(cfg)
        assert cfg == BASE

    def test_without_losses_there_is_nothing_to_add(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        assert run(ConfigurableDistiller(), student, teacher, x) == {}


def fusing(*edits: tuple[str, Any]) -> dict:
    """`BASE` with a connector that takes all levels at once."""
    return changed(('connectors', dict(fuse=dict(type=FusingConnector))), (f'{STUDENT}.connector', 'fuse'), *edits)


class TestConnectorsOfAllLevels:
    def test_a_loss_that_takes_levels_gets_what_it_returns(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(fusing(('distill_losses.loss_cwt', dict(type=ListLoss))))
        loss = run(distiller, student, teacher, x)['loss_cwt']
        given, _ = distiller.distill_losses['loss_cwt'].given
        connector = distiller.connectors['fuse']
        assert connector.runs == 1
        expected = connector(list(student.neck(x)))
        assert type(given) is list
        torch.testing.assert_close(given, expected)
        torch.testing.assert_close(loss, ListLoss()(expected, teacher.neck(x)))

    def test_for_another_loss_it_is_split_into_levels(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(fusing())
        loss = run(distiller, student, teacher, x)['loss_cwt']
        connector = distiller.connectors['fuse']
        assert connector.runs == 1
        pairs = zip(connector(list(student.neck(x))), teacher.neck(x), strict=True)
        torch.testing.assert_close(loss, sum(0.1 * (s - t).square().sum() / 2 for s, t in pairs))

    @pytest.mark.parametrize('loss', [BASE['distill_losses']['loss_cwt'], dict(type=ListLoss)])
    def test_a_whole_record_is_a_list_of_levels(self, loss: dict, student: Toy, teacher: Toy, x: Tensor) -> None:
        edit = ('distill_losses.loss_cwt', loss)
        listed = run(make(fusing(edit)), student, teacher, x)
        whole = make(fusing(edit, (f'{STUDENT}.data_idx', DROP)))
        torch.testing.assert_close(run(whole, student, teacher, x), listed)
        assert whole.connectors['fuse'].runs == 1

    def test_levels_may_come_from_several_recorders(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        """The third is a whole record, an embedding; `ABFConnector` makes a map of it."""
        names = dict(recorder=['neck', 'neck', 'head'], data_idx=[0, 2, None])
        abf = dict(type='ABFConnector', in_channels=[3, 3, 6], out_channels=[5, 5, 6], mid_channels=4)
        distiller = make(
            changed(
                *REVIEW,
                ('connectors.abf', abf),
                (STUDENT, dict(from_student=True, connector='abf', **names)),
                (TEACHER, dict(from_student=False, **names)),
            )
        ).eval()
        ours, theirs = ([toy.neck(x)[0], toy.neck(x)[2], toy(x)] for toy in (student, teacher))
        expected = OURS.build(dict(type='HCLLoss'))(distiller.connectors['abf'](ours), theirs)
        torch.testing.assert_close(run(distiller, student, teacher, x)['loss_cwt'], expected)

    def test_gradients_reach_all_levels_and_all_of_the_connector(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(changed(*REVIEW))
        run(distiller, student, teacher, x)['loss_cwt'].backward()
        assert all(p.grad.abs().sum() > 0 for p in (*student.neck.parameters(), *distiller.parameters()))
        assert all(p.grad is None for p in teacher.parameters())

    def test_on_the_teachers_side_it_is_trained_and_the_teacher_is_not(
        self, student: Toy, teacher: Toy, x: Tensor
    ) -> None:
        mapping = dict(student=source('student', data_idx=[0, 1, 2]), teacher=source('teacher', connector='fuse'))
        student, teacher = teacher, student  # the connector takes 3 channels
        distiller = make(
            fusing(('distill_losses.loss_cwt', dict(type=ListLoss)), ('loss_forward_mappings.loss_cwt', mapping))
        )
        run(distiller, student, teacher, x)['loss_cwt'].backward()
        assert all(p.grad is not None for p in (*distiller.parameters(), *student.neck.parameters()))
        assert all(p.grad is None for p in teacher.parameters())

    def test_it_runs_once_for_each_loss(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        mapping = changed((f'{STUDENT}.connector', 'fuse'))['loss_forward_mappings']['loss_cwt']
        distiller = make(
            fusing(
                ('distill_losses.loss_list', dict(type=ListLoss)),
                ('loss_forward_mappings.loss_list', mapping),
            )
        )
        assert list(run(distiller, student, teacher, x)) == ['loss_cwt', 'loss_list']
        assert distiller.connectors['fuse'].runs == 2

    def test_several_in_sequence(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        first = dict(ABF, out_channels=[3, 3, 3])
        distiller = make(changed(*REVIEW, ('connectors.abf', [first, ABF]))).eval()
        chain = distiller.connectors['abf']
        expected = OURS.build(dict(type='HCLLoss'))(chain[1](chain[0](list(student.neck(x)))), list(teacher.neck(x)))
        torch.testing.assert_close(run(distiller, student, teacher, x)['loss_cwt'], expected)

    @pytest.mark.parametrize(
        ('edits', 'message'),
        [
            (
                [(f'{STUDENT}.connector', ['fuse'] * 3)],
                rf"{STUDENT}\.connector='fuse' takes all levels at once; name it",
            ),
            ([(f'{STUDENT}.connector_idx', 1)], rf"{STUDENT}\.connector='fuse' returns all levels, .*connector_idx"),
            ([(f'{STUDENT}.connector_idx', [0, 1, 2])], rf"{STUDENT}\.connector='fuse' returns all levels"),
            ([('connectors.fuse.levels', 3)], r'connectors\.fuse\.levels: FusingConnector takes all levels at once'),
            (
                [('connectors.fuse', [dict(type=TwoResults), dict(type=FusingConnector)])],
                r'connectors\.fuse: either all or none of the connectors in a sequence must take all levels',
            ),
            ([(f'{TEACHER}.data_idx', [0, 1])], r"loss_forward_mappings\.loss_cwt: .*\{'student': 3, 'teacher': 2\}"),
        ],
    )
    def test_mistakes_in_the_config_are_refused_with_the_key(self, edits: list, message: str) -> None:
        with pytest.raises(ConfigError, match=rf'^model\.distiller\.{message}'):
            make(fusing(*edits))

    @pytest.mark.parametrize(
        ('edits', 'parts'),
        [
            (
                [(f'{STUDENT}.data_idx', 1), (f'{TEACHER}.data_idx', 1)],
                [
                    'connectors.fuse: it takes a list of levels, got (2, 3, 4, 4); list them in data_idx',
                    "student recorder 'neck'[1]",
                ],
            ),
            (
                [('connectors.fuse', dict(type=FusingConnector, give=2))],
                ['connectors.fuse: it must return 3 levels, got list of [(2, 5, 8, 8), (2, 5, 4, 4)]'],
            ),
            (
                [(f'{STUDENT}.data_idx', DROP), (f'{TEACHER}.data_idx', [0, 1])],
                [
                    'loss_forward_mappings.loss_cwt: the arguments give different numbers of levels, ',
                    "{'student': 3, 'teacher': 2}",
                ],
            ),
            (
                [('connectors.fuse', dict(ABF, in_channels=[3, 3], out_channels=[5, 5]))],
                [
                    'connectors.fuse: in_channels lists 2 levels, got 3',
                    "student recorder 'neck'[0] through connector 'fuse', student recorder 'neck'[1]",
                ],
            ),
            (
                [('connectors.fuse', dict(ABF, in_channels=[3, 4, 3]))],
                ['connectors.fuse: in_channels[1]=4 expects (B, 4, H, W) or (B, 4), got (2, 3, 4, 4)'],
            ),
            (
                [
                    ('connectors.fuse', dict(ABF, out_sizes=[8, 2, 2])),
                    ('distill_losses.loss_cwt', dict(type='HCLLoss')),
                ],
                [
                    'distill_losses.loss_cwt: expected student and teacher of one shape (B, C, H, W) at level 1, ',
                    'got (2, 5, 2, 2) and (2, 5, 4, 4)',
                ],
            ),
            (
                [('connectors.fuse', dict(type=InplaceFusion))],
                ['connectors.fuse: it changes the record in place, which other losses may use'],
            ),
        ],
    )
    def test_mistakes_that_show_in_the_first_step_name_the_key(
        self, edits: list, parts: list, student: Toy, teacher: Toy, x: Tensor
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            run(make(fusing(*edits)), student, teacher, x)
        assert str(caught.value).startswith(f'model.distiller.{parts[0]}')
        assert all(part in str(caught.value) for part in parts)


class TestGradients:
    def test_none_reaches_the_teacher(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        losses = run(make(changed(('distill_losses.loss_cwt', dict(type=ListLoss)))), student, teacher, x)
        losses['loss_cwt'].backward()
        assert all(p.grad is None for p in teacher.parameters())
        assert all(p.grad is not None for p in student.neck.parameters())

    def test_a_connector_on_the_teachers_side_is_trained(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(
            changed(
                ('connectors.mlp', dict(type='ChannelMLPConnector', in_channels=5, out_channels=3)),
                ('distill_losses.loss_cwt', dict(type=ListLoss)),
                (STUDENT, source('student', data_idx=[0])),
                (TEACHER, source('teacher', data_idx=[0], connector='mlp')),
            )
        )
        run(distiller, student, teacher, x)['loss_cwt'].backward()
        assert all(p.grad is None for p in teacher.parameters())
        assert all(p.grad is not None for p in distiller.parameters())

    def test_a_connector_that_works_in_place_does_not_change_the_record_unnoticed(
        self, student: Toy, teacher: Toy, x: Tensor
    ) -> None:
        both = dict(student=source('student', data_idx=0), teacher=source('student', data_idx=0, connector='scaled'))
        distiller = make(
            changed(
                ('connectors', dict(scaled=dict(type=InplaceConnector))),
                ('loss_forward_mappings.loss_cwt', both),
            )
        )
        expected = 0.1 * (0.5 * student.neck(x)[0]).square().sum() / 2
        for _ in range(2):
            try:
                loss = run(distiller, student, teacher, x)['loss_cwt']
            except ConfigError as error:  # a refusal is as good
                assert str(error).startswith('model.distiller.connectors.scaled: ')  # noqa: PT017
                return
            torch.testing.assert_close(loss, expected)


class TestMistakesInTheConfig:
    """Each is refused when the distiller is built, with a message that begins with the key."""

    @pytest.mark.parametrize(
        ('edits', 'message'),
        [
            ([(f'{STUDENT}.recorders', 'neck')], rf"{STUDENT}\.recorders is unknown; the nearest are 'recorder', "),
            ([(f'{STUDENT}.recorder', 'nek')], rf"{STUDENT}\.recorder: .*student_recorders has no 'nek'.*'neck'"),
            ([(f'{TEACHER}.recorder', 'hed')], rf"{TEACHER}\.recorder: .*teacher_recorders has no 'hed'.*'head'"),
            ([(f'{STUDENT}.recorder', DROP)], rf'{STUDENT}\.recorder is missing'),
            ([(f'{TEACHER}.from_student', DROP)], rf'{TEACHER}\.from_student is missing'),
            ([(f'{STUDENT}.from_student', 'yes')], rf"{STUDENT}\.from_student must be True or False, got 'yes'"),
            ([(f'{STUDENT}.from_student', 1)], rf'{STUDENT}\.from_student must be True or False, got 1'),
            (
                [(f'{TEACHER}.data_idx', [[0, 1], [0, 2], [0, 3]])],
                rf'{TEACHER}\.data_idx must be the index or key of an item \(an item of an item needs its own '
                r'recorder\), or a list with one per level, got \[\[0, 1\], ',
            ),
            (
                [(f'{STUDENT}.connector', [['mlp']] * 3)],
                rf"{STUDENT}\.connector must be a connector's name, .*got .*'mlp'",
            ),
            ([(f'{STUDENT}.recorder', dict(a=1))], rf"{STUDENT}\.recorder must be a recorder's name, .*got \{{'a'"),
            ([(f'{STUDENT}.record_idx', True)], rf'{STUDENT}\.record_idx must be a whole number, .*got True'),
            ([(STUDENT, 'neck')], rf"{STUDENT} must be a dict .*got 'neck'"),
            ([('loss_forward_mappings.loss_cwt', 'neck')], r'loss_forward_mappings\.loss_cwt must be a dict'),
            ([('loss_forward_mappings', ['loss_cwt'])], r'loss_forward_mappings must be a dict of losses'),
            (
                [(f'{STUDENT}.connector', 'mpl')],
                rf"{STUDENT}\.connector='mpl' is not in .*connectors; the nearest is 'mlp'",
            ),
            ([(TEACHER, DROP)], r'loss_forward_mappings\.loss_cwt\.teacher is missing: CWTLoss takes student, teacher'),
            (
                [('loss_forward_mappings.loss_cwt.studnet', source('student'))],
                r"loss_forward_mappings\.loss_cwt\.studnet is not an argument of CWTLoss; the nearest is 'student'",
            ),
            (
                [('loss_forward_mappings.loss_cvt', BASE['loss_forward_mappings']['loss_cwt'])],
                r"loss_forward_mappings\.loss_cvt has no loss in .*distill_losses; the nearest is 'loss_cwt'",
            ),
            (
                [('distill_losses', dict(cwt=BASE['distill_losses']['loss_cwt']))],
                r"distill_losses\.cwt: the name of a loss must contain 'loss'",
            ),
            (
                [('distill_losses.loss_cwt.type', 'CWTLos')],
                r"distill_losses\.loss_cwt\.type='CWTLos' is not registered; the nearest .*'CWTLoss'",
            ),
            (
                [('distill_losses.loss_cwt.type', 'mmkd_ext.CWTLos')],
                r"distill_losses\.loss_cwt\.type='mmkd_ext\.CWTLos' is not registered; the nearest .*'CWTLoss'",
            ),
            (
                [('distill_losses.loss_cwt.type', 'mmrazor.ChannelWiseDivergenc')],
                r"distill_losses\.loss_cwt\.type=.* is not registered; the nearest .*'ChannelWiseDivergence'",
            ),
            ([('distill_losses.loss_cwt.type', DROP)], r'distill_losses\.loss_cwt must be a dict with the key `type`'),
            ([('distill_losses.loss_cwt', 'CWTLoss')], r"distill_losses\.loss_cwt must be a dict .*got 'CWTLoss'"),
            ([('distill_losses.loss_cwt.alpa', 1)], r"distill_losses\.loss_cwt\.alpa is unknown to CWTLoss"),
            ([('distill_losses.loss_cwt.alpha', DROP)], r"distill_losses\.loss_cwt: .*missing .*'alpha'"),
            (
                [*LOGITS, ('distill_losses.loss_kd.tau', 0)],
                r'distill_losses\.loss_kd: tau must be > 0, got 0\.$',
            ),
            ([('connectors.mlp.channels', 1)], r"connectors\.mlp\.channels is unknown to ChannelMLPConnector"),
            ([('connectors.mlp.type', 'ChannelMLP')], r"connectors\.mlp\.type='ChannelMLP' is not registered"),
            ([('connectors.mlp', [dict(type='Channel')])], r"connectors\.mlp\[0\]\.type='Channel' is not registered"),
            ([('connectors.mlp.levels', 0)], r'connectors\.mlp\.levels must be a whole number >= 1, got 0'),
            ([('connectors.mlp.levels', '3')], r"connectors\.mlp\.levels must be a whole number >= 1, got '3'"),
            (
                [('connectors.mlp.levels', 2)],
                rf'{STUDENT}: .*connectors\.mlp\.levels=2, but the mapping names 3 levels',
            ),
            (
                [(f'{STUDENT}.data_idx', 0), (f'{TEACHER}.data_idx', 0)],
                rf'{STUDENT}: .*connectors\.mlp\.levels=3, but the mapping names no list of levels',
            ),
            (
                [(f'{TEACHER}.data_idx', [0, 1])],
                r"loss_forward_mappings\.loss_cwt: .*different numbers of levels, \{'student': 3, 'teacher': 2\}",
            ),
            (
                [(f'{STUDENT}.record_idx', [0, 0])],
                rf'{STUDENT}: record_idx and data_idx must list the same number of levels',
            ),
            ([(f'{TEACHER}.data_idx', [])], rf'{TEACHER}: data_idx must list the same number of levels, at least one'),
            ([('distill_deliveries', dict(a=dict(type='MethodOutputs')))], r'distill_deliveries is not supported'),
            ([('student_recorders.neck.type', 'Outputs')], r"student_recorders\.neck\.type='Outputs' is not reg"),
            ([('teacher_recorders.neck.source', DROP)], r"teacher_recorders\.neck: .*missing .*'source'"),
            ([('connectors', {'neck.0': BASE['connectors']['mlp']})], r'connectors\.neck\.0'),
            ([('connectors', {'values': BASE['connectors']['mlp']})], r'connectors\.values'),
            (
                [('distill_losses', {'loss.cwt': BASE['distill_losses']['loss_cwt']})],
                r'distill_losses\.loss\.cwt',
            ),
        ],
    )  # fmt: skip
    def test_the_message_begins_with_the_key(self, edits: list, message: str) -> None:
        with pytest.raises(ConfigError, match=rf'^model\.distiller\.{message}'):
            make(changed(*edits))

    def test_empty_deliveries_of_a_mmrazor_config_are_accepted(self) -> None:
        make(changed(('distill_deliveries', {})))
        make(changed(('distill_deliveries', None)))

    def test_messages_keep_their_key_when_built_from_a_config(self) -> None:
        cfg = dict(type='ConfigurableDistiller', **changed(('distill_losses.loss_cwt.alpa', 1)))
        said = r'^model\.distiller\.distill_losses\.loss_cwt\.alpa is unknown to CWTLoss'
        with pytest.raises(ConfigError, match=said):
            build_part(cfg, OURS, 'model.distiller')


class TestMistakesThatShowInTheFirstStep:
    """A message names the config key, where the value came from and its shape."""

    def check(self, cfg: dict, models: tuple[Toy, Toy], x: Tensor, *parts: str) -> None:
        with pytest.raises(ConfigError) as caught:
            run(make(cfg), *models, x)
        for part in parts:
            assert part in str(caught.value)

    def test_a_connector_for_other_channels(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        self.check(
            changed(('connectors.mlp.in_channels', 4)),
            (student, teacher),
            x,
            'model.distiller.connectors.mlp.in_channels=4, but ',
            "student recorder 'neck'[0] has 3 channels, (2, 3, 8, 8).",
        )

    def test_maps_of_unequal_shape(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        self.check(
            changed((f'{TEACHER}.data_idx', [0, 2, 1])),
            (student, teacher),
            x,
            'model.distiller.distill_losses.loss_cwt: ',
            "student is (2, 5, 4, 4) from student recorder 'neck'[1] through connector 'mlp'",
            "teacher is (2, 5, 2, 2) from teacher recorder 'neck'[2]",
        )

    def test_a_whole_tuple_where_a_loss_wants_a_map(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        self.check(
            changed(('connectors', {}), (STUDENT, source('student')), (TEACHER, source('teacher'))),
            (student, teacher),
            x,
            'model.distiller.distill_losses.loss_cwt: ',
            "student is tuple of [(2, 3, 8, 8), (2, 3, 4, 4), (2, 3, 2, 2)] from student recorder 'neck'",
        )

    def test_a_whole_tuple_where_a_connector_wants_a_map(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        one = dict(type='ChannelMLPConnector', in_channels=3, out_channels=5)
        self.check(
            changed(('connectors.mlp', one), (f'{STUDENT}.data_idx', DROP), (f'{TEACHER}.data_idx', 0)),
            (student, teacher),
            x,
            'model.distiller.connectors.mlp: ',
            "student recorder 'neck' through connector 'mlp'",
        )

    @pytest.mark.parametrize('loss', [dict(type='CWTLoss', alpha=0.1), dict(type='HCLLoss'),
                                      dict(type='mmrazor.ChannelWiseDivergence')])  # fmt: skip
    def test_a_teachers_vectors_where_maps_are_compared(
        self, loss: dict, student: Toy, teacher: Toy, x: Tensor
    ) -> None:
        arguments = ('preds_S', 'preds_T') if loss['type'].startswith('mmrazor') else ('student', 'teacher')
        sides = source('student', data_idx=[0]), dict(from_student=False, recorder=['head'])
        mapping = dict(zip(arguments, sides, strict=True))
        edits = ('connectors', {}), ('distill_losses.loss_cwt', loss), ('loss_forward_mappings.loss_cwt', mapping)
        said = f'{arguments[1]} is vectors where {arguments[0]} is maps: record what comes before the pooling'
        self.check(changed(*edits), (student, teacher), x, 'model.distiller.distill_losses.loss_cwt: ', said)

    @pytest.mark.parametrize(
        ('edits', 'message'),
        [
            ([(f'{TEACHER}.data_idx', [0, 1, 9])], 'teacher_recorders.neck: data_idx=9 but neck gave 3 items'),
            ([(f'{TEACHER}.record_idx', 1)], 'teacher_recorders.neck: record_idx=1 but neck ran 1 times'),
        ],
    )
    def test_an_index_out_of_range(self, edits: list, message: str, student: Toy, teacher: Toy, x: Tensor) -> None:
        key = f'model.distiller.{TEACHER}: '
        self.check(changed(*edits), (student, teacher), x, key, message)

    def test_a_record_that_was_never_made(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        distiller = make(BASE)
        with distiller.student_recorders.recording(student):
            student(x)
        with pytest.raises(ConfigError, match=rf'^model\.distiller\.{TEACHER}: .*neck was not reached'):
            distiller.compute_distill_losses()

    def test_a_connector_idx_out_of_range(self, student: Toy, teacher: Toy, x: Tensor) -> None:
        edits = [
            ('connectors.mlp', dict(type=TwoResults)),
            (STUDENT, source('student', data_idx=0, connector='mlp', connector_idx=2)),
            (f'{TEACHER}.data_idx', 0),
        ]
        self.check(changed(*edits), (student, teacher), x, 'model.distiller.connectors.mlp: ', 'out of range')


def test_what_no_mapping_uses_is_left_out_with_a_warning(
    student: Toy, teacher: Toy, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr('mmkd_ext.distillers.configurable.print_log', lambda text, *_: said.append(text))
    distiller = make(
        changed(
            ('distill_losses.loss_two', dict(type='KDLoss', tau=1.0)),
            ('connectors.spare', dict(type='EmbedConnector', in_channels=3, out_channels=5)),
        )
    )
    assert said[0].startswith('model.distiller.distill_losses.loss_two is not used by any entry')
    assert said[1].startswith('model.distiller.connectors.spare is not used by any entry')
    losses = run(distiller, student, teacher, x)
    assert set(losses) == {'loss_cwt'}
    losses['loss_cwt'].backward()
    assert all(p.grad is not None for p in distiller.parameters())


def test_records_are_had_as_from_mmrazors_distiller(student: Toy, teacher: Toy, x: Tensor) -> None:
    distiller = make(BASE)
    distiller.prepare_from_student(student)
    distiller.prepare_from_teacher(teacher)
    with distiller.student_recorders:
        student(x)
    with distiller.teacher_recorders, torch.no_grad():
        teacher(x)
    assert torch.equal(distiller.get_record('neck', from_student=True, data_idx=1), student.neck(x)[1])
    assert torch.equal(distiller.get_record(recorder='head', from_student=False), teacher(x))
    expected = run(distiller, student, teacher, x)
    assert distiller.compute_distill_losses() == expected
    with pytest.raises(ConfigError, match=r"get_record\.recorder: .* has no 'nek'; the nearest is 'neck'"):
        distiller.get_record('nek', from_student=True)


class TestNeeded:
    def test_counts_the_records_that_losses_use(self) -> None:
        distiller = make(BASE)
        assert distiller.needed(from_student=True) == {'neck': 1}
        assert distiller.needed(from_student=False) == {'neck': 1}

    @pytest.mark.parametrize(
        ('record_idx', 'expected'), [(2, 3), (-1, None), ([0, 2, 1], 3), ([1, -1, 0], None), ([-1, 1, 0], None)]
    )
    def test_the_largest_index_decides_and_one_from_the_end_needs_all(self, record_idx: Any, expected: Any) -> None:
        distiller = make(changed((f'{TEACHER}.record_idx', record_idx)))
        assert distiller.needed(from_student=False) == {'neck': expected}

    def test_the_recorders_know_which_items_are_used(self) -> None:
        distiller = make(changed((f'{TEACHER}.data_idx', [0, None, 1])))
        assert distiller.student_recorders['neck'].items == {0, 1, 2}
        assert distiller.teacher_recorders['neck'].items is None
        assert distiller.student_recorders['head'].items is None, 'nothing is known of other uses'

    def test_an_unused_recorder_is_not_needed(self) -> None:
        assert 'head' not in make(BASE).needed(from_student=False)


def test_clear_drops_the_records_of_both_sides(student: Toy, teacher: Toy, x: Tensor) -> None:
    distiller = make(BASE)
    run(distiller, student, teacher, x)
    distiller.clear()
    taps = [*distiller.student_recorders.recorders.values(), *distiller.teacher_recorders.recorders.values()]
    assert len(taps) == 4
    assert not any(tap.records for tap in taps)


def test_it_is_built_by_name_from_mmengines_registry() -> None:
    distiller = MODELS.build(dict(type='mmkd_ext.ConfigurableDistiller', **copy.deepcopy(BASE)))
    assert type(distiller) is ConfigurableDistiller
