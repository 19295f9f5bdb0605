import pytest
import torch
from testers import LossTester
from torch import Tensor

LABELS = torch.tensor([1, 3, 0, 3, 2, 1])  # 3 is the background


class TestBoxKDLoss(LossTester):
    cfg = dict(type='mmkd_ext.BoxKDLoss', num_classes=3)
    shape = (6, 12)

    def extra(self) -> tuple:
        return (LABELS,)

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        total = 0.0
        for s, t, y in zip(student.tolist(), teacher.tolist(), LABELS.tolist(), strict=True):
            if y < 3:
                total += sum(abs(s[4 * y + i] - t[4 * y + i]) for i in range(4))
        return total / 6

    def test_a_class_agnostic_head_has_four_offsets(self) -> None:
        student, teacher = (x[:, :4] for x in self.inputs())
        expected = (student - teacher)[LABELS < 3].abs().sum() / 6
        torch.testing.assert_close(self.build()(student, teacher, LABELS), expected)

    def test_background_and_other_classes_get_no_gradient(self) -> None:
        student, teacher = self.inputs()
        self.build()(student, teacher, LABELS).backward()
        for row, label in zip(student.grad.unflatten(1, (3, 4)), LABELS.tolist(), strict=True):
            assert [bool(group.any()) for group in row] == [k == label for k in range(3)]

    def test_without_regions_it_is_zero_with_a_graph(self) -> None:
        student = torch.zeros(0, 12, requires_grad=True)
        loss = self.build()(student, torch.zeros(0, 12), LABELS[:0])
        loss.backward()
        assert loss.item() == 0

    def test_another_number_of_columns_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r'\(N, 12\) or \(N, 4\), got \(6, 8\)'):
            self.build()(torch.zeros(6, 8), torch.zeros(6, 8), LABELS)
