import math

import pytest
import torch

from mmkd_ext.functional import check_same_shape, for_pointwise, tempered_kl


def test_tempered_kl_gives_one_value_a_row_and_is_never_negative() -> None:
    generator = torch.Generator().manual_seed(3)
    student, teacher = torch.randn(2, 5, 7, generator=generator, dtype=torch.float64)
    rows = tempered_kl(student, teacher, 2.5)
    assert rows.shape == (5,)
    assert (rows > 0).all()
    assert torch.equal(rows[2:3], tempered_kl(student[2:3], teacher[2:3], 2.5))


def test_tempered_kl_is_measured_from_the_teacher() -> None:
    """KL(3/4, 1/4 || 1/2, 1/2) is not KL(1/2, 1/2 || 3/4, 1/4)."""
    peaked, flat = torch.tensor([[math.log(3), 0.0]]), torch.zeros(1, 2)
    forward = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    backward = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert tempered_kl(flat, peaked, 1.0).item() == pytest.approx(forward, rel=1e-5)
    assert tempered_kl(peaked, flat, 1.0).item() == pytest.approx(backward, rel=1e-5)


def test_tempered_kl_is_scaled_by_the_squared_temperature() -> None:
    """For large tau, tau^2 KL tends to half the variance of the logits' difference over classes."""
    generator = torch.Generator().manual_seed(3)
    student, teacher = torch.randn(2, 1, 6, generator=generator, dtype=torch.float64)
    limit = (student - teacher).var(unbiased=False) / 2
    assert tempered_kl(student, teacher, 1e4).item() == pytest.approx(limit.item(), rel=1e-3)


@pytest.mark.parametrize(
    ('student', 'teacher', 'dims'), [((2, 3), (2, 1), 2), ((2, 3), (3,), 2), ((2, 3), (2, 3), 4), ((), (), 2)]
)
def test_what_would_broadcast_is_refused_with_both_shapes(student: tuple, teacher: tuple, dims: int) -> None:
    with pytest.raises(ValueError, match='expected student and teacher of one shape') as caught:
        check_same_shape(torch.zeros(student), torch.zeros(teacher), dims, '(N, K)')
    assert all(part in str(caught.value) for part in ('(N, K)', str(student), str(teacher)))


def test_equal_shapes_are_accepted() -> None:
    check_same_shape(torch.zeros(2, 3), torch.ones(2, 3), 2, '(N, K)')


def test_maps_for_pointwise_convolutions_are_channels_last_on_a_cpu() -> None:
    x = torch.randn(2, 3, 5, 7)
    y = for_pointwise(x)
    assert torch.equal(x, y)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert for_pointwise(y) is y
