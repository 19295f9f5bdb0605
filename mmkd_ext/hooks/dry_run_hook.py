"""Find, before the first step, what only the shapes of real data reveal: one step of a copy of the model."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, set_random_seed
from torch.nn.parallel import DistributedDataParallel

from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import HOOKS

_IMAGES = 2  # with one alone a batch norm behind a global pooling has no statistics


@HOOKS.register_module()
class DryRunHook(Hook):
    """Computes the losses of a copy of the model for a few images before training, and throws all of it away.

    A connector of a wrong width, a record that is not there, class means of other channels and a loss that trains
    nothing end the run with their sentence before a data loader has started or a weight has changed. Weights,
    statistics, random numbers, samplers and the optimiser are as if it had not been. `tools/train.py` has it always.

    What fails for another reason is left to the first step, which shows the whole of it.
    """

    priority = 'LOW'  # after the hooks that look at the config, and the one that notes the data set's classes

    def before_train(self, runner: Runner) -> None:
        """Raise ConfigError as the first step would."""
        model: Any = runner.model
        if isinstance(model, DistributedDataParallel):
            model = model.module
        if is_model_wrapper(model) or not hasattr(model, 'distiller') or getattr(model, 'stored', None):
            return
        model.train()  # which compares the classes; the copy need not say so again
        with _random_state_kept():
            set_random_seed(0)
            try:
                _step(copy.deepcopy(model), runner.train_dataloader)
            except ConfigError:
                raise
            except Exception as error:
                print_log(f'no dry run: {type(error).__name__}: {error}', 'current', 10)  # DEBUG


def _step(model: Any, loader: Any) -> None:
    """The losses of the data set's first images."""
    dataset = loader.dataset
    data = loader.collate_fn([dataset[i] for i in range(min(_IMAGES, len(dataset)))])
    with torch.enable_grad():
        model._run_forward(model.data_preprocessor(data, True), mode='loss')


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """A context after which all generators go on as if nothing had been drawn."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
