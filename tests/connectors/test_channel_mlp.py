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

    @pytest.mark.parametrize('hidden', [0, -3, 2.5])
    def test_no_hidden_width_is_refused(self, hidden: object) -> None:
        with pytest.raises(ValueError, match=f'hidden_channels must be .*, got {hidden}'):
            self.build(hidden_channels=hidden)

    def test_positions_do_not_mix(self) -> None:
        connector, x = self.build(), self.input().detach()
        changed = x.clone()
        changed[0, :, 1, 2] += 1
        differs = (connector(x) != connector(changed)).any(dim=1)
        assert differs.nonzero().tolist() == [[0, 1, 2]]


class TestAligned(ConnectorTester):
    """With a convolution of its own from the student's channels to the teacher's."""

    cfg = dict(type='mmkd_ext.ChannelMLPConnector', in_channels=3, out_channels=5, hidden_channels=7, align=True)
    shape = (2, 3, 4, 6)
    out_shape = (2, 5, 4, 6)

    def test_equals_three_matrices_applied_to_each_pixel(self) -> None:
        """W2 ReLU(W1 (A x + a) + b1) + b2."""
        connector, x = self.build().double(), self.input().double()
        a, a0, w1, b1, w2, b2 = (p.squeeze() for p in connector.parameters())
        assert [tuple(w.shape) for w in (a, w1, w2)] == [(5, 3), (7, 5), (5, 7)]
        y = connector(x)
        for b in range(2):
            for i in range(4):
                for j in range(6):
                    expected = w2 @ (w1 @ (a @ x[b, :, i, j] + a0) + b1).clamp(min=0) + b2
                    torch.testing.assert_close(y[b, :, i, j], expected)

    def test_without_it_the_weights_have_the_same_names_as_ever(self) -> None:
        plain = self.build(align=False).state_dict()
        assert list(plain) == [f'mlp.{i}.{kind}' for i in (0, 2) for kind in ('weight', 'bias')]
        assert set(self.build().state_dict()) - set(plain) == {'align.weight', 'align.bias'}

    def test_it_stands_in_front_where_the_channels_are_equal_too(self) -> None:
        connector = self.build(out_channels=3, hidden_channels=None)
        assert [tuple(p.shape) for p in connector.parameters() if p.ndim == 4] == [(3, 3, 1, 1)] * 3
