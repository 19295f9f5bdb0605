"""A data set of small images that are decoded once and augmented batch by batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS as ALL_DATASETS
from torch import Tensor
from torch.nn.functional import pad

from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import DATASETS

KEY = 'InMemoryImages.dataset'


@DATASETS.register_module()
class InMemoryImages:
    """Keeps a data set of small images in memory, and crops and flips whole batches.

    Decoding and augmenting one 32x32 image at a time can take as long as a small network's step. This wrapper runs the
    deterministic steps of the pipeline once per image, and applies `RandomCrop` and `RandomFlip` to a whole batch; the
    images have the same distribution as those of the wrapped data set. `student_config` leaves out the wrapper, so a
    plain config has the wrapped data set.

    It needs `num_workers=0`, or about 3 KB of shared memory per image of 32x32.

    Args:
        dataset: Config of a data set whose pipeline returns images of one size. Its random steps may be mmpretrain's
            `RandomCrop` (a square `crop_size`, a `padding` of one number, filled with zeros) and horizontal
            `RandomFlip` (`prob`), each at most once.

    Raises:
        ConfigError: If the pipeline has another random crop or flip, or the images differ in size.

    Examples:
        >>> train_dataloader = dict(
        ...     num_workers=0,
        ...     dataset=dict(type='mmkd_ext.InMemoryImages', dataset=dict(type='CIFAR100', split='train', pipeline=[
        ...         dict(type='RandomCrop', crop_size=32, padding=4), dict(type='RandomFlip', prob=0.5),
        ...         dict(type='PackInputs')])))
    """

    def __init__(self, dataset: dict) -> None:
        self.padding, self.size, self.prob = 0, 0, 0.0
        fixed = [step for step in dataset['pipeline'] if not self._take(step)]
        self.dataset = ALL_DATASETS.build({**dataset, 'pipeline': fixed})
        self.metainfo = self.dataset.metainfo
        self._images: Tensor | None = None
        self._samples: list[Any] = []

    def _take(self, step: dict) -> bool:
        """Whether a step is random and applied to the batch; notes its settings."""
        name, rest = step['type'], {key: value for key, value in step.items() if key != 'type'}
        if name == 'RandomCrop':
            size, padding = rest.pop('crop_size', None), rest.pop('padding', 0)
            if self.size or rest or not isinstance(size, int) or not isinstance(padding, int):
                raise ConfigError(f'{KEY}: expected one RandomCrop with integer crop_size and padding, got {step}.')
            self.size, self.padding = size, padding
        elif name == 'RandomFlip':
            prob = rest.pop('prob', None)
            if self.prob or rest.pop('direction', 'horizontal') != 'horizontal' or rest or not isinstance(prob, float):
                raise ConfigError(f'{KEY}: expected one horizontal RandomFlip with one prob, got {step}.')
            self.prob = prob
        return name in ('RandomCrop', 'RandomFlip')

    def full_init(self) -> None:
        """Decode all images, unless this was done before."""
        if self._images is not None:
            return
        items = [self.dataset[i] for i in range(len(self.dataset))]
        shapes = sorted({tuple(item['inputs'].shape) for item in items})
        if len(shapes) > 1:
            raise ConfigError(f'{KEY}: expected images of one size, got {shapes[0]} and {shapes[-1]}; resize them.')
        self._images = torch.stack([item['inputs'] for item in items])
        self._samples = [item['data_samples'] for item in items]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """The batch that PyTorch's fetcher asks for, augmented at once.

        Args:
            indices: Indices of B images.

        Returns:
            B items: `inputs`, an image (3, H, W) of bytes, and `data_samples`.
        """
        self.full_init()
        assert self._images is not None
        images = self._flip(self._crop(self._images[torch.as_tensor(indices)]))
        return [
            dict(inputs=image, data_samples=self._samples[i].clone()) for image, i in zip(images, indices, strict=True)
        ]

    def _crop(self, images: Tensor) -> Tensor:
        if not self.size:
            return images
        images = pad(images, [self.padding] * 4)
        height, width = (side - self.size + 1 for side in images.shape[-2:])
        if height < 1 or width < 1:
            raise ConfigError(f'{KEY}: crop_size={self.size} is larger than the padded images.')
        steps = torch.arange(self.size)
        top = torch.from_numpy(np.random.randint(height, size=len(images)))[:, None, None, None]
        left = torch.from_numpy(np.random.randint(width, size=len(images)))[:, None, None, None]
        which, channels = torch.arange(len(images))[:, None, None, None], torch.arange(images.shape[1])[:, None, None]
        return images[which, channels, top + steps[:, None], left + steps]

    def _flip(self, images: Tensor) -> Tensor:
        if not self.prob:
            return images
        flipped = torch.from_numpy(np.random.rand(len(images)) < self.prob)
        return torch.where(flipped[:, None, None, None], images.flip(-1), images)
