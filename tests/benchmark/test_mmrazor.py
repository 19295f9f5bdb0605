"""MMRazor's engine with the same networks gives the same distillation losses, or is said not to have them."""

import pytest
import torch
from mmengine.config import Config
from support import MINI

from mmkd_ext.benchmark.mmrazor import expanded
from mmkd_ext.benchmark.rows import MMRAZOR, Setting, Subject
from mmkd_ext.errors import ConfigError


@pytest.mark.parametrize(('name', 'size'), [('faster_rcnn_cwt', 96), ('resnet_cwt_kd', 32)])
def test_the_same_losses(name: str, size: int) -> None:
    cfg = Config.fromfile(MINI / f'{name}.py')
    whole = Subject(name, cfg, Setting(2, (size, size)))
    row = whole.row(MMRAZOR)
    theirs = row.step.__closure__  # the model is there
    model = next(cell.cell_contents for cell in theirs if isinstance(cell.cell_contents, torch.nn.Module))
    assert type(model).__module__.startswith('mmrazor.')
    weights = whole.model.distiller.state_dict()
    for key, value in model.distiller.connectors.state_dict().items():
        connector, rest = key.split('.', 1)
        level = f'{connector[:-1]}.{connector[-1]}' if connector[-1].isdigit() else connector
        value.copy_(weights[f'connectors.{level}.{rest}'])

    def total(losses: dict) -> float:
        return sum(float(value) for key, value in losses.items() if key.startswith('distill.'))

    expected = total(row.step())
    assert expected > 0
    assert total(whole.row().step()) == pytest.approx(expected, rel=1e-3)


def test_what_it_does_not_have_is_said() -> None:
    cfg = Config.fromfile(MINI / 'faster_rcnn_kd.py')
    with pytest.raises(ConfigError, match='^MMRazor has no RoIDistill$'):
        Subject('', cfg, Setting(2, (64, 64))).row(MMRAZOR)


def test_levels_become_losses() -> None:
    sides = dict(student_recorders={}, teacher_recorders={})
    mapping = dict(a=dict(recorder='r', data_idx=[0, 2], connector='c'), b=dict(recorder='r', data_idx=[0, 2]))
    made = expanded(
        dict(
            sides,
            connectors=dict(c=dict(type='Conv1x1Connector', levels=2)),
            distill_losses=dict(loss_x=dict(type='L2Loss')),
            loss_forward_mappings=dict(loss_x=mapping),
        )
    )
    assert made['distill_losses'] == dict(loss_x_0=dict(type='L2Loss'), loss_x_2=dict(type='L2Loss'))
    assert made['connectors'] == {f'c{i}': dict(type='mmkd_ext.Conv1x1Connector') for i in (0, 2)}
    assert made['loss_forward_mappings']['loss_x_2'] == dict(
        a=dict(recorder='r', data_idx=2, connector='c2'), b=dict(recorder='r', data_idx=2)
    )
    mapping['b']['data_idx'] = [0, 1]
    with pytest.raises(ConfigError, match='^loss_x compares different levels$'):
        expanded(
            dict(sides, connectors=made['connectors'], distill_losses={}, loss_forward_mappings=dict(loss_x=mapping))
        )
