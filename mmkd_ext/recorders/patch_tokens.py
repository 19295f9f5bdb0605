"""Recorder of a vision transformer's patch tokens as a map."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.base import map_tensors
from mmkd_ext.recorders.module import ModuleOutputsRecorder
from mmkd_ext.registry import TASK_UTILS

_EMBEDDING = 'patch_embed'


@TASK_UTILS.register_module(name=['PatchTokens', 'PatchTokensRecorder'])
class PatchTokensRecorder(ModuleOutputsRecorder):
    """Records the patch tokens that a layer returns, (B, N, C), as a map (B, C, H, W).

    This also works for a layer in the middle, whatever the backbone's `out_type`. Height and width are those of the
    grid that the backbone's `patch_embed` made in the same forward; tokens in front (class token, registers) are left
    out. Outputs without that number of tokens stay as they are.

    Args:
        source: Dotted name of the layer as in `named_modules()`, for example `backbone.layers.11`, or of its norm.
    """

    def check(self, model: nn.Module) -> None:
        """Raise ConfigError if there is no such layer, or no `patch_embed` next to it or above it."""
        super().check(model)
        self._embedding(model)

    def _embedding(self, model: nn.Module) -> nn.Module:
        parts = self.source.split('.')
        for length in range(len(parts), -1, -1):
            parent = model.get_submodule('.'.join(parts[:length]))
            if isinstance(found := getattr(parent, _EMBEDDING, None), nn.Module):
                return found
        raise ConfigError(
            f'source={self.source!r} has no {_EMBEDDING} next to it or above it, which gives the grid of its tokens; '
            'record a layer of a vision transformer, or use ModuleOutputs.'
        )

    @contextmanager
    def _tap(self, model: nn.Module) -> Iterator[None]:
        self._grid: tuple[int, int] | None = None
        handle = self._embedding(model).register_forward_hook(self._see)
        try:
            with super()._tap(model):
                yield
        finally:
            handle.remove()

    def _see(self, module: nn.Module, args: tuple, output: Any) -> None:
        """Note the grid: mmpretrain's embedding returns it; for others it follows from the image and the patches."""
        if isinstance(output, (list, tuple)) and len(output) == 2:
            height, width = output[1]
        elif isinstance(output, Tensor) and output.ndim == 4:
            last = str(getattr(module, 'output_fmt', '')).endswith('NHWC')  # timm's, for images of any size
            height, width = output.shape[1:3] if last else output.shape[2:]
        else:
            size: Any = getattr(module, 'patch_size', None)
            if size is None:
                raise ConfigError(f'{self.source}: {type(module).__name__} does not give the patch grid; use '
                                  'ModuleOutputs.')  # fmt: skip
            sides = size if isinstance(size, (list, tuple)) else (size, size)
            height, width = (length // side for length, side in zip(args[0].shape[-2:], sides, strict=True))
        self._grid = int(height), int(width)

    def _hook(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        self.record(map_tensors(self._as_map, output))

    def _as_map(self, tokens: Tensor) -> Tensor:
        if self._grid is None or tokens.ndim != 3:
            return tokens
        height, width = self._grid
        extra = tokens.shape[1] - height * width
        if extra < 0:
            return tokens
        return tokens[:, extra:].transpose(1, 2).unflatten(2, (height, width))
