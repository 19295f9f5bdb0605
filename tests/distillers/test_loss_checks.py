"""A loss is asked of the teacher whose records it is given, and its refusal gets the config key."""

import pytest
from torch import Tensor, nn
from wiring import Toy, make, source

from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.errors import ConfigError


class PickyLoss(nn.Module):
    """Notes what it is asked, and refuses what it is not made for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list = []

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).mean()

    def check_teacher(self, teacher: nn.Module) -> None:
        self.asked.append(teacher)
        if not isinstance(teacher, Toy):
            raise ValueError('it is for toys.')

    def check_images(self, changes: str) -> None:
        self.asked.append(changes)

    def check_data(self, classes: list[str]) -> None:
        self.asked.append(classes)


def distiller() -> ConfigurableDistiller:
    recorders = {name: dict(type='ModuleOutputs', source='head') for name in ('a', 'b')}
    sides = {name: dict(student=source('student'), teacher=source('teacher')) for name in 'ab'}
    for name, arguments in sides.items():
        arguments['teacher']['recorder'] = name
    return make(
        dict(
            student_recorders=dict(neck=dict(type='ModuleOutputs', source='head')),
            teacher_recorders=recorders,
            distill_losses={f'loss_{name}': dict(type=PickyLoss) for name in 'ab'},
            loss_forward_mappings={f'loss_{name}': arguments for name, arguments in sides.items()},
        )
    )


def test_each_loss_is_asked_of_its_own_teacher(teacher: Toy) -> None:
    made = distiller()
    made.check_teacher(teacher, ['a'])
    made.check_images('resized', ['b'])
    assert not list(made.check_data(['cat'], teacher, None))
    asked = [loss.asked for loss in made.distill_losses.values()]
    assert asked == [[teacher, ['cat']], ['resized', ['cat']]]


def test_its_refusal_gets_the_key() -> None:
    with pytest.raises(ConfigError, match=r'^model\.distiller\.distill_losses\.loss_b: it is for toys\.$'):
        distiller().check_teacher(nn.Linear(1, 1), ['b'])


def test_a_loss_that_has_nothing_to_say_is_not_asked(teacher: Toy) -> None:
    plain = dict(type='CosineLoss')
    made = make(
        dict(
            student_recorders=dict(neck=dict(type='ModuleOutputs', source='neck')),
            teacher_recorders=dict(neck=dict(type='ModuleOutputs', source='neck')),
            distill_losses=dict(loss_a=plain),
            loss_forward_mappings=dict(
                loss_a=dict(student=source('student', data_idx=0), teacher=source('teacher', data_idx=0))
            ),
        )
    )
    made.check_teacher(teacher)
    made.check_images('')
    made.synchronise()
