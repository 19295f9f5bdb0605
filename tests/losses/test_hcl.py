import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor


def pooled(image: list, size: int) -> list:
    """A channel's map averaged into size x size bins: from floor(i h / size) to before ceil((i + 1) h / size)."""
    rows, columns = (
        [range(i * n // size, -(-(i + 1) * n // size)) for i in range(size)] for n in (len(image), len(image[0]))
    )
    return [[sum(image[y][x] for y in ys for x in xs) / (len(ys) * len(xs)) for xs in columns] for ys in rows]


def mean_square(student: list, teacher: list) -> float:
    """Over images, channels and positions."""
    squares = [
        (s - t) ** 2
        for s_image, t_image in zip(student, teacher, strict=True)
        for s_map, t_map in zip(s_image, t_image, strict=True)
        for s_row, t_row in zip(s_map, t_map, strict=True)
        for s, t in zip(s_row, t_row, strict=True)
    ]
    return sum(squares) / len(squares)


class TestHCLLoss(LossTester):
    cfg = dict(type='mmkd_ext.HCLLoss')
    shape = (2, 3, 6, 7)

    def given(self, tensor: Tensor) -> list[Tensor]:
        """Maps of height 6, 4 and 2, and an embedding."""
        return [tensor, tensor[..., :4, :5], tensor[..., 1:3, :3], tensor[..., 0, 0]]

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """Chen et al.: per level the full size weighs 1, and 4x4, 2x2, 1x1 weigh 1/2, 1/4, 1/8 in turn."""
        total = 0.0
        for s, t in zip(self.given(student), self.given(teacher), strict=True):
            s, t = ((x if x.ndim == 4 else x[:, :, None, None]).tolist() for x in (s, t))
            weight, weights, level = 1.0, 1.0, mean_square(s, t)
            for size in (4, 2, 1):
                if size < len(s[0][0]):
                    weight /= 2
                    weights += weight
                    level += weight * mean_square(
                        *([[pooled(channel, size) for channel in image] for image in x] for x in (s, t))
                    )
            total += level / weights
        return total

    def test_value_by_hand(self) -> None:
        """A 2x2 map that differs by 4 in one place: 16/4 at full size, 1 at 1x1 with half the weight."""
        student = torch.zeros(1, 1, 2, 2)
        student[0, 0, 1, 0] = 4
        found = self.build()([student], [torch.zeros(1, 1, 2, 2)])
        assert found.item() == pytest.approx((4 + 0.5 * 1) / 1.5)

    def test_levels_add_up(self) -> None:
        student, teacher = self.inputs()
        loss = self.build()
        each = [loss([s], [t]).item() for s, t in zip(self.given(student), self.given(teacher), strict=True)]
        assert self.call(loss, student, teacher).item() == pytest.approx(sum(each), rel=1e-12)
        assert min(each) > 0

    def test_an_embedding_is_a_map_of_one_position_on_either_side(self) -> None:
        student, teacher = (tensor[..., 0, 0] for tensor in self.inputs())
        expected = (student - teacher).square().mean()
        for s in (student, student[:, :, None, None]):
            for t in (teacher, teacher[:, :, None, None]):
                torch.testing.assert_close(self.build()([s], [t]), expected)

    def test_repeating_the_batch_changes_nothing(self) -> None:
        student, teacher = self.inputs()
        once = self.call(self.build(loss_weight=WEIGHT), student, teacher).item()
        twice = self.call(self.build(loss_weight=WEIGHT), student.repeat(2, 1, 1, 1), teacher.repeat(2, 1, 1, 1))
        assert twice.item() == pytest.approx(once, rel=1e-12)

    def test_tuples_are_levels_too(self) -> None:
        student, teacher = self.inputs()
        expected = self.call(self.build(), student, teacher)
        torch.testing.assert_close(self.build()(tuple(self.given(student)), tuple(self.given(teacher))), expected)

    def test_unequal_shapes_name_the_level(self) -> None:
        student, teacher = map(self.given, self.inputs())
        teacher[2] = teacher[2][..., :1]
        with pytest.raises(ValueError, match=r'\(B, C, H, W\) at level 2, got \(2, 3, 2, 3\) and \(2, 3, 2, 1\)'):
            self.build()(student, teacher)

    @pytest.mark.parametrize(('ours', 'theirs'), [(3, 2), (2, 3), (0, 0)])
    def test_another_number_of_levels_is_refused(self, ours: int, theirs: int) -> None:
        student, teacher = map(self.given, self.inputs())
        with pytest.raises(ValueError, match=f'the same number of levels, at least one, got {ours} and {theirs}'):
            self.build()(student[:ours], teacher[:theirs])

    def test_one_map_is_no_list_of_levels(self) -> None:
        student, teacher = self.inputs()
        with pytest.raises(ValueError, match='expected lists of maps'):
            self.build()(student, teacher)
        with pytest.raises(ValueError, match='expected lists of maps'):
            self.build()([student], teacher)
