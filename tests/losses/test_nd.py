import copy
import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from testers import WEIGHT, LossTester
from torch import Tensor, nn

from mmkd_ext.class_means import ClassMeans, fingerprint
from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.errors import ConfigError

CLASSES, SAMPLES, CHANNELS = 3, 5, 7
LABELS = torch.tensor([2, 0, 2, 1, 2])
MEANS = torch.randn(CLASSES, CHANNELS, generator=torch.Generator().manual_seed(3), dtype=torch.float64).tolist()


def released(student: Tensor, teacher: Tensor, labels: Tensor, means: list[list[float]]) -> Tensor:
    """The released form, one sample at a time, each class mean made of a list; the larger norm by Python's max."""
    total = torch.zeros((), dtype=student.dtype)
    for s, t, y in zip(student, teacher, labels.tolist(), strict=True):
        centre = torch.tensor(means[y], dtype=student.dtype)
        direction = centre / torch.sqrt((centre * centre).sum())
        longest = max(torch.sqrt((s * s).sum()), torch.sqrt((t * t).sum()))
        total = total + 1 - (s * direction).sum() / longest
    return total / len(student)


class TestNDLoss(LossTester):
    cfg = dict(type='mmkd_ext.NDLoss', class_means=MEANS)
    shape = (SAMPLES, CHANNELS)
    zero_at_match = False

    def extra(self) -> tuple:
        return (LABELS,)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        return released(student, teacher, LABELS, MEANS).item()

    def build(self, **overrides: object) -> nn.Module:
        loss = super().build(**overrides)
        if not loss.running:
            loss.directions = nn.functional.normalize(torch.tensor(MEANS, dtype=torch.float64)).to(
                torch.float64 if not overrides.get('single') else torch.float32
            )  # kept in float32, which the tests of float64 would see
        return loss

    def test_gradient_equals_that_of_the_released_form(self) -> None:
        student, teacher = self.inputs()
        student = (student.detach() * torch.tensor([0.1, 1.0, 3.0, 10.0, 2.0])[:, None]).requires_grad_()
        ours, norms = self.build(), student.norm(dim=1) > teacher.norm(dim=1)
        assert norms.any()
        assert not norms.all()
        (found,) = torch.autograd.grad(ours(student, teacher, LABELS), student)
        (expected,) = torch.autograd.grad(released(student, teacher.detach(), LABELS, MEANS), student)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)

    def test_gradient_at_equal_norms_is_that_of_the_released_form(self) -> None:
        student, _ = self.inputs()
        teacher = student.detach().clone()
        (found,) = torch.autograd.grad(self.build()(student, teacher, LABELS), student)
        (expected,) = torch.autograd.grad(released(student, teacher.detach(), LABELS, MEANS), student)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)

    def test_beyond_the_teachers_norm_only_the_angle_counts(self) -> None:
        student, teacher = self.inputs()
        student = (100 * student.detach()).requires_grad_()
        (grad,) = torch.autograd.grad(self.build()(student, teacher, LABELS), student)
        radial = (grad * student).sum(dim=1) / (grad.norm(dim=1) * student.norm(dim=1))
        assert radial.abs().max() < 1e-12
        assert self.build()(2 * student, teacher, LABELS).item() == pytest.approx(
            self.build()(student, teacher, LABELS).item(), rel=1e-12
        )

    def test_below_the_teachers_norm_it_is_linear_in_the_students(self) -> None:
        student, teacher = self.inputs()
        student, loss = 1e-3 * student.detach(), self.build()
        once, twice = (1 - loss(f * student, teacher, LABELS).item() for f in (1, 2))
        assert twice == pytest.approx(2 * once, rel=1e-10)

    def test_the_length_of_a_class_mean_does_not_count(self) -> None:
        student, teacher = self.inputs(torch.float32)
        loss = MODELS.build(self.cfg)
        other = MODELS.build(dict(self.cfg, class_means=(5 * torch.tensor(MEANS)).tolist()))
        torch.testing.assert_close(loss(student, teacher, LABELS), other(student, teacher, LABELS))

    def test_is_0_along_the_mean_with_the_teachers_norm_and_2_against_it(self) -> None:
        direction = nn.functional.normalize(torch.tensor(MEANS, dtype=torch.float64))[LABELS]
        loss = self.build()
        assert loss(3 * direction, 3 * direction, LABELS).item() == pytest.approx(0, abs=1e-12)
        assert loss(-3 * direction, 3 * direction, LABELS).item() == pytest.approx(2, abs=1e-12)

    @pytest.mark.parametrize('which', ['student', 'teacher', 'both', 'class mean'])
    def test_zero_norms_give_a_finite_value_and_gradient(self, which: str) -> None:
        student, teacher = (x.detach().clone() for x in self.inputs(torch.float32))
        means = [[0.0] * CHANNELS] * CLASSES if which == 'class mean' else MEANS
        if which in ('student', 'both'):
            student[1] = 0
        if which in ('teacher', 'both'):
            teacher[1] = 0
        student.requires_grad_()
        value = MODELS.build(dict(self.cfg, class_means=means))(student, teacher, LABELS)
        value.backward()
        assert value.isfinite()
        assert student.grad.isfinite().all()

    def test_an_ignored_class_is_left_out_of_value_and_gradient(self) -> None:
        student, teacher = self.inputs()
        kept = LABELS != 2
        value = self.build(ignore_label=2)(student, teacher, LABELS)
        expected = released(student[kept], teacher[kept], LABELS[kept], MEANS)
        assert value.item() == pytest.approx(expected.item(), rel=1e-10)
        value.backward()
        assert not student.grad[~kept].any()

    def test_without_samples_it_is_zero_with_a_graph(self) -> None:
        student = torch.zeros(0, CHANNELS, requires_grad=True)
        empty = MODELS.build(self.cfg)(student, torch.zeros(0, CHANNELS), LABELS[:0])
        empty.backward()
        assert empty.item() == 0
        student, teacher = self.inputs()
        ignored = self.build(ignore_label=2)(student, teacher, torch.full_like(LABELS, 2))
        ignored.backward()
        assert ignored.item() == 0
        assert not student.grad.any()

    def test_half_precision_neither_overflows_nor_divides_by_zero(self) -> None:
        """Squares of norms beyond 256 are no float16, and no more are those of small floors."""
        student, teacher = (x.detach() * 300 for x in self.inputs(torch.float32))
        student[1], teacher[1] = 0, 0
        loss = MODELS.build(self.cfg)
        half = student.half().requires_grad_()
        value = loss(half, teacher.half(), LABELS)
        value.backward()
        assert value.item() == pytest.approx(loss(student, teacher, LABELS).item(), rel=1e-3)
        assert half.grad.isfinite().all()

    def test_two_embeddings_of_zero_do_not_destroy_a_step(self) -> None:
        student = torch.zeros(SAMPLES, CHANNELS, requires_grad=True)
        MODELS.build(self.cfg)(student, torch.zeros(SAMPLES, CHANNELS), LABELS).backward()
        assert student.grad.norm() < 1e3

    def test_an_ignored_class_needs_no_mean(self) -> None:
        student, teacher = self.inputs()
        labels = torch.tensor([2, 3, 0, 3, 1])  # 3 is the background, of which there is no mean
        kept = labels < 3
        found = self.build(ignore_label=3)(student, teacher, labels)
        expected = released(student[kept], teacher[kept], labels[kept], MEANS)
        assert found.item() == pytest.approx(expected.item(), rel=1e-10)

    def test_the_directions_are_not_in_the_checkpoint(self) -> None:
        assert not MODELS.build(self.cfg).state_dict()


class TestTermsAlone:
    """The fraction of the loss is a product; each factor alone, in float64, against plain Python."""

    def factors(self, student: Tensor, teacher: Tensor) -> dict[str, Tensor]:
        direction = norm = torch.zeros((), dtype=student.dtype)
        for s, t, y in zip(student, teacher, LABELS.tolist(), strict=True):
            centre = torch.tensor(MEANS[y], dtype=s.dtype)
            ours, theirs = torch.sqrt((s * s).sum()), torch.sqrt((t * t).sum())
            direction = direction + 1 - (s * centre).sum() / ours / torch.sqrt((centre * centre).sum())
            norm = norm + 1 - ours / max(ours, theirs)
        return dict(direction=direction / len(student), norm=norm / len(student))

    @pytest.mark.parametrize('terms', ['direction', 'norm'])
    def test_value_and_gradient(self, terms: str) -> None:
        tester = TestNDLoss()
        student, teacher = tester.inputs()
        student = (student.detach() * torch.tensor([0.1, 1.0, 3.0, 10.0, 2.0])[:, None]).requires_grad_()
        loss = tester.build(terms=terms, loss_weight=WEIGHT)
        found, expected = loss(student, teacher, LABELS), WEIGHT * self.factors(student, teacher.detach())[terms]
        assert found.item() == pytest.approx(expected.item(), rel=1e-10)
        gradients = [torch.autograd.grad(value, student)[0] for value in (found, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)
        assert torch.autograd.gradcheck(lambda x: loss(x, teacher.detach(), LABELS), (student,), fast_mode=True)

    def test_the_two_make_the_whole(self) -> None:
        tester = TestNDLoss()
        student, teacher = (x.detach()[:1] for x in tester.inputs())
        both, direction, norm = (
            1 - tester.build(terms=terms)(student, teacher, LABELS[:1]) for terms in ('both', 'direction', 'norm')
        )
        torch.testing.assert_close(both, direction * norm)

    def test_other_words_are_refused(self) -> None:
        with pytest.raises(ValueError, match="terms must be one of .*, got 'angle'"):
            MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=MEANS, terms='angle'))


class TestRunningClassMeans:
    cfg = dict(type='mmkd_ext.NDLoss', num_classes=CLASSES, channels=CHANNELS)

    def batches(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(1)
        labels = [torch.tensor([0, 2, 0]), torch.tensor([2, 2]), torch.tensor([0, 0, 2, 2])]
        return [(*torch.randn(2, len(y), CHANNELS, generator=generator), y) for y in labels]

    def test_equals_the_file_form_with_the_means_so_far(self) -> None:
        loss = MODELS.build(self.cfg)
        seen: list[tuple[Tensor, int]] = []
        for student, teacher, labels in self.batches():
            seen += zip(teacher, labels.tolist(), strict=True)
            means = [
                torch.stack([e for e, y in seen if y == k] or [torch.zeros(CHANNELS)]).double().mean(0).tolist()
                for k in range(CLASSES)
            ]
            value = loss(student, teacher, labels)
            expected = released(student.double(), teacher.double(), labels, means)
            assert value.item() == pytest.approx(expected.item(), rel=1e-5)
        assert loss.counts.tolist() == [4, 0, 5]

    def test_are_in_the_checkpoint_and_only_grow_in_training(self) -> None:
        loss, other = MODELS.build(self.cfg), MODELS.build(self.cfg)
        batches = self.batches()
        for batch in batches:
            loss(*batch)
        other.load_state_dict(loss.state_dict())
        other.eval()
        assert torch.equal(loss.eval()(*batches[0]), other(*batches[0]))
        assert torch.equal(loss.counts, other.counts)
        assert set(loss.state_dict()) == {'sums', 'counts'}

    def test_an_ignored_class_is_not_counted(self) -> None:
        student, teacher, labels = self.batches()[2]
        loss = MODELS.build(dict(self.cfg, num_classes=2, ignore_label=2))
        plain = MODELS.build(dict(self.cfg, num_classes=2))
        found, kept = loss(student, teacher, labels), labels != 2
        assert found.item() == pytest.approx(plain(student[kept], teacher[kept], labels[kept]).item(), rel=1e-6)
        assert torch.equal(loss.sums, plain.sums)
        assert loss.counts.tolist() == [2, 0]

    def test_processes_take_part_in_one_sum_a_step_whatever_they_had(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two processes, one of them without samples: no sum within the losses, the same means in both after it."""
        monkeypatch.setattr('mmengine.dist.is_distributed', lambda: True)
        wiring = dict(
            student_recorders=dict(x=dict(type='ModuleOutputs', source='x')),
            distill_losses=dict(loss_a=self.cfg, loss_b=self.cfg),
            loss_forward_mappings={
                name: {arg: dict(from_student=True, recorder='x') for arg in ('student', 'teacher', 'labels')}
                for name in ('loss_a', 'loss_b')
            },
        )
        busy, idle = (ConfigurableDistiller(**wiring) for _ in range(2))
        batches = dict(zip(('loss_a', 'loss_b'), self.batches(), strict=False))
        sent: list[Tensor] = []
        monkeypatch.setattr('mmengine.dist.all_reduce', lambda tensor: sent.append(tensor.clone()))
        for name, batch in batches.items():
            busy.distill_losses[name](*batch)
        assert not sent
        copy.deepcopy(busy).synchronise()
        copy.deepcopy(idle).synchronise()
        assert len(sent) == 2
        monkeypatch.setattr('mmengine.dist.all_reduce', lambda tensor: tensor.copy_(sum(sent)))
        for process in (busy, idle):
            process.synchronise()
            for name, batch in batches.items():
                alone, found = MODELS.build(self.cfg), process.distill_losses[name]
                alone(*batch)
                torch.testing.assert_close(found.sums, alone.sums)
                assert torch.equal(found.counts, alone.counts)
                assert not found.gathered.any()

    def test_sizes_are_needed(self) -> None:
        with pytest.raises(ValueError, match='num_classes and channels'):
            MODELS.build(dict(type='mmkd_ext.NDLoss'))

    def test_a_wrong_width_is_refused(self) -> None:
        student, teacher, labels = self.batches()[0]
        with pytest.raises(ValueError, match='7 channels, but the embedding has 6'):
            MODELS.build(self.cfg)(student[:, 1:], teacher[:, 1:], labels)


class TestFiles:
    def test_both_file_forms_give_the_loss_of_the_array(self, tmp_path: Path) -> None:
        ClassMeans(torch.tensor(MEANS), torch.ones(CLASSES)).save(tmp_path / 'means.safetensors')
        order = [2, 0, 1]
        (tmp_path / 'means.json').write_text(json.dumps({str(k): MEANS[k] for k in order}))
        generator = torch.Generator().manual_seed(2)
        student, teacher = torch.randn(2, SAMPLES, CHANNELS, generator=generator)
        values = [
            MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=means))(student, teacher, LABELS)
            for means in (MEANS, str(tmp_path / 'means.safetensors'), str(tmp_path / 'means.json'))
        ]
        assert torch.equal(values[0], values[1])
        assert torch.equal(values[0], values[2])

    def test_an_absent_file_names_the_command_that_makes_it(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match='python -m mmkd_ext class_means CONFIG --out'):
            MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=str(tmp_path / 'absent.safetensors')))

    def test_a_file_of_another_teacher_is_refused(self, tmp_path: Path) -> None:
        teacher, other = nn.Linear(2, 3), nn.Linear(2, 3)
        path = tmp_path / 'means.safetensors'
        ClassMeans(torch.tensor(MEANS), torch.ones(CLASSES), dict(fingerprint=fingerprint(teacher))).save(path)
        loss = MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=str(path)))
        loss.check_teacher(teacher)
        with pytest.raises(ValueError, match='another teacher'):
            loss.check_teacher(other)

    def test_a_class_of_which_the_file_has_nothing_is_refused_where_the_data_has_it(self, tmp_path: Path) -> None:
        path = str(tmp_path / 'means.safetensors')
        ClassMeans(torch.tensor(MEANS), torch.tensor([4, 0, 7])).save(path)
        x = torch.ones(2, CHANNELS)
        loss = MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=path))
        assert loss(x, x, torch.tensor([0, 2])).isfinite()
        for labels in (torch.tensor([0, 1]), torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])):
            with pytest.raises(ValueError, match='no embedding of class 1, which is in the data; make them again'):
                loss(x, x, labels)
        ignoring = MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=path, ignore_label=1))
        assert ignoring(x, x, torch.tensor([0, 1])).isfinite()


class Head(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.num_classes = classes


@pytest.mark.parametrize(
    ('regions', 'classes', 'ignore', 'message'),
    [
        (False, 3, None, None),
        (True, 2, None, None),  # and the background
        (True, 3, 3, None),  # which is left out
        (False, 2, None, 'class_means has 3 classes, but the teacher has 2'),
        (False, 1000, None, 'has 3 classes, but the teacher has 1000'),
        (True, 3, None, 'has 3 classes, but the teacher has 4'),
    ],
)
def test_the_number_of_classes_is_the_teachers(
    regions: bool, classes: int, ignore: int | None, message: str | None
) -> None:
    teacher = nn.Module()
    if regions:
        teacher.roi_head = nn.Module()
        teacher.roi_head.bbox_head = nn.ModuleList([Head(classes)])  # of a Cascade R-CNN
    else:
        teacher.head = Head(classes)
    loss = MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=MEANS, ignore_label=ignore))
    if message is None:
        loss.check_teacher(teacher)
    else:
        with pytest.raises(ValueError, match=message):
            loss.check_teacher(teacher)


class TestBadInput:
    cfg = dict(type='mmkd_ext.NDLoss', class_means=MEANS)

    def test_an_array_that_is_no_matrix_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r'class_means must be \(K, C\), got \(7,\)'):
            MODELS.build(dict(self.cfg, class_means=MEANS[0]))

    def test_too_few_classes_are_refused_in_the_first_call(self) -> None:
        x = torch.ones(2, CHANNELS)
        with pytest.raises(ValueError, match='has 3 classes, but labels are 0 to 3'):
            MODELS.build(self.cfg)(x, x, torch.tensor([0, 3]))

    def test_another_width_is_refused(self) -> None:
        x = torch.ones(2, CHANNELS + 1)
        with pytest.raises(ValueError, match='7 channels, but the embedding has 8'):
            MODELS.build(self.cfg)(x, x, torch.tensor([0, 1]))

    def test_labels_of_several_classes_at_once_are_no_shares(self) -> None:
        x = torch.ones(2, CHANNELS)
        with pytest.raises(ValueError, match=r'shares of mixed images, which sum to 1; multi-hot'):
            MODELS.build(self.cfg)(x, x, torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))

    @pytest.mark.parametrize('labels', [torch.tensor([0.0, 1.0]), torch.tensor([0]), torch.ones(2, 3).long()])
    def test_labels_that_are_neither_classes_nor_shares_are_refused(self, labels: Tensor) -> None:
        x = torch.ones(2, CHANNELS)
        with pytest.raises(ValueError, match='integer type'):
            MODELS.build(self.cfg)(x, x, labels)


class TestMixedImages:
    """Labels of mixup and CutMix: a row of shares."""

    cfg = dict(type='mmkd_ext.NDLoss', class_means=MEANS)
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.4, 0.0, 0.6], [0.1, 0.2, 0.7], [0.0, 0.5, 0.5]])

    def test_direction_is_that_of_the_means_mixed_alike(self) -> None:
        student, teacher = torch.randn(2, SAMPLES, CHANNELS, generator=torch.Generator().manual_seed(4))
        centres = [
            [sum(share * MEANS[k][c] for k, share in enumerate(row)) for c in range(CHANNELS)]
            for row in self.shares.tolist()
        ]
        expected = released(student, teacher, torch.arange(SAMPLES), centres)
        assert MODELS.build(self.cfg)(student, teacher, self.shares).item() == pytest.approx(expected.item(), rel=1e-5)

    def test_an_image_of_one_class_is_as_its_label(self) -> None:
        student, teacher = torch.randn(2, SAMPLES, CHANNELS, generator=torch.Generator().manual_seed(4))
        loss = MODELS.build(self.cfg)
        whole = nn.functional.one_hot(LABELS, CLASSES).float()
        torch.testing.assert_close(loss(student, teacher, whole), loss(student, teacher, LABELS))

    def test_another_number_of_classes_is_refused(self) -> None:
        x = torch.ones(2, CHANNELS)
        with pytest.raises(ValueError, match=r'shares \(2, 3\), got \(2, 4\)'):
            MODELS.build(self.cfg)(x, x, torch.rand(2, 4))

    @pytest.mark.parametrize('change', [dict(class_means=None, num_classes=3, channels=7), dict(ignore_label=2)])
    def test_running_means_and_an_ignored_class_are_refused(self, change: dict) -> None:
        x = torch.ones(2, CHANNELS)
        with pytest.raises(ValueError, match='mixed images'):
            MODELS.build({**self.cfg, **change})(x, x, self.shares[:2])


def test_weight_is_used() -> None:
    x = torch.randn(SAMPLES, CHANNELS, generator=torch.Generator().manual_seed(5))
    values = [
        MODELS.build(dict(type='mmkd_ext.NDLoss', class_means=MEANS, loss_weight=w))(x, x.flip(0), LABELS).item()
        for w in (1.0, WEIGHT)
    ]
    assert values[1] == pytest.approx(WEIGHT * values[0])
