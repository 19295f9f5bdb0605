import pytest
import torch
from testers import ConnectorTester
from torch import Tensor, nn
from torch.autograd import gradcheck

IN, OUT, MID = [3, 5, 6, 9], [4, 7, 8, 10], 2
SIZES = [(8, 6), (4, 3), (3, 2), (1, 1)]


def normed(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    """Batch norm in evaluation, a channel at a time."""
    mean, var, weight, bias = (state[f'{name}.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias'))
    channels = [(x[:, c] - mean[c]) / (var[c] + 1e-5).sqrt() * weight[c] + bias[c] for c in range(x.shape[1])]
    return torch.stack(channels, 1)


def conv(x: Tensor, weight: Tensor) -> Tensor:
    """A convolution that keeps the size, as a sum over the kernel's places; outside the map there is 0."""
    b, _, h, w = x.shape
    reach = weight.shape[2] // 2
    y = x.new_zeros(b, len(weight), h, w)
    for i in range(h):
        for j in range(w):
            for di in range(-reach, reach + 1):
                for dj in range(-reach, reach + 1):
                    if 0 <= i + di < h and 0 <= j + dj < w:
                        y[:, :, i, j] += x[:, :, i + di, j + dj] @ weight[:, :, di + reach, dj + reach].T
    return y


def nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    (h, w), (new_h, new_w) = x.shape[2:], size
    rows = [torch.stack([x[:, :, i * h // new_h, j * w // new_w] for j in range(new_w)], -1) for i in range(new_h)]
    return torch.stack(rows, 2)


def reference(state: dict[str, Tensor], levels: list[Tensor], sizes: list[tuple[int, int]]) -> list[Tensor]:
    """Chen et al., the released code, from the deepest level down; batch norms in evaluation."""
    above, outputs = None, {}
    for i in reversed(range(len(levels))):
        x = normed(conv(levels[i], state[f'fusions.{i}.reduce.0.weight']), state, f'fusions.{i}.reduce.1')
        if above is not None:
            above = nearest(above, x.shape[2:])
            both = torch.cat([x, above], 1)
            gates = conv(both, state[f'fusions.{i}.gates.weight'])
            gates = 1 / (1 + (-gates - state[f'fusions.{i}.gates.bias'][:, None, None]).exp())
            x = x * gates[:, :1] + above * gates[:, 1:]
        above = nearest(x, sizes[i])
        outputs[i] = normed(conv(above, state[f'fusions.{i}.output.0.weight']), state, f'fusions.{i}.output.1')
    return [outputs[i] for i in range(len(levels))]


class TestABFConnector(ConnectorTester):
    cfg = dict(type='mmkd_ext.ABFConnector', in_channels=IN, out_channels=OUT, mid_channels=MID)
    shape = (5, IN[-1], 8, 6)
    out_shape = (sum(5 * c * h * w for c, (h, w) in zip(OUT, SIZES, strict=True)),)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Four levels of an input, each with its own channels and size; the last is an embedding."""
        maps = [x[..., :c, :h, :w] for c, (h, w) in zip(IN[:3], SIZES, strict=False)]
        return [*maps, x[..., 0, 0]]

    def call(self, connector: nn.Module, x: Tensor) -> Tensor:
        return torch.cat([y.flatten() for y in connector(self.levels(x))])

    def random(self, **overrides: object) -> nn.Module:
        """In float64, evaluation, with all its numbers drawn at random."""
        torch.manual_seed(5)
        connector = self.build(**overrides).double().eval()
        for name, tensor in connector.state_dict().items():
            if tensor.is_floating_point():
                low = 0.5 if name.endswith('running_var') else -1.0
                nn.init.uniform_(tensor, low, 1.5)
        return connector

    def test_returns_a_map_a_level_at_the_students_sizes(self) -> None:
        outputs = self.build()(self.levels(self.input()))
        assert isinstance(outputs, list)
        assert [y.shape for y in outputs] == [(5, c, h, w) for c, (h, w) in zip(OUT, SIZES, strict=True)]

    def test_equals_an_independent_reference(self) -> None:
        connector, levels = self.random(), self.levels(self.input().double())
        expected = reference(connector.state_dict(), [*levels[:3], levels[3][:, :, None, None]], SIZES)
        torch.testing.assert_close(connector(levels), expected)

    def test_equals_the_reference_at_other_sizes_too(self) -> None:
        """The teacher's maps may be larger or smaller; a whole number is a square."""
        sizes = [(4, 6), (8, 8), (6, 4), (1, 1)]
        connector = self.random(out_sizes=[(4, 6), 8, [6, 4], 1])
        levels = self.levels(self.input().double())
        found = connector(levels)
        expected = reference(connector.state_dict(), [*levels[:3], levels[3][:, :, None, None]], sizes)
        assert [tuple(y.shape[2:]) for y in found] == sizes
        torch.testing.assert_close(found, expected)

    def test_gradient_is_right(self) -> None:
        connector = self.random()
        x = self.input().detach().double()[:2].requires_grad_()
        assert gradcheck(lambda x: self.call(connector, x), (x,), fast_mode=True)

    def test_a_level_hears_of_those_above_it_and_not_of_those_below(self) -> None:
        connector, levels = self.random(), self.levels(self.input().detach().double())
        before = connector(levels)
        for i in range(4):
            after = connector([level + 1 if k == i else level for k, level in enumerate(levels)])
            assert [not torch.equal(a, b) for a, b in zip(after, before, strict=True)] == [k <= i for k in range(4)]

    def test_an_embedding_is_a_map_of_one_position(self) -> None:
        connector, levels = self.random(), self.levels(self.input().double())
        torch.testing.assert_close(connector([*levels[:3], levels[3][:, :, None, None]]), connector(levels))

    def test_the_top_level_has_no_gates(self) -> None:
        gates = [name for name in self.build().state_dict() if 'gates' in name]
        assert gates == [f'fusions.{i}.gates.{part}' for i in range(3) for part in ('weight', 'bias')]

    def test_convolutions_start_uniform_within_the_root_of_3_over_fan_in(self) -> None:
        """Kaiming's bound with a = 1: gain 1; the gates and the batch norms start as torch's do."""
        torch.manual_seed(9)
        parameters = dict(self.build(in_channels=[90], out_channels=[70], mid_channels=80).named_parameters())
        shapes = {name: tuple(p.shape) for name, p in parameters.items() if p.ndim == 4}
        assert shapes == {'fusions.0.reduce.0.weight': (80, 90, 1, 1), 'fusions.0.output.0.weight': (70, 80, 3, 3)}
        for name, fan_in in (('fusions.0.reduce.0.weight', 90), ('fusions.0.output.0.weight', 720)):
            assert parameters[name].abs().max().item() == pytest.approx((3 / fan_in) ** 0.5, rel=0.01)
            assert parameters[name].std().item() == pytest.approx(fan_in**-0.5, rel=0.02)
        assert sorted(parameters) == sorted(
            f'fusions.0.{part}.{name}' for part in ('reduce', 'output') for name in ('0.weight', '1.weight', '1.bias')
        )

    @pytest.mark.parametrize(('channels', 'expected'), [([3, 5], 5), ([3, 600], 512), ([600, 4], 4)])
    def test_width_is_that_of_the_last_level_up_to_512(self, channels: list[int], expected: int) -> None:
        connector = self.build(in_channels=channels, out_channels=[2, 2], mid_channels=None)
        widths = [p.shape[0] for name, p in connector.named_parameters() if name.endswith('reduce.0.weight')]
        assert widths == [expected] * 2

    @pytest.mark.parametrize(
        ('change', 'message'),
        [
            (dict(out_channels=[4, 7, 8]), r'in_channels, out_channels .* got 4 and 3'),
            (dict(in_channels=[], out_channels=[]), 'at least one'),
            (dict(out_sizes=[8, 4, 2]), r'out_sizes .* got 3'),
        ],
    )
    def test_lists_that_do_not_fit_are_refused(self, change: dict, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            self.build(**change)

    def test_another_number_of_levels_is_refused(self) -> None:
        levels = self.levels(self.input())
        for wrong in (levels[:3], [*levels, levels[3]]):
            with pytest.raises(ValueError, match=f'in_channels lists 4 levels, got {len(wrong)}'):
                self.build()(wrong)
        with pytest.raises(ValueError, match='in_channels lists 4 levels, got a Tensor'):
            self.build()(levels[0])

    def test_wrong_channels_name_the_level(self) -> None:
        levels = self.levels(self.input())
        levels[1] = levels[1][:, :4]
        message = r'in_channels\[1\]=5 expects \(B, 5, H, W\) or \(B, 5\), got \(5, 4, 4, 3\)'
        with pytest.raises(ValueError, match=message):
            self.build()(levels)
