from itertools import combinations

import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor, nn

# Four stages: sizes that do not divide, that do in one direction, and that are equal; channels that grow or do not.
STAGES = [(2, 3, 9, 8), (2, 4, 5, 7), (2, 6, 5, 7), (2, 6, 1, 2)]


def stages(shapes: list[tuple[int, ...]] = STAGES, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Maps that require gradients."""
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for s in shapes]


def bin_mean(channel: Tensor, y: int, x: int, rows: int, columns: int) -> Tensor:
    """Of bin (y, x) of rows x columns: from floor(y h / rows) to before ceil((y + 1) h / rows), columns alike."""
    h, w = channel.shape
    ys = range(y * h // rows, -(-(y + 1) * h // rows))
    xs = range(x * w // columns, -(-(x + 1) * w // columns))
    return sum(channel[i, j] for i in ys for j in xs) / (len(ys) * len(xs))


def looped(maps: list[Tensor], pairs: list[tuple[int, int]]) -> Tensor:
    """Li et al.: the pooled shallow map against the first channels of the deep one, one position at a time."""
    total = 0
    for i, j in pairs:
        shallow, deep = maps[i], maps[j].detach()
        batch, channels = shallow.shape[:2]
        rows, columns = deep.shape[2:]
        squares = [
            (bin_mean(shallow[b, c], y, x, rows, columns) - deep[b, c, y, x]) ** 2
            for b in range(batch)
            for c in range(channels)
            for y in range(rows)
            for x in range(columns)
        ]
        total += sum(squares) / len(squares)
    return total / len(pairs)


class TestTFDLoss(LossTester):
    """The promises for two stages, of which the deep one is called `teacher`."""

    cfg = dict(type='mmkd_ext.TFDLoss')
    shape = (2, 3, 7, 9)
    deep = (2, 4, 3, 5)

    def inputs(self, dtype: torch.dtype = torch.float64, **kwargs: object) -> tuple[Tensor, Tensor]:
        shallow, deep = stages([self.shape, self.deep], dtype)
        return shallow, deep

    def call(self, loss: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
        return loss([student, teacher])

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        return looped([student, teacher], [(0, 1)]).item()

    def test_unequal_shapes_are_refused(self) -> None:
        shallow, deep = self.inputs()
        loss = self.build()
        for wrong in ([shallow, deep[:1]], [shallow[0], deep[0]], [shallow, deep[:, :0]], [shallow[:0], deep[:0]]):
            with pytest.raises(ValueError, match=r'expected maps \(B, C, H, W\) of one batch, got shapes'):
                loss(wrong)
        with pytest.raises(ValueError, match=r'stage 1 .*\(2, 2, 3, 5\).* stage 0 .*\(2, 3, 7, 9\)'):
            loss([shallow, deep[:, :2]])  # too few channels
        for wrong in (shallow[:, :, :2], shallow[..., :4]):
            with pytest.raises(ValueError, match='as many channels and no more rows or columns'):
                loss([wrong, deep])

    @pytest.mark.parametrize('pairs', [None, [(0, 3)], [(2, 3), (0, 1)], [[1, 2]]])
    def test_value_and_gradients_of_several_stages_equal_the_loops(self, pairs: list | None) -> None:
        ours, theirs = stages(), stages()
        loss = self.build(pairs=pairs, loss_weight=WEIGHT)(ours)
        expected = WEIGHT * looped(theirs, pairs or list(combinations(range(4), 2)))
        torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
        loss.backward()
        expected.backward()
        for found, reference in zip(ours, theirs, strict=True):
            assert (found.grad is None) == (reference.grad is None)
            if reference.grad is not None:
                torch.testing.assert_close(found.grad, reference.grad, rtol=1e-12, atol=1e-15)
        assert ours[3].grad is None  # the deepest only teaches

    def test_value_by_hand(self) -> None:
        """Means (2, 6) of the shallow map's channel against (1, 2) of the deep map's first: (1 + 16) / 2."""
        shallow = torch.tensor([[1.0, 3.0, 5.0, 7.0], [1.0, 3.0, 5.0, 7.0]])[None, None]
        deep = torch.tensor([[[1.0, 2.0]], [[50.0, 60.0]]])[None]
        assert self.build()([shallow, deep]).item() == 8.5

    def test_pooling_is_that_of_kernel_and_stride_where_sizes_divide(self) -> None:
        shallow, deep = stages([(2, 3, 12, 8), (2, 3, 4, 4)])
        expected = nn.functional.mse_loss(nn.AvgPool2d((3, 2))(shallow), deep)
        assert torch.equal(self.build()([shallow, deep]), expected)

    @pytest.mark.parametrize('pairs', [None, [(0, 3), (0, 1), (0, 2)]])
    def test_pooling_in_steps_is_pooling_at_once(self, pairs: list | None) -> None:
        """From 12 to 6, then to 3; but 6 does not go on to 4, nor 5 to 3."""
        shapes = [(2, 3, 12, 12), (2, 3, 6, 5), (2, 4, 4, 5), (2, 5, 2, 3)], [(2, 3, 12, 8), (2, 3, 6, 4), (2, 3, 3, 2)]
        for shape in shapes if pairs is None else shapes[:1]:
            expected = looped(stages(shape), pairs or list(combinations(range(len(shape)), 2)))
            torch.testing.assert_close(self.build(pairs=pairs)(stages(shape)), expected, rtol=1e-12, atol=0)

    @pytest.mark.filterwarnings('error')
    def test_bottleneck_stages(self) -> None:
        """Widths of ResNet-50, a sixteenth of them."""
        shapes = [(2, 16, 14, 14), (2, 32, 7, 7), (2, 64, 4, 4), (2, 128, 2, 2)]
        maps = stages(shapes, torch.float32)
        self.build()(maps).backward()
        assert [m.grad is None for m in maps] == [False, False, False, True]

    def test_a_batch_of_one_and_tuples(self) -> None:
        whole = self.build()(stages())
        ones = [self.build()(tuple(m[b : b + 1] for m in stages())) for b in range(2)]
        torch.testing.assert_close(whole, sum(ones) / 2, rtol=1e-12, atol=0)

    def test_half_precision_does_not_overflow(self) -> None:
        maps = [400 * m.detach() for m in stages(dtype=torch.float16)]
        exact = self.build()([m.double() for m in maps]).item()
        assert self.build()(maps).item() == pytest.approx(exact, rel=1e-5)

    def test_autocast_changes_nothing(self) -> None:
        maps = stages(dtype=torch.float32)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = self.build()(maps)
        assert torch.equal(loss, self.build()(maps))

    def test_a_stage_that_does_not_train_is_no_obstacle(self) -> None:
        maps = stages()
        maps[0] = maps[0].detach()
        self.build()(maps).backward()
        assert maps[1].grad.abs().sum() > 0

    @pytest.mark.parametrize('pairs', [[], [(1, 0)], [(1, 1)], [(-1, 2)], [(0, 1, 2)], [0, 1], [(0.0, 1)]])
    def test_pairs_that_are_none_are_refused(self, pairs: list) -> None:
        with pytest.raises(ValueError, match=r'pairs must be \(shallow, deep\) stages, counted from 0'):
            self.build(pairs=pairs)

    def test_too_few_stages_are_refused(self) -> None:
        with pytest.raises(ValueError, match='expected 4 stages or more, got 3'):
            self.build(pairs=[(0, 1), (2, 3)])(stages()[:3])
        with pytest.raises(ValueError, match='expected 2 stages or more, got 1'):
            self.build()(stages()[:1])

    @pytest.mark.parametrize('wrong', [[], (), torch.zeros(2, 3, 4, 4), None])
    def test_what_is_no_list_of_maps_is_refused(self, wrong: object) -> None:
        with pytest.raises(ValueError, match='expected a list of maps, one per stage'):
            self.build()(wrong)
