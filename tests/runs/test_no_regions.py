"""Two processes, of which one samples no region: none waits for the other, and both know the same afterwards."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from support import MINI
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce

from mmkd_ext.algorithms.roi_distill import RoIDistill

pytestmark = pytest.mark.slow
HEAD = 'roi_head.bbox_head'


class OverAll(nn.Module):
    """A connector that sums over all processes, forwards and backwards, as SyncBN does, which needs a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(256))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight - all_reduce(x.sum(dim=0)) / 1000


def algorithm() -> RoIDistill:
    student = Config.fromfile(MINI / 'faster_rcnn_student.py').model
    tap = dict(embedding=dict(type='ModuleInputs', source=f'{HEAD}.fc_cls'))
    running = dict(type='NDLoss', num_classes=11, channels=256)
    mapping = dict(
        student=dict(from_student=True, recorder='embedding', data_idx=0, connector='over_all'),
        teacher=dict(from_student=False, recorder='embedding', data_idx=0),
        labels=dict(from_student=True, recorder='labels', data_idx=1),
    )
    return RoIDistill(
        student,
        student,
        dict(
            type='ConfigurableDistiller',
            student_recorders=dict(tap, labels=dict(type='ModuleInputs', source=f'{HEAD}.loss_cls')),
            teacher_recorders=tap,
            connectors=dict(over_all=OverAll()),
            distill_losses=dict(loss_a=running, loss_b=running),
            loss_forward_mappings=dict(loss_a=mapping, loss_b=mapping),
        ),
        teacher_strict=False,
    )


def step(rank: int, folder: str) -> None:
    """One step of a process; the second of the two has no regions."""
    from mmdet.testing import demo_mm_inputs

    distributed.init_process_group('gloo')
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model: Any = algorithm()
    model.init_weights()
    model.train()
    if rank == 1:
        sampler = model.student.roi_head.bbox_sampler
        sampler.num = 0
        sampler.add_gt_as_proposals = False
    data = model.data_preprocessor(demo_mm_inputs(2, [[3, 64, 64]] * 2, num_classes=10), True)
    losses = {name: value for name, value in model(**data, mode='loss').items() if name.startswith('distill.')}
    sum(losses.values()).backward()
    found = {name: loss.state_dict() for name, loss in model.distiller.distill_losses.items()}
    torch.save(dict(losses={name: float(value) for name, value in losses.items()}, found=found), f'{folder}/{rank}.pth')
    distributed.destroy_process_group()


def test_no_process_waits_for_one_without_regions(command: Callable, tmp_path: Path) -> None:
    done = command(__file__, tmp_path, processes=2)
    assert done.returncode == 0, done.stderr
    busy, idle = (torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2))
    assert all(busy['losses'].values())
    assert not any(idle['losses'].values())
    for name, means in busy['found'].items():
        assert means['counts'].sum() > 0
        torch.testing.assert_close(idle['found'][name]['sums'], means['sums'])
        assert torch.equal(idle['found'][name]['counts'], means['counts'])


if __name__ == '__main__':
    step(int(os.environ['RANK']), sys.argv[1])
