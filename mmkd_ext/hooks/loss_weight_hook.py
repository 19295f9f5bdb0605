"""Schedule the weight of a distillation loss by epoch or by iteration."""

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmkd_ext.distributed import unwrapped
from mmkd_ext.errors import ConfigError, nearest
from mmkd_ext.registry import HOOKS


@HOOKS.register_module()
class LossWeightHook(Hook):
    """Multiplies distillation losses by a factor that depends only on the epoch or the iteration.

    So a resumed run has the same factor as an uninterrupted one. The factor multiplies the loss's own weight, and that
    of `loss_kd` is logged as `weight/kd`. The first epoch is 0.

    Once the factor stays 0 to the end of the schedule, the loss is no longer computed, nor is anything that only it
    uses: if no other loss needs the teacher, it does not run.

        dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=20)           # 0, 1/20, 2/20, ...
        dict(type='mmkd_ext.LossWeightHook', loss='loss_norm', schedule='table',
             milestones=[10, 20, 180, 210], factors=[0.1, 0.5, 1.0, 0.5, 0.1])
        dict(type='mmkd_ext.LossWeightHook', loss='loss_nd', schedule='constant', factor=0.5)

    Args:
        loss: Name of the loss in `distill_losses`, or a list of names.
        schedule: `linear`, `table` or `constant`.
        begin: Linear: until here the factor is `start_factor`.
        end: Linear: from here on the factor is `end_factor`.
        start_factor: Linear: the factor at the start.
        end_factor: Linear: the factor at the end.
        milestones: Table: ascending epochs (or iterations) at which the next factor begins.
        factors: Table: one factor more than milestones.
        factor: Constant: the factor.
        by_epoch: False counts iterations, which a run without epochs (`IterBasedTrainLoop`) needs.

    Raises:
        ConfigError: If an argument that the schedule needs is missing or invalid, the run has no such loss, or another
            hook also schedules it.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        loss: str | Sequence[str],
        schedule: str,
        begin: int = 0,
        end: int | None = None,
        start_factor: float = 0.0,
        end_factor: float = 1.0,
        milestones: Sequence[int] | None = None,
        factors: Sequence[float] | None = None,
        factor: float | None = None,
        by_epoch: bool = True,
    ) -> None:
        self.losses = [loss] if isinstance(loss, str) else list(loss)
        self.by_epoch = by_epoch
        self._over = math.inf  # from here on the factor stays 0
        of = f'custom_hooks: LossWeightHook of {", ".join(self.losses)}'
        if schedule == 'linear':
            if end is None or end <= begin:
                raise ConfigError(f'{of}: a linear schedule needs `end` after begin={begin}, got end={end}.')
            self._over = end if end_factor == 0 else math.inf
            # (x - begin) / span as a single division, so that 1/20 is exact.
            self._factor = lambda x: (
                start_factor + (end_factor - start_factor) * min(max(x - begin, 0), end - begin) / (end - begin)
            )
        elif schedule == 'table':
            steps, values = list(milestones or []), list(factors or [])
            if not steps or steps != sorted(set(steps)) or len(values) != len(steps) + 1:
                raise ConfigError(
                    f'{of}: a table needs ascending `milestones` and one more factor in `factors`, got {milestones} '
                    f'and {factors}.'
                )
            self._factor = lambda x: values[bisect_right(steps, x)]
            last = next((i for i in reversed(range(len(values))) if values[i] != 0), -1)  # the last one that is not 0
            self._over = [0, *steps, math.inf][last + 1]
        elif schedule == 'constant':
            if factor is None:
                raise ConfigError(f'{of}: a constant schedule needs `factor`.')
            self._factor = lambda x: factor
            self._over = 0 if factor == 0 else math.inf
        else:
            raise ConfigError(
                f'{of}: schedule={schedule!r} is unknown; {nearest(schedule, ["linear", "table", "constant"])}.'
            )

    def before_train(self, runner: Runner) -> None:
        """Raise ConfigError if the model has no such loss, another hook has it, too, or the run counts no epochs."""
        if self.by_epoch and isinstance(runner.train_loop, IterBasedTrainLoop):
            raise ConfigError(
                f'custom_hooks: LossWeightHook of {", ".join(self.losses)} counts epochs, but train_cfg counts '
                'iterations: set by_epoch=False, and give the schedule in iterations.'
            )
        distiller = getattr(unwrapped(runner), 'distiller', None)
        known = getattr(distiller, 'distill_losses', {})
        for name in self.losses:
            if name not in known:
                raise ConfigError(
                    f'custom_hooks: LossWeightHook: {name!r} is not in model.distiller.distill_losses; '
                    f'{nearest(name, known)}.'
                )
            if sum(name in hook.losses for hook in runner.hooks if isinstance(hook, LossWeightHook)) > 1:
                raise ConfigError(
                    f'custom_hooks: two LossWeightHooks schedule {name}, so one would have no effect; write both into '
                    'one table.'
                )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set and log the factor of this step; stop the losses once it stays 0."""
        now = runner.epoch if self.by_epoch else runner.iter
        factor = self._factor(now)
        if now >= self._over:
            unwrapped(runner).distiller.stop(self.losses)
        for name in self.losses:
            unwrapped(runner).distiller.loss_factors[name] = factor
            # Without `loss` in its name, because mmengine logs such values as a mean of the last steps.
            runner.message_hub.update_scalar(f'train/weight/{re.sub("_?loss_?", "", name)}', factor)
