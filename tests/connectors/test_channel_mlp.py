import pytest
import torch
from mmengine.registry import MODELS
from testers import ConnectorTester


class TestChannelMLPConnector(ConnectorTester):
    cfg = dict(type='mmkd_ext.ChannelMLPConnector', in_channels=3, out_channels=5, hidden_channels=7)
    shape = (2, 3, 4, 6)
    out_shape = (2, 5, 4, 6)

    def test_equals_two_matrices_applied_to_each_pixel(self) -> None:
        """W2 ReLU(W1 x + b1) + b2, the channels of one position at a time."""
        connector, x = self.build().double(), self.input().double()
        parameters = dict(connector.named_parameters())
        w1, b1, w2, b2 = parameters.values()
        w1, w2 = w1.flatten(1), w2.flatten(1)
        assert w1.shape == (7, 3)
        assert w2.shape == (5, 7)
        y = connector(x)
        for b in range(2):
            for i in range(4):
                for j in range(6):
                    expected = w2 @ (w1 @ x[b, :, i, j] + b1).clamp(min=0) + b2
                    torch.testing.assert_close(y[b, :, i, j], expected)

    @pytest.mark.parametrize(('hidden', 'expected'), [(None, 5), (2, 2)])
    def test_hidden_width_is_that_of_the_teacher_unless_given(self, hidden: int | None, expected: int) -> None:
        shapes = [tuple(p.shape) for p in self.build(hidden_channels=hidden).parameters()]
        assert shapes == [(expected, 3, 1, 1), (expected,), (5, expected, 1, 1), (5,)]

    def test_hidden_width_may_be_left_out(self) -> None:
        connector = MODELS.build({key: value for key, value in self.cfg.items() if key != 'hidden_channels'})
        assert next(connector.parameters()).shape == (5, 3, 1, 1)

    def test_positions_do_not_mix(self) -> None:
        connector, x = self.build(), self.input().detach()
        changed = x.clone()
        changed[0, :, 1, 2] += 1
        differs = (connector(x) != connector(changed)).any(dim=1)
        assert differs.nonzero().tolist() == [[0, 1, 2]]
