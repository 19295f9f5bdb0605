"""Tests that every loss and every connector must pass; a test class gives its config and its formula."""

import copy
from typing import Any

import pytest
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.autograd import gradcheck

WEIGHT = 0.7


class LossTester:
    """Tests of a loss `forward(student, teacher)`; it is built by name, which also tests its registration.

    A subclass gives `cfg` (with a temperature other than 1), a `shape` whose sizes all differ, and `reference`.
    `extra` returns further arguments of the forward (labels), `given` turns a tensor into the form that the forward
    takes (a list of maps). `zero_at_match = False` is for a loss that is not zero if both sides are equal.
    """

    cfg: dict
    shape: tuple[int, ...]
    zero_at_match = True

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """The formula again, in plain loops and without the package's code; `loss_weight` is 1."""
        raise NotImplementedError

    def extra(self) -> tuple:
        """The arguments of the forward after student and teacher."""
        return ()

    def given(self, tensor: Tensor) -> Any:
        """A tensor of `inputs` in the form that the forward takes."""
        return tensor

    def call(self, loss: nn.Module, student: Tensor, teacher: Tensor) -> Tensor:
        """The loss of two tensors like those of `inputs`."""
        return loss(self.given(student), self.given(teacher), *self.extra())

    def build(self, **overrides: object) -> nn.Module:
        """The loss from mmengine's own registry."""
        return MODELS.build({**self.cfg, **overrides})

    def inputs(self, dtype: torch.dtype = torch.float64, **kwargs: object) -> tuple[Tensor, Tensor]:
        """Student (requires gradient) and teacher (requires it, too, so that a missing `detach` is noticed)."""
        generator = torch.Generator().manual_seed(7)
        student, teacher = (torch.randn(self.shape, generator=generator, dtype=torch.float64) for _ in range(2))
        return student.to(dtype).requires_grad_(), (2 * teacher).to(dtype).requires_grad_()

    def test_equals_an_independent_reference(self) -> None:
        student, teacher = self.inputs()
        loss = self.call(self.build(loss_weight=WEIGHT), student, teacher)
        assert loss.shape == ()
        assert loss.dtype == torch.float64
        assert loss.item() == pytest.approx(WEIGHT * self.reference(student.detach(), teacher.detach()), rel=1e-10)

    def test_is_zero_where_student_and_teacher_are_equal(self) -> None:
        if not self.zero_at_match:
            pytest.skip('this loss is not zero at a match')
        student, _ = self.inputs()
        assert self.call(self.build(), student, student.detach().clone()).item() == pytest.approx(0, abs=1e-12)

    def test_gradient_of_the_student_is_right(self) -> None:
        student, teacher = self.inputs()
        loss = self.build(loss_weight=WEIGHT)
        assert gradcheck(lambda x: self.call(loss, x, teacher.detach()), (student,), fast_mode=True)

    def test_no_gradient_reaches_the_teacher(self) -> None:
        student, teacher = self.inputs()
        self.call(self.build(), student, teacher).backward()
        assert student.grad.abs().sum() > 0
        assert teacher.grad is None

    def test_loss_weight_is_a_factor(self) -> None:
        student, teacher = self.inputs()
        once, thrice = (self.call(self.build(loss_weight=w), student, teacher).item() for w in (1.0, 3.0))
        assert thrice == pytest.approx(3 * once, rel=1e-12)
        assert self.call(self.build(), student, teacher).item() == once

    @pytest.mark.parametrize('autocast', [False, True])
    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
    def test_is_finite_in_half_precision(self, dtype: torch.dtype, autocast: bool) -> None:
        student, teacher = self.inputs(dtype)
        large, loss = (300 * student.detach()).requires_grad_(), self.build()
        with torch.autocast('cpu', dtype=dtype, enabled=autocast):
            losses = [self.call(loss, student, teacher), self.call(loss, large, teacher)]
        sum(losses).backward()
        assert all(loss.isfinite() for loss in losses)
        assert student.grad.isfinite().all()
        assert large.grad.isfinite().all()

    def test_inputs_are_left_as_they_are(self) -> None:
        student, teacher = self.inputs()
        before = student.detach().clone(), teacher.detach().clone()
        self.call(self.build(), student, teacher)
        assert torch.equal(student, before[0])
        assert torch.equal(teacher, before[1])

    def test_unequal_shapes_are_refused(self) -> None:
        student, teacher = self.inputs()
        loss = self.build()
        for dim in range(student.ndim):
            with pytest.raises(ValueError, match='shape'):
                self.call(loss, student, teacher.narrow(dim, 0, 1))  # size 1 would broadcast
        with pytest.raises(ValueError, match='shape'):
            self.call(loss, student[0], teacher[0])


class ConnectorTester:
    """Tests of a connector `forward(x)`; a subclass gives `cfg`, an input `shape` and the `out_shape`.

    `call` is for a connector that takes and returns lists.
    """

    cfg: dict
    shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    def call(self, connector: nn.Module, x: Tensor) -> Tensor:
        """The connector's result, as one tensor."""
        return connector(x)

    def build(self, **overrides: object) -> nn.Module:
        """The connector from mmengine's own registry."""
        return MODELS.build({**self.cfg, **overrides})

    def input(self) -> Tensor:
        """An input that requires gradient."""
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(7)).requires_grad_()

    def test_output_has_the_announced_shape(self) -> None:
        assert self.call(self.build(), self.input()).shape == self.out_shape

    def test_gradients_reach_the_input_and_every_parameter(self) -> None:
        connector, x = self.build(), self.input()
        y = self.call(connector, x)
        (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(8))).sum().backward()
        assert x.grad.abs().sum() > 0
        assert list(connector.parameters())
        for name, parameter in connector.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name

    def test_state_dict_round_trip(self) -> None:
        torch.manual_seed(1)
        first = self.build()
        torch.manual_seed(2)
        second, x = self.build(), self.input()
        assert not torch.equal(self.call(first, x), self.call(second, x))
        second.load_state_dict(copy.deepcopy(first.state_dict()))
        assert torch.equal(self.call(first.eval(), x), self.call(second.eval(), x))

    def test_input_is_left_as_it_is(self) -> None:
        x = self.input()
        before = x.detach().clone()
        self.call(self.build(), x)
        assert torch.equal(x, before)

    def test_wrong_channels_are_refused(self) -> None:
        x, connector = self.input(), self.build()
        for wrong in (x[:, :-1], torch.cat([x, x], 1), x[0]):
            with pytest.raises(ValueError, match='in_channels'):
                self.call(connector, wrong)

    @pytest.mark.parametrize('autocast', [False, True])
    def test_is_finite_in_bfloat16(self, autocast: bool) -> None:
        connector, x = self.build(), self.input().detach()
        if not autocast:
            connector, x = connector.bfloat16(), x.bfloat16()
        x.requires_grad_()
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
            y = self.call(connector, x)
        y.float().square().sum().backward()
        assert y.isfinite().all()
        assert x.grad.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in connector.parameters())
