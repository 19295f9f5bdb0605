"""Tables in Markdown."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are also aligned in its source.

    Args:
        rows: The first one is the head.

    Examples:
        >>> print(table([['run', 'mAP'], ['student', '34.6']]))
        | run     | mAP  |
        |---------|------|
        | student | 34.6 |
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        '| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + ' |' for row in rows
    ]
    return '\n'.join([lines[0], f'|{"|".join("-" * (width + 2) for width in widths)}|', *lines[1:]])
