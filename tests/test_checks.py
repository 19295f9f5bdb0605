"""Settings and weights that would have no effect are refused or said."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from distilled_toys import make
from mmengine.config import Config
from mmengine.hooks import EMAHook
from toys import toy

from mmkd_ext.checks import check_batch_size, check_complete, check_effects, check_model, check_runner
from mmkd_ext.errors import ConfigError


def run(**cfg: Any) -> Config:
    return Config(dict(dict(train_cfg=dict(by_epoch=True, max_epochs=10), val_cfg=dict()), **cfg))


ITERATIONS = dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=100))
REFUSED = [
    (dict(ITERATIONS, param_scheduler=dict(type='StepLR')), r'^param_scheduler\[0\]: StepLR counts epochs'),
    (dict(ITERATIONS, custom_hooks=[dict(type='mmrazor.StopDistillHook', stop_epoch=3)]), r'^custom_hooks\[0\]: Stop'),
    (dict(val_cfg=None, default_hooks=dict(checkpoint=dict(save_best='auto'))), 'save_best=.*nothing is evaluated'),
    (
        dict(
            default_hooks=dict(checkpoint=dict(save_best='bbox_mAP')),
            val_evaluator=dict(type='CocoMetric'),
            default_scope='mmdet',
        ),
        r"save_best='bbox_mAP': the metrics of val_evaluator are 'coco/\.\.\.'",
    ),
    (
        dict(param_scheduler=[dict(type='OneCycleLR')], auto_scale_lr=dict(enable=True)),
        r'^param_scheduler\[0\]: OneCycleLR sets the learning rate itself',
    ),
]


@pytest.mark.parametrize(('cfg', 'words'), REFUSED)
def test_a_setting_without_effect_is_refused(cfg: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        list(check_effects(run(**cfg)))


@pytest.mark.parametrize(
    ('cfg', 'words'),
    [
        (dict(param_scheduler=dict(type='MultiStepLR', milestones=[10, 20])), 'MultiStepLR begins at 10, but the run'),
        (dict(custom_hooks=[dict(type='StopDistillHook', stop_epoch=12)]), 'waits for epoch 12, but the run ends'),
        (dict(ITERATIONS, default_hooks=dict(checkpoint=dict(interval=1))), 'checkpoint counts epochs, but train_cfg'),
    ],
)
def test_a_setting_that_comes_too_late_is_said(cfg: dict, words: str) -> None:
    (note,) = check_effects(run(**cfg))
    assert words in note


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(val_dataloader=None), '^val_dataloader must be set beside val_cfg and val_evaluator; .* or all'),
        (dict(test_cfg={}), '^test_dataloader and test_evaluator must be set beside test_cfg; set'),
        (dict(optim_wrapper=None), r'^optim_wrapper must be set beside train_dataloader and train_cfg\.$'),
        (dict(custom_hooks=dict(type='EMAHook')), '^custom_hooks must be a list'),
        (dict(optim_wrapper=dict(optimizer=dict(type='Adamm'))), r"^optim_wrapper\.optimizer\.type='Adamm' .*'Adam'"),
    ],
)  # fmt: skip
def test_what_the_runner_needs_and_does_not_get_is_named(changes: dict, words: str) -> None:
    loader = dict(dataset={})
    whole = dict(
        train_dataloader=loader, val_dataloader=loader, val_evaluator={}, optim_wrapper={}, default_scope='mmdet'
    )
    check_complete(run(**whole))
    check_complete(run(**whole | dict(val_dataloader=None, val_evaluator=None, val_cfg=None)))
    check_complete(run(**whole | dict(optim_wrapper=dict(constructor='Several'))))
    with pytest.raises(ConfigError, match=words):
        check_complete(run(**whole | changes))


def test_pixels_of_the_student_that_others_replace_are_said() -> None:
    model = dict(architecture=dict(data_preprocessor=dict(type='P', mean=[1.0], size=(96, 96))))
    (note,) = check_effects(run(model=model, data_preprocessor=dict(type='P', size=(512, 512))))
    assert "replaces the student's size; to keep them, give" in note
    assert not list(check_effects(run(model=model, data_preprocessor=dict(mean=[1.0], std=[2.0]))))
    model['data_preprocessor'] = dict(size=(96, 96))
    assert not list(check_effects(run(model=model, data_preprocessor=dict(type='P', size=(512, 512)))))


def test_settings_that_have_an_effect_are_not_spoken_of() -> None:
    late = [dict(type='LinearLR', by_epoch=False, begin=0, end=500), dict(type='MultiStepLR', milestones=[8, 11])]
    best = dict(checkpoint=dict(save_best='auto'))
    assert not list(check_effects(run(param_scheduler=late, default_hooks=best)))
    poly = dict(type='PolyLR', by_epoch=False, end=100)
    saves = dict(checkpoint=dict(by_epoch=False, interval=10))
    assert not list(check_effects(run(**ITERATIONS, param_scheduler=poly, default_hooks=saves)))


def save(path: Path, weights: dict) -> str:
    torch.save(dict(state_dict=weights), path)
    return str(path)


def test_weights_to_start_from_that_are_not_the_models_are_refused(tmp_path: Path) -> None:
    model = toy(1)
    own = model.state_dict()

    def load_from(weights: dict) -> list[str]:
        file = save(tmp_path / 'w.pth', weights)
        return list(check_runner(SimpleNamespace(_load_from=file, _resume=False, model=model, cfg={}, hooks=[])))

    assert load_from({f'architecture.{name}': value for name, value in own.items()}) == []
    assert 'w.pth has 2 of the' in load_from({n: v for n, v in own.items() if 'neck' in n})[0]
    with pytest.raises(ConfigError, match=r'^load_from: no weight of .*w\.pth has the name .*has conv\.weight'):
        load_from({'conv.weight': own['backbone.conv.weight']})


def test_a_rule_for_parameters_that_are_not_there_is_said() -> None:
    rules = dict(paramwise_cfg=dict(custom_keys={'neck.': dict(lr_mult=0.1), 'nek': dict(lr_mult=0.1)}))
    assert list(check_model(toy(1), dict(optim_wrapper=rules))) == [
        "optim_wrapper.paramwise_cfg.custom_keys: no parameter has 'nek' in its name."
    ]


@pytest.mark.parametrize(
    ('ema', 'steps', 'span'),
    [
        (dict(), 300, 5000),
        (dict(), 6000, None),
        (dict(momentum=0.05), 300, None),
        (dict(momentum=0.05, interval=30), 300, 600),
        (dict(ema_type='MomentumAnnealingEMA'), 300, None),
    ],
)
def test_an_average_over_more_steps_than_there_are_is_said(ema: dict, steps: int, span: int | None) -> None:
    hooks = [EMAHook(**ema)]
    run = SimpleNamespace(_load_from=None, _resume=False, model=toy(1), cfg={}, hooks=hooks, max_iters=steps)
    notes = list(check_runner(run))
    assert len(notes) == (span is not None)
    assert not notes or f'averages over {span} steps, more than the {steps} of the run' in notes[0]


@pytest.mark.parametrize(('size', 'advice'), [(8, 'or 4 processes.'), (64, 'use --auto-scale-lr.')])
def test_processes_are_advised_only_where_they_help(size: int, advice: str) -> None:
    cfg = run(auto_scale_lr=dict(base_batch_size=32), train_dataloader=dict(batch_size=size))
    (note,) = check_batch_size(cfg)
    assert note.endswith(advice)


@pytest.mark.parametrize('transform', ['Normalize', 'mmcv.Normalize', 'torchvision/ToTensor'])
def test_pixels_that_the_pipeline_normalises_cannot_be_turned_into_the_teachers(transform: str) -> None:
    pixels = dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)

    def notes(transform: str, **kwargs: Any) -> list[str]:
        model = make(teacher=toy(2, width=6, data_preprocessor=pixels), **kwargs)
        inner = dict(type='A', pipeline=[dict(type='LoadImageFromFile'), dict(type=transform)])
        cfg = dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=inner)))
        return list(check_model(model, cfg))

    name = transform.removeprefix('mmcv.')
    with pytest.raises(
        ConfigError, match=rf"pipeline: {name} changes pixels .* or set model\.teacher_pixels='student'"
    ):
        notes(transform)
    assert notes('RandomFlip') == notes('ToTensor') == notes(transform, teacher_pixels='student') == []
