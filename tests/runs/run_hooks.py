"""Hooks that the run tests name in their configs."""

import json
import os
import signal
from typing import Any

import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """`kill -9` to its own process after the iteration that the environment's KILL_AT names."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter + 1 == int(os.environ.get('KILL_AT', 0)):
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class AgreeHook(Hook):
    """Prints that all processes have the same parameters after training, or raises."""

    def after_train(self, runner: Any) -> None:
        for name, parameter in runner.model.named_parameters():
            first, *others = dist.all_gather(parameter.detach())
            if not all(torch.equal(first, other) for other in others):
                raise AssertionError(f'{name} differs between processes')
        if dist.is_main_process():
            print(f'{dist.get_world_size()} processes have the same parameters', flush=True)


@HOOKS.register_module()
class WriteLossesHook(Hook):
    """Writes the losses of each step, averaged over the processes, to a JSON file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.steps: list[dict[str, float]] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        losses = {name: torch.as_tensor(value).detach().clone() for name, value in outputs.items()}
        dist.all_reduce_dict(losses, 'mean')
        self.steps.append({name: value.item() for name, value in losses.items()})

    def after_train(self, runner: Any) -> None:
        if dist.is_main_process():
            with open(self.path, 'w') as file:
                json.dump(self.steps, file)
