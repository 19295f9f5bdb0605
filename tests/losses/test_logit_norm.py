import math

import mmpretrain.models  # noqa: F401  # what its scope holds
import pytest
import torch
from mmengine.registry import MODELS
from testers import LossTester
from torch import Tensor


def normalised(row: list[float], scale: float) -> list[float]:
    mean = sum(row) / len(row)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in row) / len(row) + 1e-7)
    return [scale * (v - mean) / deviation for v in row]


class TestLogitNormLoss(LossTester):
    """Around KD, so that it has a teacher."""

    cfg = dict(type='mmkd_ext.LogitNormLoss', loss=dict(type='mmkd_ext.KDLoss', tau=3.0), scale=1.7)
    shape = (4, 6)
    zero_at_match = False

    def reference(self, student: Tensor, teacher: Tensor) -> float:
        """The released code normalises first, then computes the loss."""
        total = 0.0
        for s_row, t_row in zip(student.tolist(), teacher.tolist(), strict=True):
            s_exp = [math.exp(v / 3.0) for v in normalised(s_row, 1.7)]
            t_exp = [math.exp(v / 3.0) for v in t_row]
            p, q = ([v / sum(row) for v in row] for row in (t_exp, s_exp))
            total += 9.0 * sum(pk * math.log(pk / qk) for pk, qk in zip(p, q, strict=True))
        return total / len(student)

    def test_an_mmpretrain_head_is_trained_with_it_and_predicts_raw_logits(self) -> None:
        head = dict(type='mmpretrain.LinearClsHead', num_classes=6, in_channels=5, cal_acc=True)
        inner = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=0.25)
        torch.manual_seed(0)
        head = MODELS.build(dict(head, loss=dict(type='mmkd_ext.LogitNormLoss', loss=inner)))
        samples = [_sample(label) for label in (2, 0, 5, 1)]
        x = torch.randn(4, 5)
        losses = head.loss((x,), samples)
        rows = [normalised(row, 2.5) for row in head.fc(x).tolist()]
        picked = [row[y] - math.log(sum(map(math.exp, row))) for row, y in zip(rows, (2, 0, 5, 1), strict=True)]
        assert losses['loss'].item() == pytest.approx(-0.25 * sum(picked) / 4, rel=1e-5)
        torch.testing.assert_close(head((x,)), head.fc(x))


def _sample(label: int) -> object:
    from mmpretrain.structures import DataSample

    return DataSample().set_gt_label(label)
