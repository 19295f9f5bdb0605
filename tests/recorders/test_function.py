import pytest
import recorded
import torch
from recorded import Base, Derived, Net, here, manager
from torch import Tensor

from mmkd_ext.errors import ConfigError


def test_method_outputs_of_an_inherited_and_an_own_method(net: Net, x: Tensor) -> None:
    taps = manager(net, combined=('MethodOutputs', here('Derived.combine')), own=('MethodOutputs', here('Derived.own')))
    with taps.recording(net):
        net(x)
    assert torch.equal(taps.get('own'), -taps.get('combined'))


def test_method_inputs_are_those_beside_the_object(net: Net, x: Tensor) -> None:
    taps = manager(net, given=('MethodInputs', here('Derived.combine')), out=('FunctionOutputs', here('scale')))
    with taps.recording(net):
        net(x)
    assert torch.equal(taps.get('given', data_idx=0), taps.get('out'))
    assert taps.get('given', data_idx=1) == 0.5
    assert len(taps.get('given')) == 2


def test_function_outputs_and_inputs(net: Net, x: Tensor) -> None:
    taps = manager(net, out=('FunctionOutputs', here('scale')), given=('FunctionInputs', here('scale')))
    with taps.recording(net):
        net(x)
    assert taps.get('given', data_idx=1) == 3.0
    assert torch.equal(taps.get('out'), 3 * taps.get('given', data_idx=0))


def test_a_static_method_is_refused_or_recorded_but_never_broken(net: Net) -> None:
    taps = manager(one=('MethodOutputs', here('Derived.fixed')))
    try:
        taps.check(net)
    except ConfigError:
        return
    with taps.recording(net):
        assert Derived().fixed(torch.zeros(1)).item() == 1
        assert Derived.fixed(torch.zeros(1)).item() == 1


def test_recorders_of_functions_need_no_model_and_others_do(net: Net, x: Tensor) -> None:
    recorder = manager(given=('FunctionInputs', here('scale')))['given']
    recorder.initialize()
    with recorder:
        net(x)
    assert recorder.get_record_data(data_idx=1) == 3.0
    with pytest.raises(ConfigError, match="source='stem' is not a module"):
        manager(out=('ModuleOutputs', 'stem'))['out'].initialize()


def test_a_parents_own_call_is_not_recorded_for_the_child(net: Net) -> None:
    taps = manager(net, child=('MethodOutputs', here('Derived.combine')))
    with taps.recording(net):
        Base().combine(torch.zeros(1))
    assert not taps['child'].records


def test_the_functions_name_and_doc_stay_while_recorded(net: Net) -> None:
    taps = manager(net, function=('FunctionOutputs', here('scale')))
    with taps.recording(net):
        assert recorded.scale.__name__ == 'scale'
        assert recorded.scale.__doc__.startswith('A function that models')


@pytest.mark.parametrize(
    ('kind', 'source', 'message'),
    [
        ('FunctionOutputs', here('scales'), r"has no function 'scales'; the nearest is 'scale'"),
        ('FunctionInputs', 'no_such.module.scale', r"there is no module 'no_such.module' to import"),
        ('FunctionOutputs', here('Pair'), r"has no function 'Pair'"),
        ('FunctionOutputs', 'scale', r"'scale' is not the import path of a function"),
        ('MethodOutputs', here('Derived.combin'), r"Derived has no function 'combin'; the nearest is 'combine'"),
        ('MethodInputs', here('Derive.combine'), r"has no class 'Derive'; the nearest is 'Derived'"),
        ('MethodOutputs', 'no_such.Derived.combine', r"there is no module 'no_such' to import"),
        ('MethodOutputs', 'combine', r'a method is named package\.module\.Class\.method'),
    ],
)
def test_a_source_that_is_not_there_is_named_with_the_nearest(net: Net, kind: str, source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf'^key\.tap\.source=.*{message}|^key\.tap\.{message}'):
        manager(net, tap=(kind, source))
