import pytest

from mmkd_ext.markdown import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([['a', 'bcd'], ['ef', 'g']]).splitlines() == ['| a  | bcd |', '|----|-----|', '| ef | g   |']
    assert len(table([['a', 'b']]).splitlines()) == 2


def test_rows_of_different_lengths_are_a_mistake() -> None:
    with pytest.raises(ValueError, match='zip'):
        table([['a', 'b'], ['c']])
