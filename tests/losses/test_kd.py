import math

import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor


def softmax(row: list[float], tau: float) -> list[float]:
    powers = [math.exp(value / tau) for value in row]
    return [power / sum(powers) for power in powers]


class TestKDLoss(LossTester):
    cfg = dict(type='mmkd_ext.KDLoss', tau=3.0)
    shape = (4, 6)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """Hinton et al.: mean over samples of tau^2 KL(teacher || student)."""
        total = 0.0
        for s_row, t_row in zip(student.tolist(), teacher.tolist(), strict=True):
            p, q = softmax(t_row, 3.0), softmax(s_row, 3.0)
            total += 9.0 * sum(pk * math.log(pk / qk) for pk, qk in zip(p, q, strict=True))
        return total / len(student)

    def test_value_of_two_classes_by_hand(self) -> None:
        """Probabilities 3/4, 1/4 against 1/2, 1/2 at tau = 2: 4 (3/4 log(3/2) + 1/4 log(1/2))."""
        teacher = torch.tensor([[2 * math.log(3), 0.0]], dtype=torch.float64)
        found = self.build(tau=2.0)(torch.zeros(1, 2, dtype=torch.float64), teacher)
        assert found.item() == pytest.approx(4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)), rel=1e-12)

    def test_empty_batch_gives_zero_with_a_graph(self) -> None:
        student = torch.zeros(0, 6, requires_grad=True)
        loss = self.build(loss_weight=WEIGHT)(student, torch.zeros(0, 6))
        loss.backward()
        assert loss.shape == ()
        assert loss.item() == 0
        assert student.grad.shape == (0, 6)

    @pytest.mark.parametrize('tau', [0.5, 1.0, 4.0])
    def test_huge_logits_are_finite_with_their_gradient(self, tau: float) -> None:
        student, teacher = self.inputs(torch.float32)
        student = (1e4 * student.detach()).requires_grad_()
        loss = self.build(tau=tau)(student, 1e4 * teacher.flip(1))
        loss.backward()
        assert loss.isfinite()
        assert loss > 0
        assert student.grad.isfinite().all()

    def test_a_class_that_both_rule_out_adds_nothing(self) -> None:
        student, teacher = self.inputs(torch.float32)
        ruled_out = torch.full((4, 1), -1e4)
        wider = self.build()(torch.cat([student, ruled_out], 1), torch.cat([teacher, ruled_out], 1))
        assert wider.item() == pytest.approx(self.build()(student, teacher).item(), rel=1e-5)

    def test_a_constant_added_to_a_row_changes_nothing(self) -> None:
        student, teacher = self.inputs()
        constants = torch.tensor([[-5.0], [0.0], [3.0], [40.0]], dtype=torch.float64)
        expected = self.build()(student, teacher).item()
        assert self.build()(student + constants, teacher).item() == pytest.approx(expected, rel=1e-9)
        assert self.build()(student, teacher + constants).item() == pytest.approx(expected, rel=1e-9)

    def test_repeating_the_batch_changes_nothing(self) -> None:
        student, teacher = self.inputs()
        once, twice = self.build()(student, teacher), self.build()(student.repeat(2, 1), teacher.repeat(2, 1))
        assert twice.item() == pytest.approx(once.item(), rel=1e-12)

    def test_an_ignored_class_is_left_out(self) -> None:
        student, teacher = self.inputs()
        labels = torch.tensor([5, 0, 5, 2])
        found = self.build(ignore_label=5)(student, teacher, labels)
        expected = self.build()(student[[1, 3]], teacher[[1, 3]])
        assert found.item() == pytest.approx(expected.item(), rel=1e-12)
        assert self.build(ignore_label=5)(student, teacher, torch.full((4,), 5)).item() == 0
        assert self.build()(student, teacher, labels).item() == self.build()(student, teacher).item()

    def test_ignoring_a_class_needs_labels(self) -> None:
        with pytest.raises(ValueError, match='ignore_label needs labels'):
            self.build(ignore_label=5)(*self.inputs())

    @pytest.mark.parametrize('tau', [0, -1.0, float('nan')])
    def test_a_temperature_that_is_not_positive_is_refused(self, tau: float) -> None:
        with pytest.raises(ValueError, match='tau'):
            self.build(tau=tau)
