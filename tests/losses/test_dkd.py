import math

import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor

from mmkd_ext.compat import import_mmrazor

LABELS = [5, 0, 3, 3]


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


def kl(p: list[float], q: list[float]) -> float:
    return sum(pk * math.log(pk / qk) for pk, qk in zip(p, q, strict=True) if pk)


def released(student: Tensor, teacher: Tensor, labels: list[int], tau: float, alpha: float, beta: float) -> float:
    """The released form: probabilities of the target and of the rest; then all classes, the target's logit - 1000."""
    total = 0.0
    for s_row, t_row, y in zip(student.tolist(), teacher.tolist(), labels, strict=True):
        s_row, t_row = ([value / tau for value in row] for row in (s_row, t_row))
        q, p = softmax(s_row)[y], softmax(t_row)[y]
        target = kl([p, 1 - p], [q, 1 - q])
        for row in (s_row, t_row):
            row[y] -= 1000
        largest = max(s_row)
        log_sum = largest + math.log(sum(math.exp(value - largest) for value in s_row))
        others = sum(pk * (math.log(pk) - s_row[k] + log_sum) for k, pk in enumerate(softmax(t_row)) if pk)
        total += tau**2 * (alpha * target + beta * others)
    return total / len(labels)


class TestDKDLoss(LossTester):
    cfg = dict(type='mmkd_ext.DKDLoss', tau=3.0, alpha=0.6, beta=2.5)
    shape = (4, 6)

    def extra(self) -> tuple[Tensor]:
        return (torch.tensor(LABELS),)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """Zhao et al.: KL of [target, rest] and KL of the classes but the target, each times tau^2."""
        total = 0.0
        for s_row, t_row, y in zip(student.tolist(), teacher.tolist(), LABELS, strict=True):
            q, p = (softmax([value / 3.0 for value in row]) for row in (s_row, t_row))
            target = kl([p[y], 1 - p[y]], [q[y], 1 - q[y]])
            others = kl(*([value / (1 - x[y]) for k, value in enumerate(x) if k != y] for x in (p, q)))
            total += 9.0 * (0.6 * target + 2.5 * others)
        return total / len(LABELS)

    def test_value_of_three_classes_by_hand(self) -> None:
        """Teacher 1/2, 1/3, 1/6 against uniform, target 0: alpha KL(1/2 || 1/3) + beta KL(2/3, 1/3 || 1/2, 1/2)."""
        teacher = torch.tensor([[1 / 2, 1 / 3, 1 / 6]], dtype=torch.float64).log()
        loss = self.build(tau=1.0)(torch.zeros(1, 3, dtype=torch.float64), teacher, torch.tensor([0]))
        target = 0.5 * math.log(0.5 / (1 / 3)) + 0.5 * math.log(0.5 / (2 / 3))
        others = 2 / 3 * math.log((2 / 3) / 0.5) + 1 / 3 * math.log((1 / 3) / 0.5)
        assert loss.item() == pytest.approx(0.6 * target + 2.5 * others, rel=1e-12)

    @pytest.mark.parametrize('tau', [1.0, 4.0])
    def test_equals_the_released_form_where_logits_are_ordinary(self, tau: float) -> None:
        student, teacher = self.inputs()
        expected = released(student, teacher, LABELS, tau, 0.6, 2.5)
        assert self.call(self.build(tau=tau), student, teacher).item() == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize('reduction', ['batchmean', 'mean', 'sum'])
    def test_equals_mmrazors(self, reduction: str) -> None:
        """With 'mean', too, it sums over the batch, as torch's legacy `size_average` does."""
        import_mmrazor()
        from mmrazor.models.losses import DKDLoss

        student, teacher = self.inputs(torch.float32)
        theirs = DKDLoss(tau=3.0, alpha=0.6, beta=2.5, reduction=reduction, loss_weight=WEIGHT)
        expected = theirs(student, teacher, *self.extra())
        ours = self.build(reduction=reduction, loss_weight=WEIGHT)
        torch.testing.assert_close(self.call(ours, student, teacher), expected)

    def test_alpha_and_beta_are_factors_of_the_two_parts(self) -> None:
        student, teacher = self.inputs()
        target, others, both = (
            self.call(self.build(alpha=alpha, beta=beta), student, teacher).item()
            for alpha, beta in ((1.0, 0.0), (0.0, 1.0), (2.0, 5.0))
        )
        assert both == pytest.approx(2 * target + 5 * others, rel=1e-12)
        assert min(target, others) > 0

    def test_with_the_teachers_weight_on_the_others_it_is_kd(self) -> None:
        """KL(p || q) = target part + (1 - p_target) * part of the others."""
        student, teacher = (tensor[:1] for tensor in self.inputs())
        rest = 1 - teacher.div(3.0).softmax(1)[0, LABELS[0]].item()
        loss = self.build(alpha=1.0, beta=rest)(student, teacher, torch.tensor(LABELS[:1]))
        p, q = (softmax(row.div(3.0).tolist()) for row in (teacher[0], student[0]))
        assert loss.item() == pytest.approx(9 * kl(p, q), rel=1e-10)

    @pytest.mark.parametrize('tau', [0.5, 1.0, 4.0])
    @pytest.mark.parametrize('scales', [(1e4, 1.0), (1.0, 1e4), (1e4, 1e4)])
    def test_huge_logits_are_finite_with_their_gradient(self, tau: float, scales: tuple[float, float]) -> None:
        student, teacher = self.inputs(torch.float32)
        student = (scales[0] * student.detach()).requires_grad_()
        loss = self.call(self.build(tau=tau), student, scales[1] * teacher.flip(1))
        loss.backward()
        assert loss.isfinite()
        assert loss > 0
        assert student.grad.isfinite().all()
        assert student.grad.abs().sum() > 0

    def test_a_target_that_the_student_rules_out_and_the_teacher_is_sure_of(self) -> None:
        """log p_student = -(1e4 + log 2), too small for a probability; the gradient is -1 on the target."""
        student = torch.tensor([[-1e4, 0.0, 0.0]], requires_grad=True)
        loss = self.build(tau=1.0, alpha=1.0, beta=1.0)(student, torch.tensor([[1e4, 7.0, 7.0]]), torch.tensor([0]))
        loss.backward()
        assert loss.item() == pytest.approx(1e4 + math.log(2), rel=1e-6)
        torch.testing.assert_close(student.grad, torch.tensor([[-1.0, 0.5, 0.5]]))

    def test_a_target_that_the_teacher_rules_out_and_the_student_is_sure_of(self) -> None:
        student = torch.tensor([[1e4, 0.0, 0.0]], requires_grad=True)
        loss = self.build(tau=1.0, alpha=1.0, beta=1.0)(student, torch.tensor([[-1e4, 7.0, 7.0]]), torch.tensor([0]))
        loss.backward()
        assert loss.item() == pytest.approx(1e4 - math.log(2), rel=1e-6)
        torch.testing.assert_close(student.grad, torch.tensor([[1.0, -0.5, -0.5]]))

    @pytest.mark.parametrize('sure', [200.0, 1e4])
    def test_the_others_are_compared_however_sure_both_are_of_the_target(self, sure: float) -> None:
        """KL of (1, e) against (e, 1), normalised: tanh(1/2); a masked logit of 1e4 - 1000 would still outweigh it."""
        student = torch.tensor([[sure, 0.0, 1.0]], requires_grad=True)
        loss = self.build(tau=1.0, alpha=1.0, beta=1.0)(student, torch.tensor([[sure, 1.0, 0.0]]), torch.tensor([0]))
        loss.backward()
        assert loss.item() == pytest.approx(math.tanh(0.5), rel=1e-5)
        push = math.tanh(0.5)
        torch.testing.assert_close(student.grad, torch.tensor([[0.0, -push, push]]))

    def test_a_constant_added_to_a_row_changes_nothing(self) -> None:
        student, teacher = self.inputs()
        constants = torch.tensor([[-5.0], [0.0], [3.0], [40.0]], dtype=torch.float64)
        expected = self.call(self.build(), student, teacher).item()
        assert self.call(self.build(), student + constants, teacher).item() == pytest.approx(expected, rel=1e-9)
        assert self.call(self.build(), student, teacher + constants).item() == pytest.approx(expected, rel=1e-9)

    def test_repeating_the_batch_changes_nothing(self) -> None:
        student, teacher = self.inputs()
        twice = self.build()(student.repeat(2, 1), teacher.repeat(2, 1), torch.tensor(LABELS * 2))
        assert twice.item() == pytest.approx(self.call(self.build(), student, teacher).item(), rel=1e-12)

    def test_empty_batch_gives_zero_with_a_graph(self) -> None:
        student = torch.zeros(0, 6, requires_grad=True)
        loss = self.build(loss_weight=WEIGHT)(student, torch.zeros(0, 6), torch.zeros(0, dtype=torch.int64))
        loss.backward()
        assert loss.shape == ()
        assert loss.item() == 0
        assert student.grad.shape == (0, 6)

    @pytest.mark.parametrize(
        'labels',
        [
            torch.tensor([0.0, 1.0, 2.0, 3.0]),
            torch.tensor([0, 1, 2]),
            torch.tensor([[0], [1], [2], [3]]),
            torch.zeros(4, 6),
            torch.zeros(4, 6, dtype=torch.int64),
        ],
    )
    def test_labels_that_are_no_class_a_row_are_refused(self, labels: Tensor) -> None:
        with pytest.raises(ValueError, match=r'expected labels \(4,\) of an integer type, got'):
            self.build()(*self.inputs(), labels)

    @pytest.mark.parametrize('label', [-1, 6, 255])
    def test_labels_out_of_range_are_refused(self, label: int) -> None:
        with pytest.raises(ValueError, match=rf'expected labels from 0 to 5, .*{label}'):
            self.build()(*self.inputs(), torch.tensor([0, 1, label, 2]))

    def test_a_single_class_is_refused(self) -> None:
        with pytest.raises(ValueError, match='2 classes'):
            self.build()(torch.zeros(3, 1), torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64))

    @pytest.mark.parametrize('tau', [0, -1.0, float('nan')])
    def test_a_temperature_that_is_not_positive_is_refused(self, tau: float) -> None:
        with pytest.raises(ValueError, match='tau'):
            self.build(tau=tau)
