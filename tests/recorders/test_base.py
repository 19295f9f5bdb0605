import copy
from collections.abc import Callable

import pytest
import recorded
import torch
from recorded import Base, Chain, Derived, Net, Pair, here, inplace_relu, manager
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd_ext.errors import ConfigError

KINDS = ['Parameter', *(f'{of}{what}' for of in ('Module', 'Method', 'Function') for what in ('Outputs', 'Inputs'))]


@pytest.mark.parametrize('kind', ['ModuleInputs', 'MethodInputs', 'FunctionInputs'])
def test_inputs_by_name_are_in_the_order_of_the_signature(kind: str, net: Net, x: Tensor) -> None:
    source = dict(ModuleInputs='split', MethodInputs=here('Base.combine'), FunctionInputs=here('scale'))[kind]
    taps = manager(net, tap=(kind, source))
    with taps.recording(net):
        net.split(factor=0.5, x=x)
        Base().combine(offset=0.5, x=x)
        recorded.scale(factor=0.5, x=x)
    tensor, number = taps.get('tap')
    assert torch.equal(tensor, x)
    assert number == 0.5


@pytest.mark.parametrize('kind', KINDS)
def test_the_long_name_is_the_same_recorder(kind: str) -> None:
    short, long = (manager(a=(name, 'b.c.d'))['a'] for name in (kind, f'{kind}Recorder'))
    assert type(short) is type(long)


class TestIndices:
    def test_each_run_of_a_source_leaves_a_record(self, net: Net, x: Tensor) -> None:
        taps = manager(net, shared=('ModuleOutputs', 'shared'))
        with taps.recording(net):
            net(x)
        expected = net.stem(x)
        for i in range(3):
            expected = net.shared(expected)
            torch.testing.assert_close(taps.get('shared', record_idx=i), expected)
        assert taps.get('shared', record_idx=-1) is taps.get('shared', record_idx=2)

    def test_data_idx_picks_from_tuples_and_dicts_and_nesting_stays(self, net: Net, x: Tensor) -> None:
        taps = manager(net, parts=('ModuleOutputs', 'split'))
        with taps.recording(net):
            net(x)
        whole = taps.get('parts')
        assert isinstance(whole['all'], tuple)
        assert isinstance(whole['all'][1], Pair)
        assert taps.get('parts', data_idx='sum') is whole['sum']
        torch.testing.assert_close(whole['all'][1].high - whole['all'][1].low, torch.full((5, 4), 2.0))

    @pytest.mark.parametrize('record_idx', [3, -4])
    def test_a_record_that_was_not_made_is_named_with_the_count(self, net: Net, x: Tensor, record_idx: int) -> None:
        taps = manager(net, shared=('ModuleOutputs', 'shared'))
        with taps.recording(net):
            net(x)
        with pytest.raises(ConfigError, match=rf'^key\.shared: record_idx={record_idx} but shared ran 3 times'):
            taps.get('shared', record_idx=record_idx)

    @pytest.mark.parametrize(
        ('source', 'data_idx', 'given'),
        [
            ('split', 'sun', r"the keys \['all', 'sum'\]"),
            ('split', 0, 'the keys'),
            ('stem', 0, 'a single Tensor, not a list'),
        ],
    )
    def test_an_item_that_is_not_there_is_named_with_what_is(
        self, net: Net, x: Tensor, source: str, data_idx: int | str, given: str
    ) -> None:
        taps = manager(net, tap=('ModuleOutputs', source))
        with taps.recording(net):
            net(x)
        with pytest.raises(ConfigError, match=rf'^key\.tap: data_idx={data_idx!r} but {source} gave {given}'):
            taps.get('tap', data_idx=data_idx)

    def test_an_item_beyond_a_tuple_is_named_with_its_length(self, net: Net, x: Tensor) -> None:
        taps = manager(net, tap=('ModuleInputs', 'stem'))
        with taps.recording(net):
            net(x)
        with pytest.raises(ConfigError, match=r'data_idx=1 but stem gave 1 items'):
            taps.get('tap', data_idx=1)

    def test_a_source_that_was_not_reached_is_named(self, net: Net) -> None:
        taps = manager(net, head=('ModuleOutputs', 'head'))
        with taps.recording(net):
            pass
        with pytest.raises(ConfigError, match=r'^key\.head: head was not reached'):
            taps.get('head')


@pytest.mark.parametrize(('kind', 'source'), [('Parameter', ''), ('ModuleOutputs', None), ('ModuleOutputs', 3)])
def test_a_source_that_is_no_name_is_refused_with_its_key(kind: str, source: object) -> None:
    with pytest.raises(ConfigError, match=r'^key\.tap: source must be a name'):
        manager(tap=(kind, source))


def test_an_unknown_kind_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"^key\.tap\.type='ModuleOutput' .* the nearest .*'ModuleOutputs'"):
        manager(tap=('ModuleOutput', 'stem'))


def add_identity(out: Tensor, x: Tensor) -> Tensor:
    out += x
    return F.relu(out)


def write_into_a_view(out: Tensor, x: Tensor) -> Tensor:
    out[:, 0] = 0
    return out


def relu(out: Tensor, x: Tensor) -> Tensor:
    return F.relu(out)


OUT_OF_PLACE = {
    inplace_relu: lambda out, x: out.relu(),
    add_identity: lambda out, x: (out + x).relu(),
    write_into_a_view: lambda out, x: torch.cat([torch.zeros_like(out[:, :1]), out[:, 1:]], 1),
}


class TestInplaceOperations:
    @pytest.mark.parametrize('after', OUT_OF_PLACE)
    def test_a_later_inplace_operation_does_not_change_the_record_in_any_forward(
        self, after: Callable, image: Tensor
    ) -> None:
        model = Chain(after)
        taps = manager(model, norm=('ModuleOutputs', 'norm'))
        for factor in (1, 2, 3):
            with taps.recording(model):
                model(factor * image)
            record = taps.get('norm')
            torch.testing.assert_close(record, model.norm(model.conv(factor * image)))
            assert not torch.equal(record, model.returned), 'the operation did change its input'

    @pytest.mark.parametrize('after', OUT_OF_PLACE)
    def test_the_gradient_through_record_and_output_is_that_without_inplace_operations(
        self, after: Callable, image: Tensor
    ) -> None:
        model, twin = Chain(after), Chain(OUT_OF_PLACE[after])
        taps = manager(model, norm=('ModuleOutputs', 'norm'))
        for _ in range(2):
            model.zero_grad()
            twin.zero_grad()
            with taps.recording(model):
                out = model(image)
            (out.square().sum() + taps.get('norm').pow(3).sum()).backward()
            out = twin(image)
            (out.square().sum() + twin.returned.pow(3).sum()).backward()
            for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
                torch.testing.assert_close(found.grad, expected.grad)

    def test_an_input_that_the_module_itself_changes_is_recorded_as_it_was_given(self) -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
        taps = manager(model, given=('ModuleInputs', '1'), linear=('ModuleOutputs', '0'))
        for seed in range(3):
            x = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))
            with taps.recording(model):
                model(x)
            assert taps.get('given', data_idx=0).min() < 0
            torch.testing.assert_close(taps.get('given', data_idx=0), model[0](x))
            torch.testing.assert_close(taps.get('linear'), model[0](x))

    def test_items_of_lists_and_dicts_are_safe_too(self) -> None:
        class Many(nn.Module):
            def forward(self, x: Tensor) -> dict:
                return {'maps': [x + 1, x + 2], 'kind': 'toy'}

        class Changing(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.many = Many()

            def forward(self, x: Tensor) -> Tensor:
                return self.many(x)['maps'][1].zero_()

        model = Changing()
        taps = manager(model, many=('ModuleOutputs', 'many'))
        for _ in range(2):
            with taps.recording(model):
                model(torch.zeros(2))
            assert taps.get('many', data_idx='kind') == 'toy'
            assert [m.tolist() for m in taps.get('many', data_idx='maps')] == [[1, 1], [2, 2]]

    def test_function_and_method_records_are_safe_too(self, x: Tensor) -> None:
        class Model(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return Derived().own(recorded.scale(x, 2.0).add_(1)).zero_()

        taps = manager(
            Model(),
            scaled=('FunctionOutputs', here('scale')),
            given=('MethodInputs', here('Derived.own')),
            own=('MethodOutputs', here('Derived.own')),
        )
        for _ in range(2):
            with taps.recording(model := Model()):
                model(x)
            assert torch.equal(taps.get('scaled'), 2 * x)
            assert torch.equal(taps.get('given', data_idx=0), 2 * x + 1)
            assert torch.equal(taps.get('own'), -2 * x - 1)

    def test_a_change_may_begin_and_end_at_any_step(self, image: Tensor) -> None:
        model = Chain(relu)
        taps = manager(model, norm=('ModuleOutputs', 'norm'))
        for after in (relu, relu, inplace_relu, relu):
            model.after = after
            with taps.recording(model):
                model(image)
            torch.testing.assert_close(taps.get('norm'), model.norm(model.conv(image)))

    def test_only_the_items_that_are_used_are_kept(self, net: Net, x: Tensor) -> None:
        taps = manager(net, parts=('ModuleOutputs', 'split'), given=('ModuleInputs', 'split'))
        taps['parts'].items, taps['given'].items = {'all'}, {-1}
        with taps.recording(net):
            net(x)
        assert taps.get('parts')['sum'] is None
        assert torch.equal(taps.get('parts', data_idx='all')[1].high, taps.get('parts', data_idx='all')[0] + 1)
        assert taps.get('given') == (None, 2.0)


def test_one_recorder_as_a_context(net: Net, x: Tensor) -> None:
    recorder = manager(shared=('ModuleOutputs', 'shared'))['shared']
    with pytest.raises(RuntimeError, match='initialize'):
        recorder.__enter__()
    recorder.initialize(net)
    for _ in range(2):
        with recorder:
            assert recorder.recording
            assert not recorder.data_buffer
            net(x)
        assert len(recorder.data_buffer) == 3
        assert not recorder.recording
    net(x)
    assert torch.equal(recorder.get_record_data(1), net.shared(recorder.get_record_data(0)))
    with pytest.raises(ConfigError, match='record_idx=3'):
        recorder.get_record_data(record_idx=3)


def test_a_copied_model_is_recorded_by_the_same_recorders(net: Net, x: Tensor) -> None:
    taps, other = manager(net, stem=('ModuleOutputs', 'stem')), copy.deepcopy(net)
    with taps.recording(other):
        net(x)
        other(x)
    assert len(taps['stem'].records) == 1
