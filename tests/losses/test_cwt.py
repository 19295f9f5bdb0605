import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor


class TestCWTLoss(LossTester):
    cfg = dict(type='mmkd_ext.CWTLoss', alpha=0.02)
    shape = (2, 3, 4, 5)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """arXiv 2303.13212: alpha times the sum over channels and positions, averaged over images only."""
        total = 0.0
        for s_image, t_image in zip(student.tolist(), teacher.tolist(), strict=True):
            for s_map, t_map in zip(s_image, t_image, strict=True):
                for s_row, t_row in zip(s_map, t_map, strict=True):
                    total += sum((s - t) ** 2 for s, t in zip(s_row, t_row, strict=True))
        return 0.02 * total / len(student)

    def test_value_by_hand(self) -> None:
        """Two images, differences 1, -2 and 3, 0: 0.5 * (1 + 4 + 9 + 0) / 2 = 3.5."""
        student = torch.tensor([1.0, -1.0, 5.0, 4.0]).reshape(2, 1, 1, 2)
        teacher = torch.tensor([0.0, 1.0, 2.0, 4.0]).reshape(2, 1, 1, 2)
        assert self.build(alpha=0.5)(student, teacher).item() == pytest.approx(3.5)
        assert self.build(alpha=0.5, loss_weight=2.0)(student, teacher).item() == pytest.approx(7.0)

    def test_gradient_by_hand(self) -> None:
        student, teacher = self.inputs()
        self.build(loss_weight=WEIGHT)(student, teacher).backward()
        expected = WEIGHT * 0.02 * 2 * (student - teacher).detach() / 2
        torch.testing.assert_close(student.grad, expected)

    def test_alpha_is_a_factor(self) -> None:
        student, teacher = self.inputs()
        small, large = (self.build(alpha=alpha)(student, teacher).item() for alpha in (5e-7, 5e-5))
        assert large == pytest.approx(100 * small, rel=1e-12)

    def test_repeating_the_batch_changes_nothing_and_repeating_positions_doubles(self) -> None:
        student, teacher = self.inputs()
        once = self.build()(student, teacher).item()
        assert self.build()(student.repeat(2, 1, 1, 1), teacher.repeat(2, 1, 1, 1)).item() == pytest.approx(once)
        assert self.build()(student.repeat(1, 1, 2, 1), teacher.repeat(1, 1, 2, 1)).item() == pytest.approx(2 * once)
