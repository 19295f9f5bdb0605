import pytest
import torch
from testers import ConnectorTester
from torch.nn.functional import interpolate


class TestConv1x1Connector(ConnectorTester):
    cfg = dict(type='mmkd_ext.Conv1x1Connector', in_channels=3, out_channels=5)
    shape = (2, 3, 4, 6)
    out_shape = (2, 5, 4, 6)

    def test_equals_a_matrix_applied_to_each_pixel(self) -> None:
        connector, x = self.build().double(), self.input().double()
        weight, bias = connector.parameters()
        y = connector(x)
        for b in range(2):
            for i in range(4):
                for j in range(6):
                    torch.testing.assert_close(y[b, :, i, j], weight.flatten(1) @ x[b, :, i, j] + bias)

    def test_the_norm_replaces_the_bias_and_relu_comes_last(self) -> None:
        connector, x = self.build(norm=True, relu=True).double(), self.input().double()
        assert list(connector.state_dict())[:3] == ['conv.weight', 'norm.weight', 'norm.bias']
        y = torch.einsum('oc,bchw->bohw', connector.conv.weight.flatten(1), x)
        mean, var = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), correction=0, keepdim=True)
        torch.testing.assert_close(connector(x), ((y - mean) / (var + 1e-5).sqrt()).clamp(min=0))

    @pytest.mark.parametrize(('how', 'size'), [(dict(scale=2.0), (8, 12)), (dict(size=[3, 5]), (3, 5))])
    def test_it_resizes(self, how: dict, size: tuple[int, int]) -> None:
        connector, x = self.build(**how).double(), self.input().double()
        expected = interpolate(connector.conv(x), size, mode='bilinear', align_corners=False)
        torch.testing.assert_close(connector(x), expected)

    def test_two_sizes_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r'scale=2 and size=\(3, 5\)'):
            self.build(scale=2, size=(3, 5))
