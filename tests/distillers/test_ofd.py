import pytest
import torch
from torch import nn

from mmkd_ext.compat import import_mmrazor
from mmkd_ext.distillers.ofd import OFDDistiller, ofd_margin
from mmkd_ext.errors import ConfigError


class Net(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 1)
        self.bn = nn.BatchNorm2d(width)
        with torch.no_grad():
            self.bn.weight.uniform_(-1, 1)
            self.bn.bias.uniform_(-1, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))


def config(source: str = 'bn') -> dict:
    recorders = dict(bn=dict(type='ModuleOutputs', source=source))
    return dict(
        student_recorders=recorders,
        teacher_recorders=recorders,
        connectors=dict(
            s=dict(type='ConvModuleConnector', in_channel=4, out_channel=6), t=dict(type='OFDTeacherConnector')
        ),
        distill_losses=dict(loss_ofd=dict(type='OFDLoss', loss_weight=0.5)),
        loss_forward_mappings=dict(
            loss_ofd=dict(
                s_feature=dict(from_student=True, recorder='bn', connector='s'),
                t_feature=dict(from_student=False, recorder='bn', connector='t'),
            )
        ),
    )


def test_the_margin_is_the_mean_of_what_a_relu_cuts_off() -> None:
    torch.manual_seed(0)
    weight, bias = torch.tensor([1.0, -0.5, 0.1]), torch.tensor([0.5, -0.2, 2.0])
    for i in range(2):
        drawn = weight[i].abs() * torch.randn(200_000) + bias[i]
        assert ofd_margin(weight, bias)[0, i, 0, 0] == pytest.approx(drawn[drawn < 0].mean().item(), rel=0.02)
    assert ofd_margin(weight, bias)[0, 2, 0, 0] == pytest.approx(-0.3), 'next to nothing is cut off'


def test_margins_and_loss_equal_mmrazors() -> None:
    import_mmrazor()
    from mmrazor.models.distillers import OFDDistiller as Theirs

    torch.manual_seed(0)
    student, teacher = Net(4), Net(6)
    ours = OFDDistiller(**config())
    ours.check_teacher(teacher)
    margin = ours.connectors['t'].margin
    torch.testing.assert_close(margin, Theirs._get_margin_from_BN(None, teacher.bn))
    x = torch.randn(2, 3, 4, 4)
    with ours.student_recorders.recording(student):
        student(x)
    with ours.teacher_recorders.recording(teacher):
        teacher(x)
    t, f = torch.max(teacher(x), margin), ours.connectors['s'](student(x))
    expected = 0.5 * ((f - t) ** 2 * ((f > t) | (t > 0))).sum() / 2 / 1000
    torch.testing.assert_close(ours.compute_distill_losses()['loss_ofd'], expected)


def test_a_teacher_record_of_no_batch_norm_is_refused() -> None:
    import_mmrazor()
    distiller = OFDDistiller(**config('conv'))
    with pytest.raises(ConfigError, match=r'teacher_recorders\.bn\.source must be an affine batch norm, .* got Conv2d'):
        distiller.check_teacher(Net(6))
