"""Keep the maps of convolutional networks in the channels-last layout."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmkd_ext.distributed import unwrapped
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Converts the student's convolutions to the channels-last memory format before the first step.

    Convolutions pass the layout on, so the maps follow. Results are the same up to rounding; on a CPU a small network's
    step takes about two thirds of the time, on GPUs it pays off with mixed precision. Checkpoints are not affected. A
    teacher is left as it is: it is made channels-last at its first batch, where its records stay the same.

    Raises:
        ConfigError: In `before_run`, if the student has mmcv's own operations (deformable convolution, RoIAlign): some
            of them silently misread channels-last maps on a CPU.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights in place, so that the optimiser keeps its parameters."""
        model = unwrapped(runner)
        for name, module in model.named_modules():
            if type(module).__module__.startswith('mmcv.ops'):
                raise ConfigError(
                    f'custom_hooks: ChannelsLastHook is for models without mmcv.ops, but {name} is a '
                    f'{type(module).__name__}; leave out the hook.'
                )
        for child in model.children():  # `model.to` would convert its teachers, too
            child.to(memory_format=torch.channels_last)
