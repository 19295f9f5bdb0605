"""Turn the student's pixels into the teacher's: each model was trained with its own normalisation."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmkd_ext.errors import ConfigError


class _Pixels(NamedTuple):
    """How a data preprocessor changes a pixel."""

    mean: Tensor
    std: Tensor
    swap: bool
    pad: float


def _pixels(preprocessor: Any) -> _Pixels:
    """Read it from a toolbox's preprocessor; the toolboxes name the same things differently."""
    normalises = getattr(preprocessor, '_enable_normalize', False)
    mean = preprocessor.mean.detach().float().cpu() if normalises else torch.zeros(1, 1, 1)
    std = preprocessor.std.detach().float().cpu() if normalises else torch.ones(1, 1, 1)
    swap = any(getattr(preprocessor, name, False) for name in ('_channel_conversion', 'channel_conversion', 'to_rgb'))
    pad = getattr(preprocessor, 'pad_value', getattr(preprocessor, 'pad_val', 0))
    return _Pixels(mean, std, swap, float(pad))


def describe(preprocessor: nn.Module) -> str:
    """How a preprocessor changes a pixel, in words."""
    pixels = _pixels(preprocessor)
    mean, std = (', '.join(f'{x:.4g}' for x in values.flatten()) for values in (pixels.mean, pixels.std))
    order = 'channels in reverse order' if pixels.swap else 'channels in the order they are loaded in'
    return f'mean ({mean}), std ({std}), {order}'


def same_pixels(student: nn.Module, teacher: nn.Module) -> bool:
    """Whether two data preprocessors normalise pixels alike, to a hundredth, in the same channel order."""
    s, t = _pixels(student), _pixels(teacher)
    same_std = torch.allclose(s.std, t.std, rtol=0.01)
    return s.swap == t.swap and same_std and bool(((s.mean - t.mean).abs() <= 0.01 * t.std).all())


def changes(own: nn.Module, given: nn.Module, size: Sequence[int] | None = None, divisor: int = 1) -> str:
    """How a teacher's images differ from those that it would get on its own, in words; empty if they do not.

    Args:
        own: The teacher's data preprocessor.
        given: The preprocessor that made the pixels that it gets.
        size: See `PixelAdapter`.
        divisor: See `PixelAdapter`.
    """
    pixels = f"in the student's pixels, {describe(given)}" if describe(given) != describe(own) else ''
    resized = f'resized to {" x ".join(map(str, size))}' if size else ''
    if not size and divisor > 1:
        resized = f'resized to multiples of {divisor}'
    return ', '.join(filter(None, (pixels, resized)))


class PixelAdapter:
    """Turns the student's normalised images into the teacher's: mean, std, channel order and padding value.

    The conversion is exact up to float32 rounding, and does nothing if both agree. Padding stays where the student has
    it: at the right and the bottom, as in all three toolboxes, found from the samples' `img_shape` and the padding's
    value. Without `size` and `divisor` the size stays the student's, too.

    Args:
        student: The student's data preprocessor.
        teacher: The teacher's.
        key: The config key of the teacher, for messages.
        size: Height and width to which the padded images are resized (bilinear, antialiased).
        divisor: Without a size: resize each side to the nearest multiple of this (a patch size).
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        key: str = 'model.teacher',
        size: Sequence[int] | None = None,
        divisor: int = 1,
    ) -> None:
        self.key, self.size, self.divisor = key, None if size is None else tuple(size), divisor
        s, t = _pixels(student), _pixels(teacher)
        self.swap = s.swap != t.swap
        mean, std = (s.mean.flip(0), s.std.flip(0)) if self.swap else (s.mean, s.std)
        self.scale, self.shift = std / t.std, (mean - t.mean) / t.std
        self._on: dict[torch.device, tuple[Tensor, Tensor]] = {}  # copying to a device makes the host wait
        self.pad, self._padded = t.pad, s.pad
        same_affine = bool((self.scale == 1).all() and (self.shift == 0).all())
        self.identity = same_affine and not self.swap and s.pad == t.pad

    def __call__(self, inputs: Any, data_samples: Any) -> Any:
        """The teacher's images.

        Args:
            inputs: (B, C, H, W), preprocessed for the student.
            data_samples: For each image an object with `img_shape`, its height and width without padding; or None.

        Raises:
            ConfigError: If the two need different images and `inputs` is not a batch of images.
        """
        if self.identity and not self.resizes:
            return inputs
        if not isinstance(inputs, Tensor) or inputs.ndim != 4:
            does = "resizes the student's images" if self.identity else 'normalises images differently than the student'
            raise ConfigError(f'{self.key}: it {does}, which only works for inputs (B, C, H, W).')
        return self.resized(inputs if self.identity else self._normalised(inputs, data_samples))

    @property
    def resizes(self) -> bool:
        """Whether the teacher's images may have another size than the student's."""
        return self.size is not None or self.divisor > 1

    def resized(self, images: Tensor) -> Tensor:
        """Resize images (B, C, H, W), preprocessed for the teacher, to its size."""
        if not self.resizes:
            return images
        size = self.size or tuple(max(round(side / self.divisor), 1) * self.divisor for side in images.shape[-2:])
        if size == images.shape[-2:]:
            return images
        return interpolate(images, size, mode='bilinear', align_corners=False, antialias=True)

    def _normalised(self, inputs: Tensor, data_samples: Any) -> Tensor:
        images = inputs.flip(1) if self.swap else inputs
        device = inputs.device
        if device not in self._on:
            self._on[device] = self.scale.to(device), self.shift.to(device)
        scale, shift = self._on[device]
        images = images * scale + shift
        for image, own, sample in zip(images, inputs, data_samples or [], strict=False):
            height, width = getattr(sample, 'img_shape', image.shape[-2:])[:2]
            image[:, height:].masked_fill_(self._is_padding(own[:, height:]), self.pad)
            image[:, :, width:].masked_fill_(self._is_padding(own[:, :, width:]), self.pad)
        return images

    def _is_padding(self, outside: Tensor) -> Tensor:
        """Which pixels outside of `img_shape`, (C, H, W), are padding; returns (H, W).

        All are, unless a transform has resized the image and left `img_shape` as it was (torchvision's Resize).
        """
        return ((outside - self._padded).abs() <= 1e-4 * max(abs(self._padded), 1)).all(dim=0)
