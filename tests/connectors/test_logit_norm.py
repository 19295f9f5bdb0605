import pytest
import torch
from testers import ConnectorTester
from torch import nn


class TestLogitNormConnector(ConnectorTester):
    cfg = dict(type='mmkd_ext.LogitNormConnector', scale=1.7)
    shape = (3, 7)
    out_shape = (3, 7)

    def test_rows_have_mean_0_and_the_deviation(self) -> None:
        y = self.build()(self.input().double() * 40 + 5)
        torch.testing.assert_close(y.mean(dim=1), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)
        torch.testing.assert_close(y.std(dim=1, correction=0), torch.full((3,), 1.7, dtype=torch.float64))

    def test_the_released_scale_is_the_default(self) -> None:
        x = self.input()
        torch.testing.assert_close(self.build(scale=2.5)(x), 2.5 * nn.LayerNorm(7, eps=1e-7)(x))
        assert self.build(scale=2.5).scale == type(self.build())().scale

    def test_gradients_reach_the_input_and_every_parameter(self) -> None:
        """It has none."""
        connector, x = self.build(), self.input()
        (connector(x) * torch.randn(3, 7, generator=torch.Generator().manual_seed(8))).sum().backward()
        assert x.grad.abs().sum() > 0
        assert not list(connector.parameters())

    def test_state_dict_round_trip(self) -> None:
        assert not self.build().state_dict()

    def test_wrong_channels_are_refused(self) -> None:
        for wrong in (self.input()[0], self.input()[..., None]):
            with pytest.raises(ValueError, match=r'expected logits \(N, K\)'):
                self.build()(wrong)
