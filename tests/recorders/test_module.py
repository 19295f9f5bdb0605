import pytest
import torch
from recorded import Net, manager
from torch import Tensor

from mmkd_ext.errors import ConfigError


def test_module_outputs(net: Net, x: Tensor) -> None:
    taps = manager(net, out=('ModuleOutputs', 'stem'))
    with taps.recording(net):
        net(x)
    assert torch.equal(taps.get('out'), net.stem(x))


def test_module_inputs_are_the_positional_then_the_named(net: Net, x: Tensor) -> None:
    taps = manager(net, given=('ModuleInputs', 'split'), first=('ModuleInputs', 'stem'))
    with taps.recording(net):
        net(x)
    value, factor = taps.get('given')
    assert torch.equal(value, net.shared(net.shared(net.shared(net.stem(x)))))
    assert factor == 2.0
    assert torch.equal(taps.get('first', data_idx=0), x)


def test_the_empty_source_is_the_model_itself(net: Net, x: Tensor) -> None:
    taps = manager(net, given=('ModuleInputs', ''), out=('ModuleOutputs', ''))
    with taps.recording(net):
        expected = net(x)
    assert torch.equal(taps.get('given', data_idx=0), x)
    assert torch.equal(taps.get('out'), expected)


@pytest.mark.parametrize(
    ('kind', 'source', 'message'),
    [
        ('ModuleOutputs', 'sharde', r"source='sharde' is not a module of Net; the nearest is 'shared'"),
        ('ModuleInputs', 'backbone', r"source='backbone' is not a module of Net; there are 'stem', 'shared'"),
    ],
)
def test_a_source_that_is_not_there_is_named_with_the_nearest(net: Net, kind: str, source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf'^key\.tap\.source=.*{message}|^key\.tap\.{message}'):
        manager(net, tap=(kind, source))
