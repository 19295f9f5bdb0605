"""Several teachers against one at a time: the same losses and gradients."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn
from toys import ToyModel, batch, toy

from mmkd_ext.algorithms.multi_teacher import MultiTeacherDistill
from mmkd_ext.algorithms.self_distill import SelfDistill
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.errors import ConfigError


def part(loss: str, source: str, student: str, width: int) -> dict:
    """The parts of a distiller that compare one output of each side by CWT."""
    return dict(
        student_recorders={loss: dict(type='ModuleOutputs', source=student)},
        teacher_recorders={loss: dict(type='ModuleOutputs', source=source)},
        connectors={loss: dict(type='ChannelMLPConnector', in_channels=4, out_channels=width)},
        distill_losses={loss: dict(type='CWTLoss', alpha=0.01)},
        loss_forward_mappings={
            loss: dict(
                student=dict(from_student=True, recorder=loss, connector=loss),
                teacher=dict(from_student=False, recorder=loss),
            )
        },
    )


def distiller(*parts: dict) -> dict:
    merged: dict = dict(type='ConfigurableDistiller')
    for one in parts:
        for key, value in one.items():
            merged.setdefault(key, {}).update(value)
    return merged


WIDE, NARROW = ('loss_wide', 'backbone', 6), ('loss_narrow', 'neck', 5)


def teachers() -> dict[str, ToyModel]:
    return dict(wide=toy(2, width=6), narrow=toy(3, width=5))


def make(parts: tuple[dict, ...] = (), entries: dict | None = None, **kwargs: Any) -> MultiTeacherDistill:
    parts = parts or tuple(
        part(loss, f'{name}.{source}', source, width)
        for name, (loss, source, width) in zip(teachers(), (WIDE, NARROW), strict=True)
    )
    entries = entries or {name: dict(teacher=model) for name, model in teachers().items()}
    return MultiTeacherDistill(toy(1), entries, distiller(*parts), **kwargs)


def run(model: nn.Module) -> dict[str, Tensor]:
    return model(**batch(), mode='loss')


def test_losses_and_gradients_are_those_of_each_teacher_alone() -> None:
    both = make().train()
    losses = run(both)
    (losses['distill.loss_wide'] + losses['distill.loss_narrow']).backward()
    total = torch.zeros_like(both.backbone.conv.weight)
    for name, (loss, source, width) in zip(teachers(), (WIDE, NARROW), strict=True):
        alone = SingleTeacherDistill(toy(1), teachers()[name], distiller(part(loss, source, source, width))).train()
        alone.distiller.connectors[loss].load_state_dict(both.distiller.connectors[loss].state_dict())
        expected = run(alone)[f'distill.{loss}']
        expected.backward()
        torch.testing.assert_close(losses[f'distill.{loss}'], expected)
        assert expected > 0
        total += alone.backbone.conv.weight.grad
    torch.testing.assert_close(both.backbone.conv.weight.grad, total)


def test_each_teacher_stops_at_its_last_record_and_is_in_no_checkpoint() -> None:
    model = make().train()
    run(model)
    assert [taught.teacher.model.calls for taught in model.taught.values()] == [['backbone'], ['backbone', 'neck']]
    assert not [name for name in model.state_dict() if 'wide.' in name and not name.startswith('distiller.connectors.')]
    assert {name.split('.')[0] for name, _ in model.named_parameters()} == {
        'gain',
        'backbone',
        'neck',
        'head',
        'distiller',
    }


def test_each_teacher_has_its_own_pixels_and_size() -> None:
    seen: dict[str, Tensor] = {}
    own = toy(3, width=5)
    student = toy(1, data_preprocessor=ImgDataPreprocessor(mean=[0.0] * 3, std=[1.0] * 3))
    own.data_preprocessor = ImgDataPreprocessor(mean=[1.0] * 3, std=[2.0] * 3)
    entries = dict(
        wide=dict(teacher=toy(2, width=6), teacher_size_divisor=3, teacher_pixels='student'), narrow=dict(teacher=own)
    )
    parts = (
        part('loss_wide', 'wide.head', 'head', 3) | dict(connectors={}),
        part('loss_narrow', 'narrow.head', 'head', 3) | dict(connectors={}),
    )
    for one in parts:
        for mapping in one['loss_forward_mappings'].values():
            del mapping['student']['connector']
        one['distill_losses'] = {name: dict(type='KDLoss', tau=2.0) for name in one['distill_losses']}
    model = MultiTeacherDistill(student, entries, distiller(*parts)).train()
    for key, taught in model.taught.items():
        taught.teacher.model.backbone.register_forward_pre_hook(lambda _, args, key=key: seen.update({key: args[0]}))
    run(model)
    images = batch()['inputs']
    assert seen['model.teachers.wide'].shape == (4, 3, 9, 9), 'the nearest multiple of 3'
    torch.testing.assert_close(seen['model.teachers.narrow'], (images - 1) / 2)


def test_the_student_is_a_teacher_of_its_own_shallower_parts() -> None:
    parts = (part('loss_wide', 'wide.backbone', 'backbone', 6), part('loss_self', 'student.neck', 'backbone', 4))
    model = make(parts, dict(wide=dict(teacher=toy(2, width=6)))).train()
    losses = run(model)
    alone = SelfDistill(toy(1), distiller(part('loss_self', 'neck', 'backbone', 4))).train()
    alone.distiller.connectors['loss_self'].load_state_dict(model.distiller.connectors['loss_self'].state_dict())
    torch.testing.assert_close(losses['distill.loss_self'], run(alone)['distill.loss_self'])
    losses['distill.loss_self'].backward()
    assert model.neck.weight.grad is None, 'the target gets no gradient'


def test_copies_share_the_teachers() -> None:
    model = make()
    for ours, theirs in zip(model.taught.values(), copy.deepcopy(model).taught.values(), strict=True):
        assert ours.teacher is theirs.teacher
        assert ours.recorders is not theirs.recorders


def test_a_copy_has_the_same_losses() -> None:
    model = make().train()
    torch.testing.assert_close(run(copy.deepcopy(model)), run(model))


def test_teachers_go_to_the_students_dtype() -> None:
    model = make().double()
    assert all(taught.teacher.model.gain.dtype == torch.float64 for taught in model.taught.values())


def test_weights_are_strict_for_each_and_named_by_key(tmp_path: Path) -> None:
    right = toy(2, width=6)
    torch.save(right.state_dict(), tmp_path / 'right.pth')
    torch.save(toy(3, width=5).backbone.state_dict(), tmp_path / 'wrong.pth')
    cfg = dict(type='ToyModel', width=6)
    entries = dict(wide=dict(teacher=cfg, teacher_ckpt=str(tmp_path / 'right.pth')))
    model = make((part('loss_wide', 'wide.backbone', 'backbone', 6),), entries)
    torch.testing.assert_close(model.taught['model.teachers.wide'].teacher.model.state_dict(), right.state_dict())
    entries['wide']['teacher_ckpt'] = str(tmp_path / 'wrong.pth')
    with pytest.raises(ConfigError, match=r'^model\.teachers\.wide\.teacher_ckpt: .*wrong\.pth'):
        make((part('loss_wide', 'wide.backbone', 'backbone', 6),), entries)
    del entries['wide']['teacher_ckpt']
    with pytest.raises(
        ConfigError, match=r'teachers\.wide\.teacher_ckpt is missing.*model\.teachers\.wide\.teacher_strict'
    ):
        make((part('loss_wide', 'wide.backbone', 'backbone', 6),), entries)


GOOD = dict(teacher=None)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda e, d: e.clear(), r'^model\.teachers must be a dict with the name and config of at least one teacher'),
        (lambda e, d: e.update(student=GOOD), r"^model\.teachers\.student: 'student' cannot be the name"),
        (lambda e, d: e.update({'a.b': GOOD}), r"^model\.teachers\.a\.b: 'a\.b' cannot be the name"),
        (lambda e, d: e.update(wide=7), r'^model\.teachers\.wide must be a dict with `teacher`, got 7'),
        (
            lambda e, d: e['wide'].update(teacher_chkpt='x'),
            r'\.wide\.teacher_chkpt is unknown; .*teacher_ckpt',
        ),
        (lambda e, d: e['wide'].update(teacher_dtype='int8'), r'^model\.teachers\.wide\.teacher_dtype must be one of'),
        (
            lambda e, d: e['wide'].update(teacher_input_size=224),
            r'\.wide\.teacher_input_size must be \(height',
        ),
        (
            lambda e, d: e['wide'].update(teacher_size_divisor=0),
            r'\.wide\.teacher_size_divisor must be',
        ),
        (
            lambda e, d: d['teacher_recorders']['loss_wide'].update(source='backbone'),
            r"loss_wide\.source='backbone' must begin with the name of a teacher \(`wide\.`, `narrow\.`, `student",
        ),
        (
            lambda e, d: d['teacher_recorders']['loss_wide'].update(source='wide.back'),
            r"teacher_recorders\.loss_wide\.source='back' .*backbone",
        ),
        (
            lambda e, d: d['loss_forward_mappings'].pop('loss_narrow'),
            r'^model\.teachers\.narrow is used by no loss',
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_key(change: Callable, message: str) -> None:
    entries = {name: dict(teacher=model) for name, model in teachers().items()}
    wiring = distiller(part('loss_wide', 'wide.backbone', 'backbone', 6), part('loss_narrow', 'narrow.neck', 'neck', 5))
    change(entries, wiring)
    with pytest.raises(ConfigError, match=message):
        MultiTeacherDistill(toy(1), entries, wiring)
