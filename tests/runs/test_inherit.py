"""A tiny RetinaNet that starts with its teacher's neck and head, through mmengine's Runner."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import save_checkpoint

from mmkd_ext.build import build_model, model_config
from mmkd_ext.export.config import student_config

NECK = dict(fpn=dict(type='ModuleOutputs', source='neck'))


def distiller(levels: list[int] | None = None, alpha: float = 0.01) -> dict:
    """CWT of the neck's outputs."""
    side = dict(recorder='fpn') if levels is None else dict(recorder='fpn', data_idx=levels)
    return dict(
        type='ConfigurableDistiller',
        student_recorders=NECK,
        teacher_recorders=NECK,
        distill_losses=dict(loss_cwt=dict(type='CWTLoss', alpha=alpha)),
        loss_forward_mappings=dict(
            loss_cwt=dict(student=dict(side, from_student=True), teacher=dict(side, from_student=False))
        ),
    )


@pytest.fixture(autouse=True)
def _own_scope() -> Iterator[None]:
    """The default scope of a run is not left to later tests."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


def retinanet(depth: int) -> dict:
    """mmdet's RetinaNet of an eighth of the width; both depths have the same channels."""
    model: Any = model_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', 'model')
    model.backbone.update(depth=depth, base_channels=8, stem_channels=8, frozen_stages=-1, init_cfg=None)
    model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    model.bbox_head.update(in_channels=16, feat_channels=16, stacked_convs=1, num_classes=5)
    return model.to_dict()


class Images(torch.utils.data.Dataset):
    """Four random images with boxes."""

    metainfo = {}

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        from mmdet.testing import demo_mm_inputs

        packed = demo_mm_inputs(1, [[3, 64, 64]], num_items=[3], num_classes=5)
        return {key: value[0] for key, value in packed.items()}


class KeepStart(Hook):
    """Keeps the weights with which training begins, after everything is loaded."""

    weights: dict

    def before_train_epoch(self, runner: Runner) -> None:
        if not hasattr(self, 'weights'):
            self.weights = copy.deepcopy(runner.model.state_dict())


@pytest.fixture(scope='module')
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    path = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    save_checkpoint(dict(state_dict=build_model(model_config(retinanet(34), 'm'), 'm').state_dict()), str(path))
    return path


def train(work_dir: Path, teacher: Path, epochs: int = 1, **options: Any) -> tuple[dict, dict, Config]:
    """Weights before and after some epochs of one or two steps, and the config."""
    cfg = Config(
        dict(
            model=dict(
                type='mmkd_ext.SingleTeacherDistill',
                architecture=retinanet(18),
                teacher=retinanet(34),
                teacher_ckpt=str(teacher),
                inherit=['neck', 'bbox_head'],
                distiller=distiller([0, 1, 2, 3, 4], alpha=1e-6),
            ),
            default_scope='mmdet',
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3)),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            work_dir=str(work_dir),
            experiment_name=f'{work_dir.name}_{epochs}_{len(options)}',
            **options,
        )
    )
    loader = dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
    start = KeepStart()
    runner = Runner(
        **cfg.to_dict(),
        train_dataloader=dict(loader, dataset=Images(), collate_fn=dict(type='pseudo_collate')),
        custom_hooks=[start],
        cfg=cfg,
    )
    runner.train()
    return start.weights, runner.model.state_dict(), cfg


def part(weights: dict, *names: str) -> dict:
    return {key: value for key, value in weights.items() if key.startswith(names)}


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.slow
def test_a_retinanet_starts_with_its_teachers_neck_and_head_and_a_resumed_one_does_not(
    teacher: Path, tmp_path: Path
) -> None:
    theirs = torch.load(teacher, weights_only=True)['state_dict']
    begun, ended, cfg = train(tmp_path / 'run', teacher)
    assert part(begun, 'neck.', 'bbox_head.')
    assert equal(part(begun, 'neck.', 'bbox_head.'), part(theirs, 'neck.', 'bbox_head.'))
    assert not torch.equal(begun['backbone.conv1.weight'], theirs['backbone.conv1.weight'])
    for name in ('neck.', 'bbox_head.'):  # they train
        assert not equal(part(ended, name), part(theirs, name))

    resumed, _, _ = train(tmp_path / 'run', teacher, epochs=2, resume=True)
    assert equal(resumed, ended)
    loaded, _, _ = train(tmp_path / 'other', teacher, load_from=str(tmp_path / 'run' / 'epoch_1.pth'))
    assert equal(loaded, ended)

    plain = student_config(cfg)
    assert plain.model.to_dict() == {key: value for key, value in retinanet(18).items() if key != '_scope_'}
    model = build_model(model_config(plain.model, 'm'), 'm')
    model.load_state_dict(torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)['state_dict'], strict=True)
