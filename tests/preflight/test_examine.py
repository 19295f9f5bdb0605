"""A config of toys, looked at as a whole."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import toys  # noqa: F401 (registers ToyModel)
from distilled_toys import distiller
from mmengine.config import Config
from mmengine.registry import DATASETS, FUNCTIONS
from torch import Tensor
from torch.utils.data import Dataset

from mmkd_ext.errors import ConfigError
from mmkd_ext.preflight import examine


@DATASETS.register_module(force=True)
class ToyImages(Dataset):
    """Ten images."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Tensor:
        return torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(index))


@FUNCTIONS.register_module(force=True)
def toy_batch(images: list[Tensor]) -> dict:
    return dict(inputs=torch.stack(images))


def config(**changes: Any) -> Config:
    model = dict(
        type='mmkd_ext.SingleTeacherDistill',
        architecture=dict(type='ToyModel'),
        teacher=dict(type='ToyModel', width=6),
        teacher_strict=False,
        distiller=distiller(),
    )
    loader = dict(
        batch_size=4,
        num_workers=2,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(type='ToyImages'),
        collate_fn=dict(type='toy_batch'),
    )
    fields = dict(
        model=model,
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=5),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
        default_scope='mmengine',
    )
    return Config({**fields, **changes})


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_of_a_run_is_looked_at_and_nothing_is_written() -> None:
    cfg = config(work_dir='work')
    before = cfg.to_dict()
    report = examine(cfg)
    assert report.errors == report.warnings == []
    assert [record.side for record in report.records] == ['student', 'teacher']
    assert [term.name for term in report.terms] == ['task', 'distill.loss_cwt']
    assert report.cost.steps == 5 * 3
    assert report.cost.workers == 2
    assert report.title.endswith('2 batches of 4 images, on cpu')
    assert report.scores[0].reason.startswith('not evaluated')
    assert 'SGD, 0.1: 4 images per update in one process' in report.settings['learning rate']
    assert 'teacher: the same' in report.settings['pixels']
    assert cfg.to_dict() == before
    assert os.listdir() == []


def test_a_model_alone_is_looked_at() -> None:
    report = examine(config(model=dict(type='ToyModel')), batches=1)
    assert report.errors == report.warnings == report.scores == report.records == []
    assert [term.name for term in report.terms] == ['task']
    assert report.cost.steps == 5 * 3


def test_several_teachers_have_their_lines() -> None:
    cfg = config()
    model = cfg.model
    for key in ('teacher', 'teacher_strict'):
        del model[key]
    model.type = 'mmkd_ext.MultiTeacherDistill'
    big = dict(type='ToyModel', width=6)
    pixels = dict(type='ImgDataPreprocessor', mean=[1, 2, 3], std=[2, 2, 2])
    model.teachers = dict(
        a=dict(teacher=big, teacher_strict=False),
        b=dict(teacher=dict(big, data_preprocessor=pixels), teacher_strict=False),
    )
    parts = model.distiller
    parts.teacher_recorders = dict(
        t=dict(type='ModuleOutputs', source='a.backbone'), u=dict(type='ModuleOutputs', source='b.backbone')
    )
    parts.distill_losses.loss_other = parts.distill_losses.loss_cwt
    mapping = parts.loss_forward_mappings
    mapping.loss_other = dict(student=mapping.loss_cwt.student, teacher=dict(from_student=False, recorder='u'))
    report = examine(cfg, batches=1)
    assert [record.name for record in report.records] == ['s', 't', 'u']
    assert [score.who for score in report.scores] == ['teacher a', 'teacher b']
    assert report.settings['pixels'].endswith(
        'teacher a: the same; teacher b: mean (1, 2, 3), std (2, 2, 2), channels in the order they are loaded in'
    )


def test_a_config_without_a_training_set_is_refused() -> None:
    with pytest.raises(ConfigError, match='has no train_dataloader'):
        examine(config(train_dataloader=None))


def test_data_without_a_batch_are_refused() -> None:
    cfg = config()
    cfg.train_dataloader |= dict(batch_size=20, drop_last=True)
    with pytest.raises(ConfigError, match='^train_dataloader gives no batch'):
        examine(cfg)


def test_what_a_hook_schedules_is_marked() -> None:
    hook = dict(type='mmkd_ext.LossWeightHook', loss='loss_cwt', schedule='linear', end=3)
    assert [term.scheduled for term in examine(config(custom_hooks=[hook])).terms] == [False, True]


def test_a_batch_size_that_the_learning_rate_is_not_for_is_in_its_line() -> None:
    lines = [
        examine(config(auto_scale_lr=dict(base_batch_size=16, enable=enable)), batches=1).settings['learning rate']
        for enable in (False, True)
    ]
    assert '1 x 4 images per step, but the learning rate is meant for 16' in lines[0]
    assert 'scaled from 16' in lines[1]


def test_what_training_would_say_of_the_model_is_said() -> None:
    cfg = config()
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=dict(nek=dict(lr_mult=0.1)))
    assert examine(cfg).warnings[0].startswith('optim_wrapper.paramwise_cfg.custom_keys: no parameter has')
    torch.save(dict(state_dict=dict(other=torch.ones(1))), 'w.pth')
    with pytest.raises(ConfigError, match=r'^load_from: no weight of w\.pth has'):
        examine(config(load_from='w.pth'))


def test_after_an_error_no_cost_is_measured() -> None:
    cfg = config()
    cfg.model.distiller.connectors.mlp.in_channels = 5
    report = examine(cfg)
    assert len(report.errors) == 1
    assert report.cost is None


@pytest.mark.parametrize('options', [dict(batches=0), dict(share=0.0), dict(images=-1)])
def test_options_that_mean_nothing_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError, match='must be positive'):
        examine(config(), **options)
