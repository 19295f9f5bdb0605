import pytest
import torch
from mmengine.registry import MODELS
from testers import ConnectorTester
from torch import nn


class TestEmbedConnector(ConnectorTester):
    cfg = dict(type='mmkd_ext.EmbedConnector', in_channels=3, out_channels=5, dropout=0.25)
    shape = (7, 3)
    out_shape = (7, 5)

    def parts(self, **overrides: object) -> tuple[nn.Module, list[nn.Module]]:
        """The connector in float64 with all its numbers drawn at random, and its three layers."""
        torch.manual_seed(5)
        connector = self.build(**overrides).double()
        layers = [m for m in connector.modules() if isinstance(m, (nn.BatchNorm1d, nn.Dropout, nn.Linear))]
        norm = layers[0]
        assert [type(layer) for layer in layers] == [nn.BatchNorm1d, nn.Dropout, nn.Linear]
        for tensor in (*connector.parameters(), norm.running_mean, norm.running_var):
            nn.init.uniform_(tensor.data, 0.5, 2.0)
        return connector, layers

    def test_equals_normalising_and_a_matrix_by_hand_in_evaluation(self) -> None:
        connector, (norm, _, linear) = self.parts()
        x = self.input().double()
        y = connector.eval()(x)
        for n in range(7):
            normed = [
                ((x[n, c] - norm.running_mean[c]) / (norm.running_var[c] + 1e-5).sqrt() * norm.weight[c] + norm.bias[c])
                for c in range(3)
            ]
            for k in range(5):
                expected = linear.bias[k] + sum(linear.weight[k, c] * normed[c] for c in range(3))
                torch.testing.assert_close(y[n, k], expected)

    def test_normalises_by_the_batch_in_training(self) -> None:
        connector, (norm, _, linear) = self.parts(dropout=0.0)
        x = self.input().double()
        normed = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * norm.weight + norm.bias
        torch.testing.assert_close(connector(x), normed @ linear.weight.T + linear.bias)

    def test_dropout_stands_between_the_two_and_only_in_training(self) -> None:
        """With the identity for a matrix each output is 0 or the normalised input over 1 - 0.25."""
        connector, (norm, _, linear) = self.parts(out_channels=3)
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
        x = self.input().double()
        expected = ((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * norm.weight + norm.bias) / 0.75
        y = connector(x)
        kept = y != 0
        assert kept.any()
        assert not kept.all()
        torch.testing.assert_close(y[kept], expected[kept])
        assert torch.equal(connector.eval()(x), connector(x))

    def test_dropout_is_a_half_unless_given(self) -> None:
        connector = MODELS.build({key: value for key, value in self.cfg.items() if key != 'dropout'})
        (dropout,) = (m for m in connector.modules() if isinstance(m, nn.Dropout))
        assert dropout.p == 0.5

    def test_starts_with_torchs_weights_and_no_bias(self) -> None:
        torch.manual_seed(9)
        norm, _, linear = (m for m in self.build(in_channels=300, out_channels=200).modules() if not list(m.children()))
        assert linear.bias.abs().max() == 0
        assert linear.weight.abs().max().item() == pytest.approx(300**-0.5, rel=1e-3)  # uniform within 1 / sqrt(in)
        assert linear.weight.std().item() == pytest.approx((3 * 300) ** -0.5, rel=0.01)
        assert torch.equal(norm.weight, torch.ones(300))
        assert torch.equal(norm.bias, torch.zeros(300))

    def test_init_std_draws_weights_and_bias_from_a_normal(self) -> None:
        torch.manual_seed(9)
        big = self.build(in_channels=300, out_channels=900, init_std=0.01)
        norm, _, linear = (m for m in big.modules() if not list(m.children()))
        for values, tolerance in ((linear.weight, 0.01), (linear.bias, 0.1)):
            assert values.mean().item() == pytest.approx(0, abs=1e-3)
            assert values.std().item() == pytest.approx(0.01, rel=tolerance)
            assert values.abs().max() > 0.025
        assert torch.equal(norm.weight, torch.ones(300))

    def test_a_map_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r'in_channels=3 expects \(N, 3\), got \(2, 3, 4, 5\)'):
            self.build()(torch.zeros(2, 3, 4, 5))


def test_a_batch_of_one_is_refused_in_training_with_what_to_do() -> None:
    connector = MODELS.build(dict(type='mmkd_ext.EmbedConnector', in_channels=3, out_channels=5))
    with pytest.raises(ValueError, match=r'drop_last=True'):
        connector(torch.ones(1, 3))
    assert connector.eval()(torch.ones(1, 3)).shape == (1, 5)
