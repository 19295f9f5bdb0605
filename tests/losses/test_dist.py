import math

import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor

from mmkd_ext.compat import import_mmrazor


def softmax(row: list[float], tau: float) -> list[float]:
    powers = [math.exp(value / tau) for value in row]
    return [power / sum(powers) for power in powers]


def pearson(a: list[float], b: list[float]) -> float:
    a, b = ([value - sum(x) / len(x) for value in x] for x in (a, b))
    norms = math.sqrt(sum(value**2 for value in a)) * math.sqrt(sum(value**2 for value in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / (norms + 1e-8)


class TestDISTLoss(LossTester):
    cfg = dict(type='mmkd_ext.DISTLoss', tau=3.0, beta=0.6, gamma=2.5)
    shape = (4, 6)
    zero_at_match = False  # but for the 1e-8 of the released form; see below

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """Huang et al.: 1 - mean correlation of rows, and of columns, each times tau^2."""
        p, q = ([softmax(row, 3.0) for row in x.tolist()] for x in (teacher, student))
        inter = 1 - sum(map(pearson, q, p)) / 4
        intra = 1 - sum(pearson([row[k] for row in q], [row[k] for row in p]) for k in range(6)) / 6
        return 9.0 * (0.6 * inter + 2.5 * intra)

    def test_is_almost_zero_at_a_match(self) -> None:
        student, _ = self.inputs()
        assert 0 <= self.build()(student, student.detach().clone()).item() < 1e-4

    def test_value_of_two_samples_by_hand(self) -> None:
        """Of two classes each row and each column correlates by 1 or -1: rows 1 and -1; both columns -1."""
        teacher = torch.tensor([[2.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
        student = torch.tensor([[0.5, 0.0], [0.7, 0.8]], dtype=torch.float64)
        flipped = student.flip(0)
        loss = self.build(tau=2.0)
        assert loss(student, teacher).item() == pytest.approx(4 * (0.6 * (1 - (1 - 1) / 2) + 2.5 * 0), abs=1e-4)
        assert loss(flipped, teacher).item() == pytest.approx(4 * (0.6 * (1 - (1 - 1) / 2) + 2.5 * 2), abs=1e-4)

    @pytest.mark.parametrize('tau', [1.0, 4.0])
    def test_equals_mmrazors_in_value_and_gradient(self, tau: float) -> None:
        import_mmrazor()
        from mmrazor.models.losses import DISTLoss

        student, teacher = self.inputs()
        theirs = DISTLoss(inter_loss_weight=0.6, intra_loss_weight=2.5, tau=tau, loss_weight=WEIGHT)
        named = dict(inter_loss_weight=0.6, intra_loss_weight=2.5, beta=9.0, gamma=9.0)  # its names come first
        ours = self.build(tau=tau, loss_weight=WEIGHT, **named)
        expected, found = theirs(student, teacher), ours(student, teacher)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)
        gradients = (torch.autograd.grad(loss, student)[0] for loss in (found, expected))
        torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-12)

    def test_beta_and_gamma_are_factors_of_the_two_parts(self) -> None:
        student, teacher = self.inputs()
        rows, columns, both = (
            self.build(beta=beta, gamma=gamma)(student, teacher).item()
            for beta, gamma in ((1.0, 0.0), (0.0, 1.0), (2.0, 5.0))
        )
        assert both == pytest.approx(2 * rows + 5 * columns, rel=1e-12)
        assert min(rows, columns) > 0

    def test_a_constant_added_to_a_row_changes_nothing(self) -> None:
        student, teacher = self.inputs()
        constants = torch.tensor([[-5.0], [0.0], [3.0], [40.0]], dtype=torch.float64)
        expected = self.build()(student, teacher).item()
        assert self.build()(student + constants, teacher).item() == pytest.approx(expected, rel=1e-9)
        assert self.build()(student, teacher + constants).item() == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
    @pytest.mark.parametrize('classes', [6, 1000])
    def test_a_constant_row_correlates_with_nothing_and_is_not_pushed(self, dtype: torch.dtype, classes: int) -> None:
        """A head that starts at zero: rounding must not be blown up into a gradient of 1e5."""
        teacher = torch.randn(4, classes, generator=torch.Generator().manual_seed(7)).to(dtype)
        student = torch.full((4, classes), 0.3, dtype=dtype, requires_grad=True)
        loss = self.build(tau=2.0)(student, teacher)
        loss.backward()
        assert loss.item() == pytest.approx(4 * (0.6 + 2.5), rel=1e-2)
        assert student.grad.abs().max() < 1e-3

    def test_a_constant_column_alone_is_not_pushed(self) -> None:
        """All samples alike: the columns are constant, the rows are not."""
        _, teacher = self.inputs(torch.float32)
        row = torch.tensor([0.1, -0.3, 0.7, 1.1, -0.9, 0.2])
        student = row.repeat(4, 1).requires_grad_()
        both, rows = self.build()(student, teacher), self.build(gamma=0.0)(student, teacher)
        assert both.item() == pytest.approx(rows.item() + 9 * 2.5, rel=1e-5)
        gradients = [torch.autograd.grad(loss, student)[0] for loss in (both, rows)]
        torch.testing.assert_close(*gradients)
        assert gradients[0].abs().sum() > 0

    def test_a_constant_teacher_pushes_nothing(self) -> None:
        student, _ = self.inputs(torch.float32)
        self.build()(student, torch.zeros(4, 6)).backward()
        assert student.grad.abs().max() < 1e-6

    @pytest.mark.parametrize('tau', [0.5, 1.0, 4.0])
    def test_huge_logits_are_finite_with_their_gradient(self, tau: float) -> None:
        """Most probabilities are exactly 0, whole columns of them."""
        student, teacher = self.inputs(torch.float32)
        student = (1e4 * student.detach()).requires_grad_()
        loss = self.build(tau=tau)(student, 1e4 * teacher.flip(1))
        loss.backward()
        assert loss.isfinite()
        assert student.grad.isfinite().all()

    def test_one_sample_has_rows_but_no_columns(self) -> None:
        student, teacher = (tensor[:1] for tensor in self.inputs())
        found = self.build()(student, teacher).item()
        assert found == pytest.approx(self.build(gamma=0.0)(student, teacher).item() + 9 * 2.5, rel=1e-12)

    def test_empty_batch_gives_zero_with_a_graph(self) -> None:
        student = torch.zeros(0, 6, requires_grad=True)
        loss = self.build(loss_weight=WEIGHT)(student, torch.zeros(0, 6))
        loss.backward()
        assert loss.shape == ()
        assert loss.item() == 0
        assert student.grad.shape == (0, 6)

    @pytest.mark.parametrize('tau', [0, -1.0, float('nan')])
    def test_a_temperature_that_is_not_positive_is_refused(self, tau: float) -> None:
        with pytest.raises(ValueError, match='tau'):
            self.build(tau=tau)
