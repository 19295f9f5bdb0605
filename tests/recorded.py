"""A model with one of each source that can be recorded, and recorders of it."""

from collections import namedtuple
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mmkd_ext.recorders.manager import RecorderManager

Pair = namedtuple('Pair', ['low', 'high'])


def scale(x: Tensor, factor: float = 1.0) -> Tensor:
    """A function that models below call by its name in this module."""
    return x * factor


class Base:
    def combine(self, x: Tensor, offset: float = 0.0) -> Tensor:
        return x + offset

    @staticmethod
    def fixed(x: Tensor) -> Tensor:
        return x + 1


class Derived(Base):
    def own(self, x: Tensor) -> Tensor:
        return -x


class Net(nn.Module):
    """One of each: a module run three times, a function, methods (own and inherited), outputs of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(3, 4)
        self.shared = nn.Linear(4, 4)
        self.split = Split()
        self.head = nn.Linear(4, 2)
        self.helper = Derived()
        self.calls: list[str] = []
        for name, module in self.named_children():
            module.register_forward_hook(lambda *_, name=name: self.calls.append(name))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = self.shared(x)
        parts = self.split(x, factor=2.0)
        x = scale(parts['sum'], factor=3.0)
        x = self.helper.own(self.helper.combine(x, offset=0.5))
        return self.head(x)


class Split(nn.Module):
    def forward(self, x: Tensor, factor: float) -> dict:
        return {'sum': x + factor, 'all': (x, Pair(x - 1, x + 1))}


def manager(model: nn.Module | None = None, **sources: tuple[str, str]) -> RecorderManager:
    """Recorders from name=(type, source), checked against the model."""
    made = RecorderManager({name: dict(type=kind, source=s) for name, (kind, s) in sources.items()}, 'key')
    if model is not None:
        made.check(model)
    return made


def here(name: str) -> str:
    return f'{__name__}.{name}'


class Chain(nn.Module):
    """Convolution, batch norm, and then an operation that may change the norm's output in place."""

    def __init__(self, after: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        self.returned = out = self.norm(self.conv(x))
        return self.after(out, x)


def inplace_relu(out: Tensor, x: Tensor) -> Tensor:
    return nn.ReLU(inplace=True)(out)
