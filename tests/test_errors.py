import pytest

from mmkd_ext.errors import ConfigError, nearest


def test_a_config_error_is_a_value_error() -> None:
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(
    ('name', 'known', 'expected'),
    [
        ('backbon', ['neck', 'backbone'], "the nearest is 'backbone'"),
        ('bn1', ['backbone.bn1', 'neck.conv', 'neck.bn1'], "the nearest are 'backbone.bn1', 'neck.bn1'"),
        ('neck.fpn_conv.0.conv', ['neck.fpn_convs.0.conv', 'head'], "the nearest is 'neck.fpn_convs.0.conv'"),
    ],
)
def test_what_is_near_as_a_whole_or_ends_alike_is_named(name: str, known: list[str], expected: str) -> None:
    assert nearest(name, known) == expected


def test_at_most_three_near_names_are_given() -> None:
    assert nearest('layer', [f'layer{i}' for i in range(9)]).count("'") == 6


def test_a_long_list_is_cut_and_counted() -> None:
    text = nearest('???', [f'part{i}' for i in range(12)])
    assert text.endswith("'part7' and 4 more")
    assert text.startswith("there are 'part0', 'part1'")
