import math

import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor, nn

STAGES = [(2, 4, 5, 3), (2, 7, 3, 4), (2, 6, 1, 2)]  # an odd number of channels is among them


def stages(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Maps that require gradients, post-ReLU."""
    generator = torch.Generator().manual_seed(5)
    maps = [torch.randn(shape, generator=generator, dtype=torch.float64).relu() for shape in STAGES]
    return [m.to(dtype).requires_grad_() for m in maps]


def looped(maps: list[Tensor], detach_salient: bool) -> Tensor:
    """Tf-FD, one channel and one position at a time."""
    total = 0
    for m in maps:
        batch, channels, rows, columns = m.shape
        positions = [(b, y, x) for b in range(batch) for y in range(rows) for x in range(columns)]
        saliency = [0.0] * channels
        for c in range(channels):
            for b in range(batch):
                norm = math.sqrt(sum(v * v for v in m[b, c].flatten().tolist()))
                saliency[c] += sum(v / max(norm, 1e-12) for v in m[b, c].flatten().tolist()) / len(positions)
        order = sorted(range(channels), key=lambda c: -saliency[c])
        half = channels // 2
        squares = []
        for salient, redundant in zip(order[:half], order[channels - half :], strict=True):
            for b, y, x in positions:
                target = m[b, salient, y, x]
                squares.append(((target.detach() if detach_salient else target) - m[b, redundant, y, x]) ** 2)
        total += sum(squares) / len(squares)
    return total / len(maps)


class TestIntraTFDLoss(LossTester):
    """The promises for a map whose flat channels (`teacher`) are more salient than the others (`student`)."""

    cfg = dict(type='mmkd_ext.IntraTFDLoss')
    shape = (2, 3, 5, 4)
    zero_at_match = False  # equal halves are not sorted into equal halves; see `test_is_zero_where_channels_are_equal`

    def inputs(self, dtype: torch.dtype = torch.float64, **kwargs: object) -> tuple[Tensor, Tensor]:
        student, teacher = (tensor.detach() for tensor in super().inputs())
        return student.to(dtype).requires_grad_(), (0.1 * teacher + 5).to(dtype).requires_grad_()

    def call(self, loss: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
        return loss([torch.cat([student, teacher], dim=1)])

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        return looped([torch.cat([student, teacher], dim=1)], True).item()

    def test_no_gradient_reaches_the_teacher(self) -> None:
        for detach_salient in (True, False):
            student, teacher = self.inputs()
            self.call(self.build(detach_salient=detach_salient), student, teacher).backward()
            assert student.grad.abs().sum() > 0
            assert bool((teacher.grad == 0).all()) == detach_salient

    def test_unequal_shapes_are_refused(self) -> None:
        maps = stages()
        for wrong in ([maps[0], maps[1][:1]], [maps[0][0]], [maps[0][:, :, :0]], [maps[0][:0]]):
            with pytest.raises(ValueError, match=r'expected maps \(B, C, H, W\) of one batch, got shapes'):
                self.build()(wrong)
        with pytest.raises(ValueError, match=r'stage 1 has 1 channel, which cannot be split'):
            self.build()([maps[0], maps[1][:, :1]])

    @pytest.mark.parametrize('detach_salient', [True, False])
    def test_value_and_gradients_of_several_stages_equal_the_loops(self, detach_salient: bool) -> None:
        ours, theirs = stages(), stages()
        loss = self.build(detach_salient=detach_salient, loss_weight=WEIGHT)(ours)
        expected = WEIGHT * looped(theirs, detach_salient)
        torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
        loss.backward()
        expected.backward()
        for found, reference in zip(ours, theirs, strict=True):
            torch.testing.assert_close(found.grad, reference.grad, rtol=1e-12, atol=1e-15)

    def test_the_salient_half_is_detached_unless_told_otherwise(self) -> None:
        torch.testing.assert_close(*(self.grads(self.build(**given)) for given in ({}, dict(detach_salient=True))))

    def grads(self, loss: nn.Module) -> list[Tensor]:
        maps = stages()
        loss(maps).backward()
        return [m.grad for m in maps]

    def test_value_by_hand(self) -> None:
        """A flat channel is salient, however faint; a peak is not, however high: ((1 - 0)^2 + (1 - 9)^2) / 2."""
        maps = torch.tensor([[0.0, 9.0], [1.0, 1.0]])[None, :, None]
        assert self.build()([maps]).item() == 32.5

    def test_is_zero_where_channels_are_equal(self) -> None:
        maps = [m[:, :1].expand_as(m) for m in stages()]
        assert self.build()(maps).item() == 0

    def test_saliency_is_over_the_whole_batch(self) -> None:
        maps = [m.detach() for m in stages()]
        assert self.build()([m.repeat(2, 1, 1, 1) for m in maps]).item() == pytest.approx(self.build()(maps).item())
        assert self.build()([m[:1] for m in maps]).item() == pytest.approx(looped([m[:1] for m in maps], True).item())

    def test_a_dead_channel_is_finite_and_comes_last(self) -> None:
        maps = torch.ones(2, 2, 3, 3, requires_grad=True)
        dead = maps * torch.tensor([0.0, 1.0])[None, :, None, None]
        self.build()([dead]).backward()
        assert maps.grad.isfinite().all()
        assert self.build()([torch.zeros(2, 4, 3, 3)]).item() == 0

    def test_half_precision_does_not_overflow(self) -> None:
        maps = [400 * m.detach() for m in stages(torch.float16)]
        exact = self.build()([m.double() for m in maps]).item()
        assert self.build()(maps).item() == pytest.approx(exact, rel=1e-5)

    def test_autocast_changes_nothing(self) -> None:
        maps = stages(torch.float32)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = self.build()(maps)
        assert torch.equal(loss, self.build()(maps))

    def test_one_map_is_no_list(self) -> None:
        with pytest.raises(ValueError, match='expected a list of maps, one per stage'):
            self.build()(stages()[0])
