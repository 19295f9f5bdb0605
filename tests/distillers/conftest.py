import pytest
import torch
from torch import Tensor
from wiring import Toy


@pytest.fixture
def student() -> Toy:
    return Toy(3, seed=1)


@pytest.fixture
def teacher() -> Toy:
    return Toy(5, seed=2)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(3))
