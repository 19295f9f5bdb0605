"""A student that starts with parts of its teacher: toys, and a tiny RetinaNet through mmengine's Runner."""

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
from torch import nn
from toys import batch, toy

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.build import build_model, model_config
from mmkd_ext.errors import ConfigError
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


def make(**kwargs: Any) -> SingleTeacherDistill:
    return SingleTeacherDistill(toy(1), toy(2), distiller(), **kwargs)


def same(ours: nn.Module, theirs: nn.Module) -> bool:
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(autouse=True)
def _own_scope() -> Iterator[None]:
    """The default scope of a run is not left to later tests."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


class TestToys:
    def test_the_named_parts_are_the_teachers_after_initialising_and_the_others_are_not(self) -> None:
        algorithm = make(inherit=['neck', 'backbone.norm'])
        theirs = algorithm.teacher.model
        assert not same(algorithm.neck, theirs.neck)
        algorithm.init_weights()
        assert same(algorithm.neck, theirs.neck)
        assert same(algorithm.backbone.norm, theirs.backbone.norm)  # running statistics, too
        assert not same(algorithm.head, theirs.head)
        assert not same(algorithm.backbone.conv, theirs.backbone.conv)

    def test_they_are_copies_that_train_and_the_teacher_stays_frozen(self) -> None:
        algorithm = make(inherit='neck')
        algorithm.init_weights()
        before = copy.deepcopy(algorithm.teacher.model.state_dict())
        optimiser = torch.optim.SGD(algorithm.parameters(), lr=0.1)
        losses = algorithm(**batch(), mode='loss')
        (losses['student.loss_cls'] + losses['distill.loss_cwt']).backward()
        optimiser.step()
        assert not same(algorithm.neck, algorithm.teacher.model.neck)
        torch.testing.assert_close(algorithm.teacher.model.state_dict(), before)

    def test_what_sees_the_pixels_is_not_taken_over_from_a_teacher_of_other_pixels(self) -> None:
        def algorithm(inherit: str, **pixels: Any) -> SingleTeacherDistill:
            ours, theirs = (dict(mean=[120] * 3, std=[60] * 3), {**dict(mean=[120] * 3, std=[60] * 3), **pixels})
            student, teacher = (
                toy(seed, data_preprocessor=dict(type='ImgDataPreprocessor', **given))
                for seed, given in ((1, ours), (2, theirs))
            )
            return SingleTeacherDistill(student, teacher, distiller(), inherit=inherit)

        for other in (dict(std=[1] * 3), dict(mean=[0] * 3), dict(bgr_to_rgb=True)):
            for name in ('backbone', 'backbone.conv'):
                with pytest.raises(
                    ConfigError, match=rf"^model\.inherit='{name}' holds backbone\.conv, made for pixels"
                ):
                    algorithm(name, **other)
            algorithm('neck', **other)
            algorithm('backbone.norm', **other)
        algorithm('backbone', mean=[120.2] * 3, std=[60.1] * 3, pad_value=9)

    def test_nothing_is_inherited_unless_asked_for(self) -> None:
        algorithm = make(inherit=None)  # as --cfg-options model.inherit=None
        algorithm.init_weights()
        theirs = algorithm.teacher.model
        assert not any(same(getattr(algorithm, name), getattr(theirs, name)) for name in ('backbone', 'neck', 'head'))

    def test_a_teacher_that_initialises_itself_does_so_first(self, tmp_path: Path) -> None:
        save_checkpoint(toy(8).state_dict(), str(tmp_path / 'teacher.pth'))
        init = dict(type='Pretrained', checkpoint=str(tmp_path / 'teacher.pth'))
        teacher = dict(type='ToyModel', init_cfg=init)
        algorithm = SingleTeacherDistill(toy(1), teacher, distiller(), inherit=['head'])
        algorithm.init_weights()
        assert same(algorithm.head, toy(8).head)

    def test_a_copy_for_averaging_shares_the_teacher(self) -> None:
        algorithm = make(inherit=['neck'])
        assert copy.deepcopy(algorithm).teacher is algorithm.teacher
        assert list(copy.deepcopy(algorithm).state_dict()) == list(toy(1).state_dict())

    @pytest.mark.parametrize(
        ('inherit', 'classes', 'message'),
        [
            (['nek'], 3, r"='nek' is not a part of the student; the nearest is 'neck'"),
            ([''], 3, r"='' is not a part of the student; there are 'data_preprocessor', 'backbone'"),
            ([3], 3, r'=3 is not a part of the student'),
            (['neck', 'tail'], 3, r"='tail' is not a part of the teacher"),
            (['head'], 5, r"='head' does not fit: head\.weight is \(3, 4\) in the student and \(5, 4\) in the teacher"),
            (['more'], 3, r"='more' does not fit: more\.bias is \(2,\) in the student and absent in the teacher"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_training(self, inherit: list, classes: int, message: str) -> None:
        student, teacher = toy(1), toy(2, classes=classes)
        student.tail, student.more, teacher.more = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
        with pytest.raises(ConfigError, match=rf'^model\.inherit{message}'):
            SingleTeacherDistill(student, teacher, distiller(), inherit=inherit)


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
