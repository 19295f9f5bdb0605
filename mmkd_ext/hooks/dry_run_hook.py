"""Find mistakes that only the shapes of real data reveal, before the first step, with a step of a copy of the model."""

import copy
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner, set_random_seed
from torch.nn.parallel import DistributedDataParallel

from mmkd_ext.distillers.classes import class_names, other_count
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import HOOKS

_IMAGES = 2  # with only one, a batch norm after global pooling has no statistics


@HOOKS.register_module()
class DryRunHook(Hook):
    """Computes the losses of a copy of the model on a few images before training, and discards everything.

    A connector of the wrong width, a missing record, class means with other channels, or a loss that trains nothing
    ends the run with its message before a data loader has started or a weight has changed. So does a data set without
    a batch, with which mmengine trains nothing, or waits forever. Weights, statistics, random
    numbers, samplers and the optimiser are unaffected. `tools/train.py` always uses this hook.

    Failures for other reasons are left to the first step, which shows them in full.
    """

    priority = 'LOW'  # after the hooks that check the config, and the one that sets the data set's classes

    def before_train(self, runner: Runner) -> None:
        """Raise the ConfigError that the first step would raise, or one if there is no step."""
        _check_batches(runner)
        model: Any = runner.model
        if isinstance(model, DistributedDataParallel):
            model = model.module
        if not hasattr(model, 'taught'):  # with a teacher, it is said with the classes of the losses
            key, student = ('model.architecture', model.student) if hasattr(model, 'student') else ('model', model)
            if other := other_count(
                class_names(getattr(runner.train_dataloader.dataset, 'metainfo', None)), student, key
            ):
                print_log(other, 'current', logging.WARNING)
        if is_model_wrapper(model) or not hasattr(model, 'distiller') or getattr(model, 'stored', None):
            return
        model.train()  # compares the classes; the copy need not report it again
        with _random_state_kept():
            set_random_seed(0)
            try:
                _step(copy.deepcopy(model), runner.train_dataloader)
            except ConfigError:
                raise
            except Exception as error:
                print_log(f'no dry run: {type(error).__name__}: {error}', 'current', logging.DEBUG)


def _check_batches(runner: Runner) -> None:
    loader = runner.train_dataloader
    if not hasattr(loader.dataset, '__len__'):
        return
    images = len(loader.dataset)
    if images == 0:
        raise ConfigError('train_dataloader.dataset is empty; look at its paths, classes and filter_cfg.')
    if isinstance(runner.train_loop, EpochBasedTrainLoop) and len(loader) == 0:
        raise ConfigError(
            f'train_dataloader gives no batch: the {images} images of its data set do not fill one, and drop_last '
            'drops it; lower batch_size.'
        )


def _step(model: Any, loader: Any) -> None:
    """The losses of the data set's first images."""
    dataset = loader.dataset
    data = loader.collate_fn([dataset[i] for i in range(min(_IMAGES, len(dataset)))])
    with torch.enable_grad():
        model._run_forward(model.data_preprocessor(data, True), mode='loss')


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """A context after which all random generators continue as if nothing had been drawn."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
