import pytest
import recorded
import torch
from recorded import Base, Chain, Derived, Net, here, inplace_relu, manager
from torch import Tensor, nn

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager


def hooks_of(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_an_unknown_recorder_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"key has no 'stm'; the nearest is 'stem'"):
        manager(stem=('ModuleOutputs', 'stem')).get('stm')


def test_only_the_last_forward_is_kept(net: Net, x: Tensor) -> None:
    taps = manager(net, stem=('ModuleOutputs', 'stem'))
    for batch in (x, 2 * x):
        with taps.recording(net):
            net(batch)
    assert torch.equal(taps.get('stem'), net.stem(2 * x))
    assert len(taps['stem'].records) == 1


class TestTracesLeft:
    ALL = dict(
        out=('ModuleOutputs', 'stem'),
        given=('ModuleInputs', 'head'),
        function=('FunctionOutputs', here('scale')),
        arguments=('FunctionInputs', here('scale')),
        inherited=('MethodOutputs', here('Derived.combine')),
        inherited_arguments=('MethodInputs', here('Derived.combine')),
        own=('MethodOutputs', here('Derived.own')),
        weight=('Parameter', 'head.weight'),
    )

    def snapshot(self, net: Net) -> tuple:
        return hooks_of(net), recorded.scale, dict(vars(Derived)), dict(vars(Base))

    def test_everything_is_put_back_after_the_block(self, net: Net, x: Tensor) -> None:
        before = self.snapshot(net)
        taps = manager(net, **self.ALL)
        for _ in range(2):
            with taps.recording(net):
                net(x)
                assert hooks_of(net) == before[0] + 2
                assert recorded.scale is not before[1]
            assert self.snapshot(net) == before
        assert 'combine' not in vars(Derived), 'inherited again'

    def test_everything_is_put_back_where_the_forward_fails(self, net: Net) -> None:
        before = self.snapshot(net)
        taps = manager(net, **self.ALL)
        with pytest.raises(RuntimeError, match='shapes'), taps.recording(net):
            net(torch.zeros(5, 9))
        assert self.snapshot(net) == before

    def test_everything_is_put_back_where_a_recorder_cannot_be_attached(self, net: Net) -> None:
        before = self.snapshot(net)
        taps = manager(**self.ALL, missing=('ModuleOutputs', 'gone'))
        with pytest.raises(AttributeError), taps.recording(net):
            pass
        assert self.snapshot(net) == before

    def test_everything_is_put_back_after_an_early_end(self, net: Net, x: Tensor) -> None:
        before = self.snapshot(net)
        taps = manager(net, **self.ALL)
        with taps.recording(net, dict(out=1)):
            net(x)
        assert self.snapshot(net) == before

    def test_a_call_outside_the_block_is_not_recorded(self, net: Net, x: Tensor) -> None:
        taps = manager(net, **self.ALL)
        with taps.recording(net):
            net(x)
        net(x)
        assert {name: len(taps[name].records) for name in self.ALL} == dict.fromkeys(self.ALL, 1)

    def test_clear_drops_every_record(self, net: Net, x: Tensor) -> None:
        taps = manager(net, **self.ALL)
        with taps.recording(net):
            net(x)
        taps.clear()
        assert all(not taps[name].records for name in self.ALL)


class TestEarlyEnd:
    def test_nothing_behind_the_last_needed_record_runs(self, net: Net, x: Tensor) -> None:
        taps = manager(net, stem=('ModuleOutputs', 'stem'), shared=('ModuleOutputs', 'shared'))
        with taps.recording(net, dict(stem=1, shared=1)):
            net(x)
        assert net.calls == ['stem', 'shared']
        assert len(taps['shared'].records) == 1

    def test_as_many_records_as_needed_are_made(self, net: Net, x: Tensor) -> None:
        taps = manager(net, shared=('ModuleOutputs', 'shared'))
        with taps.recording(net, dict(shared=2)):
            net(x)
        assert len(taps['shared'].records) == 2
        assert 'split' not in net.calls
        assert 'head' not in net.calls

    def test_an_index_from_the_end_needs_the_whole_forward(self, net: Net, x: Tensor) -> None:
        taps = manager(net, shared=('ModuleOutputs', 'shared'))
        with taps.recording(net, dict(shared=None)):
            net(x)
        assert len(taps['shared'].records) == 3
        assert net.calls[-1] == 'head'

    def test_a_recorder_that_nobody_needs_does_not_delay_the_end(self, net: Net, x: Tensor) -> None:
        taps = manager(net, stem=('ModuleOutputs', 'stem'), head=('ModuleOutputs', 'head'))
        with taps.recording(net, dict(stem=1)):
            net(x)
        assert 'shared' not in net.calls

    @pytest.mark.parametrize(
        ('kind', 'source'),
        [
            ('ModuleInputs', 'split'),
            ('FunctionInputs', here('scale')),
            ('FunctionOutputs', here('scale')),
            ('MethodOutputs', here('Derived.combine')),
        ],
    )
    def test_what_goes_into_and_comes_out_of_functions_ends_the_forward_too(
        self, net: Net, x: Tensor, kind: str, source: str
    ) -> None:
        taps = manager(net, tap=(kind, source))
        with taps.recording(net, dict(tap=1)):
            net(x)
        assert len(taps['tap'].records) == 1
        assert 'head' not in net.calls

    def test_a_model_that_catches_every_exception_is_ended_too(self, x: Tensor) -> None:
        class Careful(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.stem = nn.Linear(3, 3)
                self.went_on = False

            def forward(self, x: Tensor) -> Tensor:
                try:
                    x = self.stem(x)
                except Exception:  # noqa: BLE001
                    x = 0 * x
                self.went_on = True
                return x

        model = Careful()
        taps = manager(model, stem=('ModuleOutputs', 'stem'))
        with taps.recording(model, dict(stem=1)):
            model(x)
        assert not model.went_on

    def test_without_need_the_forward_runs_to_its_end(self, net: Net, x: Tensor) -> None:
        taps = manager(net, stem=('ModuleOutputs', 'stem'))
        with taps.recording(net):
            out = net(x)
        assert out.shape == (5, 2)

    def test_an_error_of_the_forward_is_not_taken_for_an_early_end(self, net: Net) -> None:
        taps = manager(net, head=('ModuleOutputs', 'head'))
        with pytest.raises(RuntimeError, match='shapes'), taps.recording(net, dict(head=1)):
            net(torch.zeros(5, 9))


def test_the_record_that_ends_a_forward_needs_no_copy(image: Tensor) -> None:
    model = Chain(inplace_relu)
    taps = manager(model, norm=('ModuleOutputs', 'norm'), conv=('ModuleOutputs', 'conv'))
    kept = []
    model.norm.register_forward_hook(lambda module, args, out: kept.extend([args[0], out]))
    with taps.recording(model, dict(norm=1, conv=1)):
        model(image)
    assert taps.get('norm') is kept[1]
    assert taps.get('conv') is not kept[0]


def test_a_manager_as_a_context(net: Net, x: Tensor) -> None:
    taps = RecorderManager(dict(stem=dict(type='ModuleOutputs', source='stem')))
    taps.initialize(net)
    with taps:
        net(x)
    net(2 * x)
    assert torch.equal(taps.get_recorder('stem').get_record_data(), net.stem(x))
    with pytest.raises(ConfigError, match="recorders has no 'stm'; the nearest is 'stem'"):
        taps.get_recorder('stm')
