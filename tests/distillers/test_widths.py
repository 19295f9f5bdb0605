"""Channels that a connector is told are named where they are not those of what is compared."""

from typing import Any

import pytest
import torch

from mmkd_ext.distillers.mapping import Argument, Source
from mmkd_ext.distillers.widths import explain_compared, explain_given
from mmkd_ext.errors import ConfigError

CFGS = dict(
    mlp=dict(type='ChannelMLPConnector', in_channels=4, out_channels=6),
    steps=[dict(type='Conv1x1Connector', in_channels=3, out_channels=4), dict(type='mmrazor.Any', out_channel=6)],
    silent=dict(type='mine'),
)
MISFIT = RuntimeError('expected 6 channels')


def student(connector: str | None) -> Source:
    return Source(True, 'neck', connector=connector)


def of(channels: int) -> torch.Tensor:
    return torch.zeros(2, channels, 4, 4)


@pytest.mark.parametrize(('name', 'key'), [('mlp', r'mlp\.in_channels=4'), ('steps', r'steps\[0\]\.in_channels=3')])
def test_a_record_of_other_channels_than_a_connector_takes(name: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^model\.distiller\.connectors\.{key}, but student recorder 'neck' has 5"):
        explain_given(MISFIT, of(5), student(name), CFGS)


@pytest.mark.parametrize(('name', 'key'), [('mlp', r'mlp\.out_channels=6'), ('steps', r'steps\[1\]\.out_channel=6')])
def test_a_connector_that_gives_other_channels_than_it_is_compared_with(name: str, key: str) -> None:
    teacher = Source(False, 'neck')
    with pytest.raises(
        ConfigError, match=rf"{key}, but teacher recorder 'neck' has 8 channels, \(2, 8, 4, 4\)"
    ) as found:
        explain_compared(MISFIT, dict(s=of(6), t=of(8)), dict(s=student(name), t=teacher), CFGS)
    assert found.value.__cause__ is MISFIT
    listed = Argument((student(name),), listed=True, fused=False)
    with pytest.raises(ConfigError, match=key):
        explain_compared(MISFIT, dict(s=of(6), t=of(8)), dict(s=listed, t=teacher), CFGS)


@pytest.mark.parametrize(
    ('connector', 'value', 'error'),
    [
        ('mlp', of(4), MISFIT),  # the width is right
        ('silent', of(5), MISFIT),
        (None, of(5), MISFIT),
        ('mlp', [of(5)], MISFIT),
        ('mlp', of(5), KeyboardInterrupt()),  # which no config mends
    ],
)
def test_nothing_is_said_of_what_fails_for_another_reason(connector: str, value: Any, error: BaseException) -> None:
    explain_given(error, value, student(connector), CFGS)
    explain_compared(error, dict(s=value, t=value), dict(s=student(connector), t=student(None)), CFGS)
