import pytest
import torch
from testers import WEIGHT, LossTester
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile


def peak(loss: object, student: Tensor, teacher: Tensor) -> int:
    """Bytes that forward and backward of a loss hold at most, beyond what was there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        loss(student, teacher).backward()
    student.grad = None
    events = [e for e in prof.profiler.kineto_results.events() if e.name() == '[memory]']
    held = highest = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest


class TestNORMLoss(LossTester):
    cfg = dict(type='mmkd_ext.NORMLoss', num_segments=3)
    shape = (2, 12, 5, 6)  # of 3 segments of 4 channels

    def inputs(self, dtype: torch.dtype = torch.float64, **kwargs: object) -> tuple[Tensor, Tensor]:
        student, teacher = super().inputs(dtype)
        return student, teacher.detach()[:, :4].clone().requires_grad_()

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """arXiv 2305.13803: for each segment the mean of the squares over images, channels and positions."""
        total = 0.0
        for k in range(3):
            squares = [
                (student[b, 4 * k + c, i, j].item() - teacher[b, c, i, j].item()) ** 2
                for b in range(2)
                for c in range(4)
                for i in range(5)
                for j in range(6)
            ]
            total += sum(squares) / len(squares)
        return total

    def test_is_zero_where_student_and_teacher_are_equal(self) -> None:
        _, teacher = self.inputs()
        assert self.build()(teacher.repeat(1, 3, 1, 1), teacher).item() == 0

    def test_unequal_shapes_are_refused(self) -> None:
        student, teacher = self.inputs()
        for dim in (0, 1):
            with pytest.raises(ValueError, match=r'shapes \(B, 3 \* C, H, W\)'):
                self.build()(student, teacher.narrow(dim, 0, 1))
        for dim in (2, 3):
            with pytest.raises(ValueError, match='shape'):
                self.build(pool=None)(student, teacher.narrow(dim, 0, 1))
        for wrong in ((student[0], teacher), (student, teacher[0]), (student[:, :-1], teacher), (student[:1], teacher)):
            with pytest.raises(ValueError, match='shapes'):
                self.build()(*wrong)
        with pytest.raises(ValueError, match=r'student \(5, 3\), teacher \(2, 6\)'):
            self.build()(student[..., :3], teacher[:, :, :2])

    def test_value_by_hand(self) -> None:
        """Segments (1, 2) and (5, 0) against (3, 2): (4 + 0) / 2 + (4 + 4) / 2 = 6."""
        student = torch.tensor([1.0, 2.0, 5.0, 0.0]).reshape(1, 4, 1, 1)
        assert self.build(num_segments=2)(student, torch.tensor([3.0, 2.0]).reshape(1, 2, 1, 1)).item() == 6

    def test_gradient_by_hand(self) -> None:
        student, teacher = self.inputs()
        self.build(loss_weight=WEIGHT)(student, teacher).backward()
        expected = WEIGHT * 2 * (student - teacher.repeat(1, 3, 1, 1)).detach() / teacher.numel()
        torch.testing.assert_close(student.grad, expected)

    def test_the_number_of_segments_is_that_of_the_maps(self) -> None:
        student, teacher = (t.detach() for t in self.inputs())
        loss = self.build(num_segments=None)
        for n in (3, 2, 1):
            assert torch.equal(
                loss(student[:, : 4 * n], teacher), self.build(num_segments=n)(student[:, : 4 * n], teacher)
            )
        for wrong in (student[:, :10], student[:, :2], student[0]):
            with pytest.raises(ValueError, match=r'shapes \(B, .* \* C, H, W\)'):
                loss(wrong, teacher)

    def test_one_segment_is_the_mean_squared_error(self) -> None:
        _, teacher = self.inputs()
        student = torch.randn_like(teacher)
        expected = nn.functional.mse_loss(student, teacher).item()
        assert self.build(num_segments=1)(student, teacher).item() == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize('pool', ['max', 'avg'])
    def test_the_larger_map_is_pooled_to_the_smaller(self, pool: str) -> None:
        student, teacher = (t.detach() for t in self.inputs())
        loss, pooling = self.build(pool=pool), dict(max=nn.MaxPool2d, avg=nn.AvgPool2d)[pool]
        large = torch.randn(2, 4, 15, 12, dtype=torch.float64)
        assert loss(student, large).item() == pytest.approx(loss(student, pooling((3, 2))(large)).item(), rel=1e-12)
        small = torch.randn(2, 4, 1, 3, dtype=torch.float64)
        assert loss(student, small).item() == pytest.approx(loss(pooling((5, 2))(student), small).item(), rel=1e-12)

    def test_max_is_the_default(self) -> None:
        student, teacher = (t.detach() for t in self.inputs())
        large = torch.randn(2, 4, 10, 12, dtype=torch.float64)
        assert self.build()(student, large) == self.build(pool='max')(student, large)
        assert self.build()(student, large) != self.build(pool='avg')(student, large)

    def test_what_does_not_exist_is_refused(self) -> None:
        for wrong, match in ((dict(num_segments=0), 'num_segments'), (dict(pool='gem'), "pool must be 'max', 'avg'")):
            with pytest.raises(ValueError, match=match):
                self.build(**wrong)

    def test_holds_less_memory_than_the_tiled_form(self) -> None:
        """`mse_loss` needs two temporaries of the wide map's size; the tiled teacher is held beside them."""
        student, teacher = torch.randn(2, 8 * 24, 30, 31, requires_grad=True), torch.randn(2, 24, 30, 31)
        whole = student.numel() * 4

        def tiled(student: Tensor, teacher: Tensor) -> Tensor:
            return 8 * nn.functional.mse_loss(student, teacher.repeat(1, 8, 1, 1))

        lean = self.build(num_segments=8)
        assert lean(student, teacher).item() == pytest.approx(tiled(student, teacher).item(), rel=1e-5)
        assert peak(lean, student, teacher) < 2.1 * whole
        assert peak(tiled, student, teacher) > 2.9 * whole
