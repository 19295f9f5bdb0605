"""Make each training step a function of the seed and the step's number, so that a resumed run repeats itself."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from mmengine import dist
from mmengine.dataset import worker_init_fn
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapperDict
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed

from mmkd_ext.distributed import unwrapped
from mmkd_ext.registry import HOOKS

_STRIDE = 1_000_003  # a prime: seeds of neighbouring epochs and ranks do not collide
_PENDING = 'pending_gradients'


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes the randomness of a run depend only on its seed, the process's rank, and the number of the epoch or step.

    mmengine saves weights, optimiser and schedule, but no random state: after a resume the augmentations, the sampled
    regions and the dropped units differ from those of an uninterrupted run. With this hook a run that is killed at any
    moment and resumed by the same command from its last checkpoint is, on a CPU, bit-identical to an uninterrupted one:
    by epochs or by iterations, with any number of workers and processes, with a seed or without (the checkpoint has
    it), with EMA, and with accumulated gradients (`accumulative_counts`) at the checkpoint.

    Workers are restarted at each epoch, because their random state cannot be set from outside, and transforms that keep
    images for later ones (`CachedMosaic`, `CachedMixUp`) start each epoch with none, as in new workers.

    Before the first step, the log names what cannot be repeated: checkpoints by iterations in a run by epochs (the
    resumed run starts that epoch again), accumulated gradients at a checkpoint of several processes (each has its own),
    and sizes that mmdet's `BatchSyncRandomResize` keeps from step to step. Anything else that a model, a data set or
    another hook keeps outside its `state_dict` is neither detected nor repeated.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._pending: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Recreate the samplers from the run's seed, and restore the gradients accumulated at the checkpoint.

        The seed is only known now: a resumed run takes it from the checkpoint, after its data loader was built.
        """
        for sentence in _not_exact(runner):
            runner.logger.warning(f'A resumed run will not repeat this one exactly: {sentence}')
        _renew_samplers(runner)
        parameters = dict(unwrapped(runner).named_parameters())
        for name, gradient in self._pending.items():
            parameters[name].grad = gradient.to(parameters[name])
        if self._pending:
            runner.logger.info(f'{len(self._pending)} gradients accumulated at the checkpoint are restored.')
        self._pending = {}

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the epoch, and restart its data: fresh workers, empty caches."""
        seed = _seed(runner, runner.epoch)
        set_random_seed(seed)
        loader: Any = runner.train_dataloader
        for transform in _transforms(getattr(loader, 'dataset', None)):
            if hasattr(transform, 'results_cache'):
                transform.results_cache = []
        if getattr(loader, 'num_workers', 0) > 0:
            loader.worker_init_fn = partial(
                worker_init_fn,
                num_workers=loader.num_workers,
                rank=dist.get_rank(),
                seed=seed,
                disable_subprocess_warning=True,
            )
            loader._iterator = None
        loop: Any = runner.train_loop
        replays = getattr(unwrapped(runner), 'replays', False)
        if replays and getattr(loader, 'num_workers', 0) == 0 and not isinstance(loader, _SeededLoader):
            loop.dataloader = _SeededLoader(loader, runner)
        if hasattr(loop, 'dataloader_iterator'):  # a run by iterations, whose loader started before the seed was known
            loop.dataloader_iterator = _SeededFetches(type(loop.dataloader_iterator)(loader), runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the step."""
        set_random_seed(_seed(runner, runner.iter, salt=1))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the accumulated gradients; with several processes each has its own, and only one saves."""
        if 'optimizer' in checkpoint and dist.get_world_size() == 1 and _waiting(runner):
            gradients = ((name, parameter.grad) for name, parameter in unwrapped(runner).named_parameters())
            checkpoint[_PENDING] = {name: grad.cpu() for name, grad in gradients if grad is not None}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore the gradients that had been accumulated when the run was stopped."""
        self._pending = checkpoint.pop(_PENDING, {}) if runner._resume and dist.get_world_size() == 1 else {}


class _SeededFetches:
    """The batches of a run by iterations, each fetched with its own seed.

    Without workers, a fetch draws from the generators as the previous step left them, but a resumed run skips that
    step.
    """

    def __init__(self, batches: Iterator, runner: Runner) -> None:
        self.batches, self.runner, self.count = batches, runner, 0

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        set_random_seed(_seed(self.runner, self.count, salt=2))
        self.count += 1
        return next(self.batches)


class _SeededLoader:
    """A loader without workers in a run by epochs, whose fetches do not depend on what earlier steps drew.

    For runs that must have the same images as another run with different steps.
    """

    def __init__(self, loader: Any, runner: Runner) -> None:
        self.loader, self.runner = loader, runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator:
        batches: Any = iter(self.loader)
        for i in range(len(self.loader)):
            set_random_seed(_seed(self.runner, self.runner.epoch * len(self.loader) + i, salt=2))
            yield next(batches)


def _seed(runner: Runner, count: int, salt: int = 0) -> int:
    return (_shared_seed(runner) + _STRIDE * (3 * count + salt) + 7919 * dist.get_rank()) % 2**31


def _shared_seed(runner: Runner) -> int:
    """The run's seed, the same on all processes: `diff_rank_seed` adds the rank to it."""
    return runner.seed - (dist.get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0)


def _waiting(runner: Runner) -> bool:
    """Whether gradients are being accumulated over several steps."""
    optim: Any = runner.optim_wrapper
    wrappers = list(optim.values()) if isinstance(optim, OptimWrapperDict) else [optim]
    return not all(wrapper.should_update() for wrapper in wrappers)


def _renew_samplers(runner: Runner) -> None:
    """Reset the samplers that the config describes; those without a `seed` get the run's.

    The objects stay, because the loader holds them; their content becomes that of new ones.
    """
    cfg: Any = runner._train_dataloader
    loader: Any = runner.train_dataloader
    if not isinstance(cfg, dict) or not isinstance(cfg.get('sampler'), dict):
        return
    batches = cfg.get('batch_sampler')
    sampler = loader.batch_sampler.sampler if batches else loader.sampler
    given = dict(dataset=loader.dataset, seed=_shared_seed(runner))
    vars(sampler).update(vars(DATA_SAMPLERS.build(cfg['sampler'], default_args=given)))
    if isinstance(batches, dict):
        given = dict(sampler=sampler, batch_size=cfg['batch_size'])
        vars(loader.batch_sampler).update(vars(DATA_SAMPLERS.build(batches, default_args=given)))


def _transforms(entry: Any) -> Iterator[Any]:
    """A data set's transforms, including those inside wrappers of data sets and of transforms."""
    if isinstance(entry, (list, tuple)):
        for part in entry:
            yield from _transforms(part)
    elif entry is not None and not isinstance(entry, (str, dict)):
        yield entry
        for name in ('dataset', 'datasets', 'pipeline', 'transforms'):
            yield from _transforms(getattr(entry, name, None))


def _not_exact(runner: Runner) -> Iterator[str]:
    """Yield a sentence for each thing that a resumed run will not repeat."""
    by_epoch = not isinstance(runner.train_loop, IterBasedTrainLoop)
    intervals = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.interval > 0]
    if by_epoch and any(not hook.by_epoch for hook in intervals):
        yield (
            'default_hooks.checkpoint has by_epoch=False in a run by epochs, which resumes from the beginning of the '
            'epoch; leave out by_epoch.'
        )
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    steps = [hook.interval * (len(runner.train_dataloader) if hook.by_epoch else 1) for hook in intervals]
    if dist.get_world_size() > 1 and any(count % counts for count in steps):
        yield (
            f'optim_wrapper.accumulative_counts={counts} does not divide the {min(steps)} steps between checkpoints, '
            'and gradients accumulated at a checkpoint of several processes are lost.'
        )
    if any(type(module).__name__ == 'BatchSyncRandomResize' for module in unwrapped(runner).modules()):
        yield 'BatchSyncRandomResize keeps its size from step to step, but it is not in the checkpoint.'
