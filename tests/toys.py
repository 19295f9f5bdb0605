"""A small mmengine model, with everything that a real one may have."""

from typing import Any

import torch
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn


class ToyStage(BaseModule):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


@MODELS.register_module(force=True)  # doctest collection may import this file a second time
class ToyModel(BaseModel):
    """Backbone, neck, head; a parameter and buffers of its own; counts the calls of its parts."""

    note = 'of the model'

    def __init__(self, width: int = 4, classes: int = 3, data_preprocessor: Any = None, init_cfg: Any = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = ToyStage(width)
        self.neck = nn.Conv2d(width, width, 1)
        self.head = nn.Linear(width, classes)
        self.gain = nn.Parameter(torch.ones(()))
        self.register_buffer('seen', torch.zeros(()))
        self.register_buffer('scratch', torch.ones(()), persistent=False)
        self.calls: list[str] = []
        self.initialised = 0
        for name in ('backbone', 'neck', 'head'):
            getattr(self, name).register_forward_hook(Counter(self.calls, name))

    def extract_feat(self, inputs: Tensor) -> Tensor:
        return self.neck(self.backbone(inputs))

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        logits = self.head(self.extract_feat(inputs).mean(dim=(2, 3))) * self.gain
        if mode == 'tensor':
            return logits
        if mode == 'predict':
            return logits.argmax(1).tolist()
        self.seen += len(inputs)
        labels = torch.arange(len(inputs), device=inputs.device) % logits.shape[1]
        return dict(
            loss_cls=nn.functional.cross_entropy(logits, labels), accuracy=(logits.argmax(1) == labels).float().mean()
        )

    def init_weights(self) -> None:
        super().init_weights()
        self.initialised += 1


class Counter:
    """A forward hook that notes its module's name."""

    def __init__(self, calls: list[str], name: str) -> None:
        self.calls, self.name = calls, name

    def __call__(self, *_: Any) -> None:
        self.calls.append(self.name)


def toy(seed: int, **kwargs: Any) -> ToyModel:
    """A model whose weights depend on `seed` alone, statistics of its norms included."""
    torch.manual_seed(seed)
    model = ToyModel(**kwargs)
    nn.init.uniform_(model.backbone.norm.running_mean, -0.2, 0.2)
    nn.init.uniform_(model.backbone.norm.running_var, 0.5, 1.5)
    return model


def batch(count: int = 4, size: int = 8) -> dict:
    """Images and a sample with its path for each."""
    images = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(11))
    samples = [BaseDataElement(metainfo=dict(img_path=f'images/{i}.png', img_shape=(size, size))) for i in range(count)]
    return dict(inputs=images, data_samples=samples)
