import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import toys  # noqa: F401 (registers ToyModel)
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mmkd_ext.compat import import_mmrazor
from mmkd_ext.errors import ConfigError


def hook(**cfg: Any) -> Any:
    return HOOKS.build(dict(type='mmkd_ext.LossWeightHook', **{'loss': 'loss_kd', **cfg}))


def factors(counts: list[int], epoch: bool = True, **cfg: Any) -> list[float]:
    """The factors that the hook sets at these epochs (or iterations); the other count is far off."""
    distiller = SimpleNamespace(distill_losses=dict(loss_kd=None), loss_factors={})
    logged: list[tuple[str, float]] = []
    hub = SimpleNamespace(update_scalar=lambda *entry: logged.append(entry))
    built, found = hook(**cfg), []
    for count in counts:
        now = dict(epoch=count, iter=9999) if epoch else dict(epoch=9999, iter=count)
        built.before_train_iter(SimpleNamespace(model=SimpleNamespace(distiller=distiller), message_hub=hub, **now), 0)
        found.append(distiller.loss_factors['loss_kd'])
    assert logged == [('train/weight/kd', factor) for factor in found]
    return found


def test_nd_warm_up_is_zero_in_the_first_epoch() -> None:
    counts = [0, 1, 7, 19, 20, 239]
    assert factors(counts, schedule='linear', end=20) == [min(1, epoch / 20) for epoch in counts]


def test_tfd_warm_up_counts_from_one() -> None:
    counts = [0, 1, 18, 19, 20, 99]
    found = factors(counts, schedule='linear', start_factor=1 / 20, end=19)
    assert found == pytest.approx([min(1, (epoch + 1) / 20) for epoch in counts], rel=1e-12)


def test_linear_may_begin_late_and_fall_and_count_iterations() -> None:
    found = factors([0, 100, 150, 200, 300], False, schedule='linear', begin=100, end=200, start_factor=2,
                    end_factor=1, by_epoch=False)  # fmt: skip
    assert found == [2, 2, 1.5, 1, 1]


def test_table_of_norm_on_cifar() -> None:
    table = dict(schedule='table', milestones=[10, 20, 180, 210], factors=[0.1, 0.5, 1.0, 0.5, 0.1])
    assert factors([0, 9, 10, 19, 20, 179, 180, 209, 210, 239], **table) == [
        0.1, 0.1, 0.5, 0.5, 1.0, 1.0, 0.5, 0.5, 0.1, 0.1
    ]  # fmt: skip


def test_constant() -> None:
    assert factors([0, 50], schedule='constant', factor=0.25) == [0.25, 0.25]


@pytest.mark.parametrize(
    ('cfg', 'words'),
    [
        (dict(schedule='linear'), r'needs `end` after begin=0, got end=None'),
        (dict(schedule='linear', begin=5, end=5), r'needs `end` after begin=5'),
        (dict(schedule='table', milestones=[2, 1], factors=[1, 2, 3]), 'ascending `milestones`'),
        (dict(schedule='table', milestones=[1, 2], factors=[1, 2]), 'one more factor'),
        (dict(schedule='table'), 'ascending `milestones`'),
        (dict(schedule='constant'), 'needs `factor`'),
        (dict(schedule='linar'), "the nearest is 'linear'"),
    ],
)
def test_a_schedule_that_lacks_something_is_refused(cfg: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=rf'LossWeightHook of loss_kd.*{words}'):
        hook(**cfg)


def runner(
    work_dir: Path,
    hooks: list[dict],
    epochs: int = 4,
    train_cfg: dict | None = None,
    level: str = 'ERROR',
    **kwargs: Any,
) -> Runner:
    """A run of two steps an epoch on a toy, with one distillation loss."""
    record = dict(logits=dict(type='ModuleOutputs', source='head'))
    mapping = {side: dict(from_student=side == 'student', recorder='logits') for side in ('student', 'teacher')}
    model = dict(
        type='mmkd_ext.SingleTeacherDistill',
        architecture=dict(type='ToyModel'),
        teacher=dict(type='ToyModel'),
        teacher_strict=False,
        distiller=dict(
            type='ConfigurableDistiller', student_recorders=record, teacher_recorders=record,
            distill_losses=dict(loss_kd=dict(type='KDLoss', tau=1.0), loss_other=dict(type='KDLoss', tau=2.0)),
            loss_forward_mappings=dict(loss_kd=mapping, loss_other=mapping),
        ),
    )  # fmt: skip
    data = list(torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    loader = dict(
        batch_size=2,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=data,
        collate_fn=lambda images: dict(inputs=torch.stack(images)),
    )
    return Runner(
        model, str(work_dir), train_dataloader=loader,
        train_cfg=train_cfg or dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)), custom_hooks=hooks, default_scope='mmengine',
        experiment_name=f'{work_dir.name}_{next(NUMBERS)}', log_level=level,
        randomness=dict(seed=0),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)), **kwargs,
    )  # fmt: skip


NUMBERS = itertools.count()  # mmengine keeps what it made under a run's name
WARM_UP = dict(type='mmkd_ext.LossWeightHook', loss='loss_kd', schedule='linear', end=3)


def record_losses(run: Runner) -> list[tuple[float, float]]:
    """Each step's factor and loss, as trained on."""
    seen = []
    algorithm, compute = run.model, run.model.distiller.compute_distill_losses

    def recording(*args: Any) -> dict:
        losses = compute(*args)
        seen.append(
            (algorithm.distiller.loss_factors['loss_kd'], losses['loss_kd'].item(), losses['loss_other'].item())
        )
        return losses

    algorithm.distiller.compute_distill_losses = recording
    run.train()
    return seen


def test_in_a_run_the_factor_is_applied_to_its_loss_alone_and_logged(tmp_path: Path) -> None:
    run = runner(tmp_path / 'a', [WARM_UP])
    seen = record_losses(run)
    assert [factor for factor, _, _ in seen] == [0, 0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 1, 1]
    assert all((loss > 0) == (factor > 0) for factor, loss, _ in seen)
    assert all(other > 0 for _, _, other in seen)
    (scalars,) = (tmp_path / 'a').glob('*/vis_data/scalars.json')
    assert '"weight/kd": 0.6666' in scalars.read_text()


def test_a_resumed_run_goes_on_with_the_factor_that_it_would_have_had(tmp_path: Path) -> None:
    whole = record_losses(runner(tmp_path / 'whole', [WARM_UP]))
    record_losses(runner(tmp_path / 'half', [WARM_UP], epochs=2))
    resumed = record_losses(runner(tmp_path / 'half', [WARM_UP], resume=True))
    assert resumed == whole[4:]


def test_a_loss_that_is_not_there_is_refused_before_the_first_step(tmp_path: Path) -> None:
    run = runner(tmp_path / 'b', [dict(WARM_UP, loss='loss_kb')])
    with pytest.raises(ConfigError, match=r"'loss_kb' is not in model.distiller.distill_losses; .*'loss_kd'"):
        run.train()


def test_two_schedules_of_one_loss_are_refused(tmp_path: Path) -> None:
    run = runner(tmp_path / 'b', [WARM_UP, dict(WARM_UP, loss=['loss_other', 'loss_kd'])])
    with pytest.raises(ConfigError, match=r'^custom_hooks: two LossWeightHooks schedule loss_kd'):
        run.train()


def test_a_run_without_epochs_is_counted_in_iterations(tmp_path: Path) -> None:
    iterations = dict(by_epoch=False, max_iters=5)
    with pytest.raises(ConfigError, match=r'^custom_hooks: LossWeightHook of loss_kd counts epochs.*by_epoch=False'):
        runner(tmp_path / 'a', [WARM_UP], train_cfg=iterations).train()
    seen = record_losses(runner(tmp_path / 'b', [dict(WARM_UP, by_epoch=False)], train_cfg=iterations))
    assert [factor for factor, _, _ in seen] == [0, 1 / 3, 2 / 3, 1, 1]


def test_several_losses_share_a_schedule(tmp_path: Path) -> None:
    run = runner(tmp_path / 'c', [dict(WARM_UP, loss=['loss_kd', 'loss_other'])], epochs=1)
    assert record_losses(run) == [(0, 0, 0)] * 2


ENDS = dict(type='mmkd_ext.LossWeightHook', loss=['loss_kd', 'loss_other'], schedule='table', milestones=[2],
            factors=[1, 0])  # fmt: skip
ENDINGS = {
    'table': ENDS,
    'linear': dict(ENDS, schedule='linear', start_factor=1, end=2, end_factor=0, milestones=None, factors=None),
    'mmrazor': dict(type='mmrazor.StopDistillHook', stop_epoch=2),
}


def teacher_runs(run: Runner) -> list[int]:
    """How often the teacher runs in each epoch of a run."""
    calls, found = run.model.teacher.model.calls, []
    run._train_loop = run.build_train_loop(run._train_loop)
    epoch = run.train_loop.run_epoch

    def counted() -> None:
        before = calls.count('backbone')
        epoch()
        found.append(calls.count('backbone') - before)

    run.train_loop.run_epoch = counted
    run.train()
    return found


@pytest.mark.parametrize('ending', ENDINGS)
def test_after_the_last_weight_that_is_not_0_neither_teacher_nor_losses_run(tmp_path: Path, ending: str) -> None:
    import_mmrazor()
    run = runner(tmp_path / 'whole', [ENDINGS[ending]], level='INFO')
    computed = record_calls(run)
    folding, *runs = teacher_runs(run)
    assert folding >= 2
    assert runs == [2, 0, 0]
    assert computed == ['loss_kd', 'loss_other'] * 4
    (log,) = (tmp_path / 'whole').glob('*/*.log')
    assert (
        log.read_text().count('no longer computed: loss_kd, loss_other; nothing is distilled, and no teacher runs.')
        == 1
    )

    half = runner(tmp_path / 'half', [ENDINGS[ending]], epochs=3)
    half.train()
    resumed = runner(tmp_path / 'half', [ENDINGS[ending]], resume=True)
    assert teacher_runs(resumed) == [0]
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def record_calls(run: Runner) -> list[str]:
    """The names of the losses, as they are computed."""
    calls: list[str] = []
    for name, loss in run.model.distiller.distill_losses.items():
        loss.register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def test_a_loss_that_is_over_stops_alone(tmp_path: Path) -> None:
    run = runner(tmp_path / 'a', [dict(ENDS, loss='loss_kd')])
    computed = record_calls(run)
    assert teacher_runs(run)[1:] == [2, 2, 2]
    assert computed == ['loss_kd', 'loss_other'] * 4 + ['loss_other'] * 4


@pytest.mark.parametrize(
    ('cfg', 'over'),
    [
        (dict(schedule='constant', factor=0), 0),
        (dict(schedule='table', milestones=[3, 5], factors=[0, 0, 0]), 0),
        (dict(schedule='table', milestones=[3, 5, 7], factors=[0, 1, 0, 0]), 5),
        (dict(schedule='table', milestones=[3], factors=[0, 1]), None),
        (dict(schedule='constant', factor=1e-9), None),
        (dict(schedule='linear', end=4), None),
        (dict(schedule='linear', start_factor=1, end=4, end_factor=0), 4),
    ],
)
def test_it_knows_when_a_weight_stays_0(cfg: dict, over: int | None) -> None:
    stopped = []
    distiller = SimpleNamespace(loss_factors={}, stop=lambda names: stopped.append(names))
    hub = SimpleNamespace(update_scalar=lambda *_: None)
    built = hook(**cfg)
    for epoch in range(9):
        now = SimpleNamespace(model=SimpleNamespace(distiller=distiller), message_hub=hub, epoch=epoch, iter=99)
        built.before_train_iter(now, 0)
    assert stopped == [['loss_kd']] * (0 if over is None else 9 - over)
