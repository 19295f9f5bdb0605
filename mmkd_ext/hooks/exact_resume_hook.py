"""Make each training step a function of the seed and the step's number, so that a resumed run repeats itself."""

from functools import partial
from typing import Any

from mmengine import dist
from mmengine.dataset import worker_init_fn
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed

from mmkd_ext.registry import HOOKS

_STRIDE = 1_000_003  # a prime: seeds of neighbouring epochs and ranks do not meet


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Reseeds Python, numpy and torch at each epoch and each step, and the data loader's workers at each epoch.

    mmengine saves weights, optimiser and schedule, but no random state: after a resume the augmentations, the sampled
    regions and the dropped units differ from those of an uninterrupted run. With this hook they depend on the seed, the
    process's rank and the number of the epoch or step alone. A run by epochs that is killed at any moment and resumed
    from its last checkpoint ends, on a CPU, with the same bits. So does a run by iterations whose loader has workers.

    Workers that persist are restarted at each epoch, as their random state cannot be set from outside.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Give the sampler the run's seed: a resumed run takes it from the checkpoint, after the sampler was built."""
        loader: Any = runner.train_dataloader
        samplers: list[Any] = [getattr(loader, 'sampler', None), getattr(loader.batch_sampler, 'sampler', None)]
        for sampler in samplers:
            if hasattr(sampler, 'seed'):
                sampler.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the epoch and the workers that will load it."""
        seed = self._seed(runner, runner.epoch)
        set_random_seed(seed)
        loader: Any = runner.train_dataloader
        if getattr(loader, 'num_workers', 0) > 0:
            loader.worker_init_fn = partial(
                worker_init_fn,
                num_workers=loader.num_workers,
                rank=dist.get_rank(),
                seed=seed,
                disable_subprocess_warning=True,
            )
            loader._iterator = None

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the step."""
        set_random_seed(self._seed(runner, runner.iter, salt=1))

    @staticmethod
    def _seed(runner: Runner, count: int, salt: int = 0) -> int:
        return (runner.seed + _STRIDE * (2 * count + salt) + 7919 * dist.get_rank()) % 2**31
