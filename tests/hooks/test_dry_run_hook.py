"""Mistakes that shapes reveal are found before the first step, and a run does not notice that they were looked for."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import toys  # noqa: F401 (registers ToyModel)
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import Dataset

from mmkd_ext.errors import ConfigError
from mmkd_ext.hooks import DryRunHook, dry_run_hook

NUMBERS = itertools.count()  # mmengine keeps what it made under a run's name


class Noise(Dataset):
    """Images that are drawn anew each time."""

    metainfo = dict(classes=['a', 'b', 'c'])

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return torch.randn(3, 8, 8)


def runner(work_dir: Path, hooks: list, dataset: Any = None, **changes: Any) -> Runner:
    """A run of two steps on a toy, with CWT of the backbones' maps, of 4 and of 6 channels."""
    record = dict(maps=dict(type='ModuleOutputs', source='backbone'))
    connector = dict(type='ChannelMLPConnector', in_channels=4, out_channels=6) | changes.pop('connector', {})
    mapping = {side: dict(from_student=side == 'student', recorder='maps') for side in ('student', 'teacher')}
    mapping['student']['connector'] = 'mlp'
    model = dict(
        type='mmkd_ext.SingleTeacherDistill',
        architecture=dict(type='ToyModel'),
        teacher=dict(type='ToyModel', width=6),
        teacher_strict=False,
        distiller=dict(
            type='ConfigurableDistiller', student_recorders=record, teacher_recorders=record,
            connectors=dict(mlp=connector), distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=0.1)),
            loss_forward_mappings=dict(loss_cwt=mapping),
        ),
    )  # fmt: skip
    loader = dict(
        batch_size=2,
        sampler=dict(type='InfiniteSampler'),
        dataset=Noise() if dataset is None else dataset,
        collate_fn=lambda images: dict(inputs=torch.stack(images)),
    )
    return Runner(
        model, str(work_dir), train_dataloader=loader, train_cfg=dict(by_epoch=False, max_iters=3),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)), custom_hooks=hooks, default_scope='mmengine',
        experiment_name=f'{work_dir.name}_{next(NUMBERS)}', log_level='ERROR', randomness=dict(seed=0), **changes,
    )  # fmt: skip


HOOK = dict(type='mmkd_ext.DryRunHook')


@pytest.mark.parametrize(
    ('connector', 'message'),
    [
        (dict(in_channels=5), r"connectors\.mlp\.in_channels=5, but student recorder 'maps' has 4 channels, \(2, 4,"),
        (dict(out_channels=7), r"connectors\.mlp\.out_channels=7, but teacher recorder 'maps' has 6 channels, \(2, 6,"),
    ],
)
def test_a_wrong_width_is_found_before_the_first_step(tmp_path: Path, connector: dict, message: str) -> None:
    run = runner(tmp_path, [HOOK], connector=connector)
    with pytest.raises(ConfigError, match=rf'^model\.distiller\.{message}'):
        run.train()
    assert run.model.student.calls == []
    with pytest.raises(ConfigError, match=message):
        runner(tmp_path, [], connector=connector).train()


def test_a_run_does_not_notice_it(tmp_path: Path) -> None:
    runs = []
    for hooks in ([], [HOOK]):
        runs.append(runner(tmp_path / str(len(hooks)), hooks))
        runs[-1].train()
    without, noticed = (run.model.state_dict() for run in runs)
    for name, value in without.items():
        assert torch.equal(value, noticed[name]), name
    assert runs[1].model.student.calls.count('backbone') == 3


def test_what_fails_for_another_reason_is_left_to_the_first_step(tmp_path: Path) -> None:
    class FirstIsBroken(Noise):
        looks = 0

        def __getitem__(self, index: int) -> Tensor:
            self.looks += 1
            if self.looks == 1:
                raise OSError('a broken image')
            return super().__getitem__(index)

    dataset = FirstIsBroken()
    run = runner(tmp_path, [HOOK], dataset=dataset)
    assert dataset.looks == 0
    # The loader of a run by iterations has not fetched yet.
    run.train()
    assert run.iter == 3


def test_a_model_without_a_distiller_is_left_alone() -> None:
    class Plain:
        model = torch.nn.Linear(1, 1)
        train_dataloader = SimpleNamespace(dataset=iter([]))

    DryRunHook().before_train(Plain())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ('images', 'words'),
    [(0, r'^train_dataloader\.dataset is empty'), (1, '^train_dataloader gives no batch: the 1 images .* lower')],
)
def test_a_run_without_a_step_is_refused(images: int, words: str, tmp_path: Path) -> None:
    class Few(Noise):
        def __len__(self) -> int:
            return images

    run = runner(tmp_path, [dict(type='mmkd_ext.DryRunHook')], Few())
    run._train_dataloader |= dict(sampler=dict(type='DefaultSampler', shuffle=False), drop_last=True)
    run._train_loop = dict(by_epoch=True, max_epochs=1)
    with pytest.raises(ConfigError, match=words):
        run.train()


def test_a_sampler_without_end_fills_a_batch_from_any_number_of_images(tmp_path: Path) -> None:
    class One(Noise):
        def __len__(self) -> int:
            return 1

    run = runner(tmp_path, [dict(type='mmkd_ext.DryRunHook')], One())
    run._train_dataloader['drop_last'] = True
    run.train()
    assert run.iter == 3


@pytest.mark.parametrize('ours', [True, False])
def test_a_head_with_another_number_of_classes_than_the_data_is_said(
    ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = torch.nn.Module()
    head.num_classes, student = 80, torch.nn.Module()
    student.head, model = head, torch.nn.Module()
    model.student = student
    said: list[str] = []
    monkeypatch.setattr(dry_run_hook, 'print_log', lambda text, *_: said.append(text))
    run = SimpleNamespace(
        model=model if ours else student,
        train_dataloader=SimpleNamespace(dataset=SimpleNamespace(metainfo=Noise.metainfo)),
    )
    DryRunHook().before_train(run)  # type: ignore[arg-type]
    key = 'model.architecture' if ours else 'model'
    assert said == [f'{key}.head.num_classes=80, but train_dataloader.dataset has 3 classes.']
    head.num_classes = 3
    DryRunHook().before_train(run)  # type: ignore[arg-type]
    assert len(said) == 1
