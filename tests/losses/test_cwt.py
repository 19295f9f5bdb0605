import math
from statistics import mean

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

    def test_another_size_is_refused_with_the_option_that_resizes(self) -> None:
        student, teacher = self.inputs()
        with pytest.raises(ValueError, match=r"shape: student \(2, 3, 4, 5\), teacher \(2, 3, 2, 5\); resize='area'"):
            self.build()(student, teacher[:, :, :2])
        with pytest.raises(ValueError, match="resize='bilinear'"):
            self.build()(student[:, :, :2], teacher)

    @pytest.mark.parametrize('resize', ['bicubic', '', True])
    def test_an_unknown_resizing_is_refused(self, resize: object) -> None:
        with pytest.raises(ValueError, match=f"resize must be 'nearest', 'bilinear', 'area' or None, got {resize!r}"):
            self.build(resize=resize)


def at(line: list[float], position: float) -> float:
    """A value between the middles of a line's pixels, by straight lines; the border's beyond the first and last."""
    position = min(max(position, 0.0), len(line) - 1.0)
    low = min(math.floor(position), len(line) - 2)
    rest = position - low
    return (1 - rest) * line[low] + rest * line[low + 1]


def resized(image: list[list[float]], height: int, width: int, mode: str) -> list[list[float]]:
    """One channel by hand: where a new pixel's middle falls in the old image, or the old pixels that cover it."""
    h, w = len(image), len(image[0])
    if mode == 'area':
        covered = [[range(i * n // m, -((i + 1) * n // -m)) for i in range(m)] for n, m in ((h, height), (w, width))]
        return [[mean(image[i][j] for i in rows for j in columns) for columns in covered[1]] for rows in covered[0]]
    if mode == 'nearest':
        return [[image[i * h // height][j * w // width] for j in range(width)] for i in range(height)]
    rows = [[at(row, (j + 0.5) * w / width - 0.5) for j in range(width)] for row in image]
    columns = [
        [at(list(column), (i + 0.5) * h / height - 0.5) for i in range(height)] for column in zip(*rows, strict=True)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


class TestResized(LossTester):
    """A student's map of 3 x 7 and a teacher's of 6 x 4: one side grows and the other shrinks."""

    cfg = dict(type='mmkd_ext.CWTLoss', alpha=0.02, resize='bilinear')
    mode = 'bilinear'

    def inputs(self, dtype: torch.dtype = torch.float64, **kwargs: object) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(7)
        maps = (torch.randn(2, 5, *size, generator=generator, dtype=torch.float64) for size in ((3, 7), (6, 4)))
        student, teacher = (x.to(dtype).requires_grad_() for x in maps)
        return student, teacher

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        total = 0.0
        for s_image, t_image in zip(student.tolist(), teacher.tolist(), strict=True):
            for s_map, t_map in zip(s_image, t_image, strict=True):
                for s_row, t_row in zip(resized(s_map, 6, 4, self.mode), t_map, strict=True):
                    total += sum((s - t) ** 2 for s, t in zip(s_row, t_row, strict=True))
        return 0.02 * total / len(student)

    def test_unequal_shapes_are_refused(self) -> None:
        """Batch, channels and the number of dimensions still have to agree."""
        student, teacher = self.inputs()
        for dim in range(2):
            with pytest.raises(ValueError, match='shape'):
                self.build()(student, teacher.narrow(dim, 0, 1))
        with pytest.raises(ValueError, match='shape'):
            self.build()(student[0], teacher[0])

    def test_maps_of_one_size_are_left_as_they_are(self) -> None:
        student, _ = self.inputs()
        teacher = torch.zeros_like(student)
        assert torch.equal(self.build()(student, teacher), self.build(resize=None)(student, teacher))


class TestResizedNearest(TestResized):
    cfg = dict(type='mmkd_ext.CWTLoss', alpha=0.02, resize='nearest')
    mode = 'nearest'


class TestResizedByArea(TestResized):
    cfg = dict(type='mmkd_ext.CWTLoss', alpha=0.02, resize='area')
    mode = 'area'

    def test_every_position_of_a_larger_map_learns(self) -> None:
        student = torch.zeros(1, 2, 12, 8, requires_grad=True)
        self.build()(student, torch.ones(1, 2, 3, 2)).backward()
        assert (student.grad < 0).all()
