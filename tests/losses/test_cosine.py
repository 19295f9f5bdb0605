import math

import pytest
import torch
from testers import LossTester
from torch import Tensor


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


class TestCosineLoss(LossTester):
    cfg = dict(type='mmkd_ext.CosineLoss')
    shape = (2, 3, 4, 5)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """One minus the cosine of the channels at each position, averaged over positions and images."""
        rows = [x.permute(0, 2, 3, 1).reshape(-1, 3).tolist() for x in (student, teacher)]
        distances = [1 - cosine(s, t) for s, t in zip(*rows, strict=True)]
        return sum(distances) / (2 * 4 * 5)

    def test_value_by_hand(self) -> None:
        """An angle of 45 degrees, and opposite directions."""
        student = torch.tensor([[1.0, 1.0], [0.0, -2.0]], dtype=torch.float64)
        teacher = torch.tensor([[3.0, 0.0], [0.0, 5.0]], dtype=torch.float64)
        expected = ((1 - math.sqrt(0.5)) + 2) / 2
        assert self.build()(student, teacher).item() == pytest.approx(expected)

    def test_length_does_not_count(self) -> None:
        student, teacher = self.inputs()
        loss = self.build()
        assert loss(7 * student, 0.1 * teacher).item() == pytest.approx(loss(student, teacher).item())

    def test_a_map_of_another_size_is_resized_or_refused(self) -> None:
        student, teacher = self.inputs()
        small = torch.nn.functional.interpolate(student, (2, 5), mode='area')
        expected = self.build()(small, teacher[:, :, :2])
        torch.testing.assert_close(self.build(resize='area')(student, teacher[:, :, :2]), expected)
        with pytest.raises(ValueError, match="shape: .*resize='area'"):
            self.build()(student, teacher[:, :, :2])

    def test_without_rows_it_is_zero_with_a_gradient(self) -> None:
        student = torch.zeros(0, 3, requires_grad=True)
        loss = self.build()(student, torch.zeros(0, 3))
        loss.backward()
        assert loss.item() == 0
        assert student.grad is not None


class TestEmbeddings(TestCosineLoss):
    shape = (5, 3)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        return sum(1 - cosine(s, t) for s, t in zip(student.tolist(), teacher.tolist(), strict=True)) / 5

    def test_a_map_of_another_size_is_resized_or_refused(self) -> None:
        student, teacher = self.inputs()
        with pytest.raises(ValueError, match='shape'):
            self.build(resize='area')(student, teacher[:, :2])
