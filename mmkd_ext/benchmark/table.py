"""The numbers of a benchmark as a table in Markdown."""

from collections.abc import Sequence
from typing import Any

from mmkd_ext import markdown


def table(results: Sequence[dict[str, Any]]) -> str:
    """A line per row; columns without any number are left out.

    Args:
        results: Results of `Row.result`.
    """
    columns = {
        'step': [row['name'] for row in results],
        'ms': [f'{row["median"]:.1f}' for row in results],
        'images/s': [f'{row["per_second"]:.2f}' for row in results],
        'ratio': ['{:.3f} ({:.3f} to {:.3f})'.format(row['ratio'], *row['quartiles']) for row in results],
        'peak MiB': [_number(row['megabytes']) for row in results],
        'of it teacher and records': [_number(row['held']) for row in results],
        'checkpoint MiB': [_number(row['checkpoint']) for row in results],
        'to save, ms': [_number(row['save_milliseconds']) for row in results],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    return markdown.table([list(columns), *zip(*columns.values(), strict=True)])


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.0f}'
