import pytest
import torch
from recorded import Net, manager
from torch import Tensor

from mmkd_ext.errors import ConfigError


def test_a_parameter_is_recorded_itself_so_that_a_loss_trains_it(net: Net, x: Tensor) -> None:
    taps = manager(net, weight=('Parameter', 'head.weight'))
    with taps.recording(net):
        net(x)
    assert taps.get('weight') is net.head.weight
    taps.get('weight').square().sum().backward()
    torch.testing.assert_close(net.head.weight.grad, 2 * net.head.weight.detach())


def test_a_parameter_is_there_before_a_forward(net: Net) -> None:
    recorder = manager(weight=('Parameter', 'stem.weight'))['weight']
    recorder.initialize(net)
    assert recorder.get_record_data() is net.stem.weight


def test_a_parameter_that_is_not_there_is_named_with_the_nearest(net: Net) -> None:
    said = r"^key\.tap\.source='head\.weights' is not a parameter of Net; the nearest are 'head\.weight', "
    with pytest.raises(ConfigError, match=said):
        manager(net, tap=('Parameter', 'head.weights'))
