"""The table has the columns for which there are numbers."""

from mmkd_ext.benchmark.rows import Row
from mmkd_ext.benchmark.table import table


def test_columns_without_numbers_are_left_out() -> None:
    first, row = Row('a', print, 2, milliseconds=[10.0, 20.0]), Row('bc', print, 2, milliseconds=[20.0, 40.0])
    assert table([first.result(first), row.result(first)]).splitlines() == [
        '| step | ms   | images/s | ratio                  |',
        '|------|------|----------|------------------------|',
        '| a    | 15.0 | 133.33   | 1.000 (1.000 to 1.000) |',
        '| bc   | 30.0 | 66.67    | 2.000 (2.000 to 2.000) |',
    ]
    row.megabytes = 99.7
    found = table([row.result(first)])
    assert '| peak MiB |' in found
    assert '| 100 ' in found
