import copy
from collections import namedtuple
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager

KINDS = ['Parameter', *(f'{of}{what}' for of in ('Module', 'Method', 'Function') for what in ('Outputs', 'Inputs'))]
Pair = namedtuple('Pair', ['low', 'high'])


def scale(x: Tensor, factor: float = 1.0) -> Tensor:
    """A function that models below call by its name in this module."""
    return x * factor


class Base:
    def combine(self, x: Tensor, offset: float = 0.0) -> Tensor:
        return x + offset

    @staticmethod
    def fixed(x: Tensor) -> Tensor:
        return x + 1


class Derived(Base):
    def own(self, x: Tensor) -> Tensor:
        return -x


class Net(nn.Module):
    """One of each: a module run three times, a function, methods (own and inherited), outputs of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(3, 4)
        self.shared = nn.Linear(4, 4)
        self.split = Split()
        self.head = nn.Linear(4, 2)
        self.helper = Derived()
        self.calls: list[str] = []
        for name, module in self.named_children():
            module.register_forward_hook(lambda *_, name=name: self.calls.append(name))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = self.shared(x)
        parts = self.split(x, factor=2.0)
        x = scale(parts['sum'], factor=3.0)
        x = self.helper.own(self.helper.combine(x, offset=0.5))
        return self.head(x)


class Split(nn.Module):
    def forward(self, x: Tensor, factor: float) -> dict:
        return {'sum': x + factor, 'all': (x, Pair(x - 1, x + 1))}


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(1))


def manager(model: nn.Module | None = None, **sources: tuple[str, str]) -> RecorderManager:
    """Recorders from name=(type, source), checked against the model."""
    made = RecorderManager({name: dict(type=kind, source=s) for name, (kind, s) in sources.items()}, 'key')
    if model is not None:
        made.check(model)
    return made


def here(name: str) -> str:
    return f'{__name__}.{name}'


class TestKinds:
    def test_module_outputs(self, net: Net, x: Tensor) -> None:
        taps = manager(net, out=('ModuleOutputs', 'stem'))
        with taps.recording(net):
            net(x)
        assert torch.equal(taps.get('out'), net.stem(x))

    def test_module_inputs_are_the_positional_then_the_named(self, net: Net, x: Tensor) -> None:
        taps = manager(net, given=('ModuleInputs', 'split'), first=('ModuleInputs', 'stem'))
        with taps.recording(net):
            net(x)
        value, factor = taps.get('given')
        assert torch.equal(value, net.shared(net.shared(net.shared(net.stem(x)))))
        assert factor == 2.0
        assert torch.equal(taps.get('first', data_idx=0), x)

    def test_method_outputs_of_an_inherited_and_an_own_method(self, net: Net, x: Tensor) -> None:
        taps = manager(
            net, combined=('MethodOutputs', here('Derived.combine')), own=('MethodOutputs', here('Derived.own'))
        )
        with taps.recording(net):
            net(x)
        assert torch.equal(taps.get('own'), -taps.get('combined'))

    def test_method_inputs_are_those_beside_the_object(self, net: Net, x: Tensor) -> None:
        taps = manager(net, given=('MethodInputs', here('Derived.combine')), out=('FunctionOutputs', here('scale')))
        with taps.recording(net):
            net(x)
        assert torch.equal(taps.get('given', data_idx=0), taps.get('out'))
        assert taps.get('given', data_idx=1) == 0.5
        assert len(taps.get('given')) == 2

    @pytest.mark.parametrize('kind', ['ModuleInputs', 'MethodInputs', 'FunctionInputs'])
    def test_inputs_by_name_are_in_the_order_of_the_signature(self, kind: str, net: Net, x: Tensor) -> None:
        source = dict(ModuleInputs='split', MethodInputs=here('Base.combine'), FunctionInputs=here('scale'))[kind]
        taps = manager(net, tap=(kind, source))
        with taps.recording(net):
            net.split(factor=0.5, x=x)
            Base().combine(offset=0.5, x=x)
            scale(factor=0.5, x=x)
        tensor, number = taps.get('tap')
        assert torch.equal(tensor, x)
        assert number == 0.5

    def test_the_empty_source_is_the_model_itself(self, net: Net, x: Tensor) -> None:
        taps = manager(net, given=('ModuleInputs', ''), out=('ModuleOutputs', ''))
        with taps.recording(net):
            expected = net(x)
        assert torch.equal(taps.get('given', data_idx=0), x)
        assert torch.equal(taps.get('out'), expected)

    def test_function_outputs_and_inputs(self, net: Net, x: Tensor) -> None:
        taps = manager(net, out=('FunctionOutputs', here('scale')), given=('FunctionInputs', here('scale')))
        with taps.recording(net):
            net(x)
        assert taps.get('given', data_idx=1) == 3.0
        assert torch.equal(taps.get('out'), 3 * taps.get('given', data_idx=0))

    def test_a_parameter_is_recorded_itself_so_that_a_loss_trains_it(self, net: Net, x: Tensor) -> None:
        taps = manager(net, weight=('Parameter', 'head.weight'))
        with taps.recording(net):
            net(x)
        assert taps.get('weight') is net.head.weight
        taps.get('weight').square().sum().backward()
        torch.testing.assert_close(net.head.weight.grad, 2 * net.head.weight.detach())

    @pytest.mark.parametrize('kind', KINDS)
    def test_the_long_name_is_the_same_recorder(self, kind: str) -> None:
        short, long = (manager(a=(name, 'b.c.d'))['a'] for name in (kind, f'{kind}Recorder'))
        assert type(short) is type(long)

    def test_a_static_method_is_refused_or_recorded_but_never_broken(self, net: Net) -> None:
        taps = manager(one=('MethodOutputs', here('Derived.fixed')))
        try:
            taps.check(net)
        except ConfigError:
            return
        with taps.recording(net):
            assert Derived().fixed(torch.zeros(1)).item() == 1
            assert Derived.fixed(torch.zeros(1)).item() == 1


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

    def test_only_the_last_forward_is_kept(self, net: Net, x: Tensor) -> None:
        taps = manager(net, stem=('ModuleOutputs', 'stem'))
        for batch in (x, 2 * x):
            with taps.recording(net):
                net(batch)
        assert torch.equal(taps.get('stem'), net.stem(2 * x))
        assert len(taps['stem'].records) == 1

    @pytest.mark.parametrize('record_idx', [3, -4])
    def test_a_record_that_was_not_made_is_named_with_the_count(self, net: Net, x: Tensor, record_idx: int) -> None:
        taps = manager(net, shared=('ModuleOutputs', 'shared'))
        with taps.recording(net):
            net(x)
        with pytest.raises(ConfigError, match=rf'^key\.shared: record_idx={record_idx} but shared ran 3 times'):
            taps.get('shared', record_idx=record_idx)

    @pytest.mark.parametrize(
        ('source', 'data_idx', 'given'),
        [('split', 'sun', r"the keys \['all', 'sum'\]"), ('split', 0, 'the keys'), ('stem', 0, 'one Tensor, no list')],
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

    def test_an_unknown_recorder_is_named_with_the_nearest(self) -> None:
        with pytest.raises(ConfigError, match=r"key has no 'stm'; the nearest is 'stem'"):
            manager(stem=('ModuleOutputs', 'stem')).get('stm')


class TestMissingSources:
    @pytest.mark.parametrize(
        ('kind', 'source', 'message'),
        [
            ('ModuleOutputs', 'sharde', r"source='sharde' is not a module of Net; the nearest is 'shared'"),
            ('ModuleInputs', 'backbone', r"source='backbone' is not a module of Net; there are 'stem', 'shared'"),
            ('Parameter', 'head.weights', r"'head.weights' is not a parameter of Net; the nearest are 'head.weight', "),
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
    def test_the_message_names_key_and_nearest(self, net: Net, kind: str, source: str, message: str) -> None:
        with pytest.raises(ConfigError, match=rf'^key\.tap\.source=.*{message}|^key\.tap\.{message}'):
            manager(net, tap=(kind, source))

    @pytest.mark.parametrize(('kind', 'source'), [('Parameter', ''), ('ModuleOutputs', None), ('ModuleOutputs', 3)])
    def test_a_source_that_is_no_name_is_refused_with_its_key(self, kind: str, source: object) -> None:
        with pytest.raises(ConfigError, match=r'^key\.tap: source must be a name'):
            manager(tap=(kind, source))

    def test_an_unknown_kind_is_refused_with_its_key(self) -> None:
        with pytest.raises(ConfigError, match=r"^key\.tap\.type='ModuleOutput' .* the nearest .*'ModuleOutputs'"):
            manager(tap=('ModuleOutput', 'stem'))


class Chain(nn.Module):
    """Convolution, batch norm, and then an operation that may change the norm's output in place."""

    def __init__(self, after: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        self.returned = out = self.norm(self.conv(x))
        return self.after(out, x)


def inplace_relu(out: Tensor, x: Tensor) -> Tensor:
    return nn.ReLU(inplace=True)(out)


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


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))


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
                return Derived().own(scale(x, 2.0).add_(1)).zero_()

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

    def test_the_record_that_ends_a_forward_needs_no_copy(self, image: Tensor) -> None:
        model = Chain(inplace_relu)
        taps = manager(model, norm=('ModuleOutputs', 'norm'), conv=('ModuleOutputs', 'conv'))
        kept = []
        model.norm.register_forward_hook(lambda module, args, out: kept.extend([args[0], out]))
        with taps.recording(model, dict(norm=1, conv=1)):
            model(image)
        assert taps.get('norm') is kept[1]
        assert taps.get('conv') is not kept[0]


def hooks_of(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


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
        return hooks_of(net), scale, dict(vars(Derived)), dict(vars(Base))

    def test_everything_is_put_back_after_the_block(self, net: Net, x: Tensor) -> None:
        before = self.snapshot(net)
        taps = manager(net, **self.ALL)
        for _ in range(2):
            with taps.recording(net):
                net(x)
                assert hooks_of(net) == before[0] + 2
                assert scale is not before[1]
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

    def test_a_parents_own_call_is_not_recorded_for_the_child(self, net: Net) -> None:
        taps = manager(net, child=('MethodOutputs', here('Derived.combine')))
        with taps.recording(net):
            Base().combine(torch.zeros(1))
        assert not taps['child'].records

    def test_clear_drops_every_record(self, net: Net, x: Tensor) -> None:
        taps = manager(net, **self.ALL)
        with taps.recording(net):
            net(x)
        taps.clear()
        assert all(not taps[name].records for name in self.ALL)

    def test_the_functions_name_and_doc_stay_while_recorded(self, net: Net) -> None:
        taps = manager(net, function=('FunctionOutputs', here('scale')))
        with taps.recording(net):
            assert scale.__name__ == 'scale'
            assert scale.__doc__.startswith('A function that models')


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


def test_a_copied_model_is_recorded_by_the_same_recorders(net: Net, x: Tensor) -> None:
    taps, other = manager(net, stem=('ModuleOutputs', 'stem')), copy.deepcopy(net)
    with taps.recording(other):
        net(x)
        other(x)
    assert len(taps['stem'].records) == 1


class TestAsMMRazorsAreUsed:
    def test_one_recorder_as_a_context(self, net: Net, x: Tensor) -> None:
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

    def test_recorders_of_functions_need_no_model_and_others_do(self, net: Net, x: Tensor) -> None:
        recorder = manager(given=('FunctionInputs', here('scale')))['given']
        recorder.initialize()
        with recorder:
            net(x)
        assert recorder.get_record_data(data_idx=1) == 3.0
        with pytest.raises(ConfigError, match="source='stem' is not a module"):
            manager(out=('ModuleOutputs', 'stem'))['out'].initialize()

    def test_a_parameter_is_there_before_a_forward(self, net: Net) -> None:
        recorder = manager(weight=('Parameter', 'stem.weight'))['weight']
        recorder.initialize(net)
        assert recorder.get_record_data() is net.stem.weight

    def test_a_manager_as_a_context(self, net: Net, x: Tensor) -> None:
        taps = RecorderManager(dict(stem=dict(type='ModuleOutputs', source='stem')))
        taps.initialize(net)
        with taps:
            net(x)
        net(2 * x)
        assert torch.equal(taps.get_recorder('stem').get_record_data(), net.stem(x))
        with pytest.raises(ConfigError, match="recorders has no 'stm'; the nearest is 'stem'"):
            taps.get_recorder('stm')
