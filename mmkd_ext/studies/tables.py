"""A study's results as a table of means and paired differences, and as a plot."""

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import matplotlib as mpl
from scipy import stats

from mmkd_ext import markdown
from mmkd_ext.studies.report import in_order, percent

mpl.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

BEGIN, END = '<!-- results -->', '<!-- end of results -->'


class Difference(NamedTuple):
    """The difference of two rows, over the seeds that both have.

    Attributes:
        mean: The mean of the differences.
        error: Its standard error; None for one seed.
        half: Half of the width of its 95 % Student's t interval; None for one seed.
        seeds: Number of seeds.
    """

    mean: float
    error: float | None
    half: float | None
    seeds: int


Values = dict[str, dict[int | None, float]]


def values_of(lines: list[dict[str, Any]], metric: str) -> Values:
    """The values of a metric by row and seed; fractions in percent."""
    found: Values = {}
    for line in lines:
        if metric in line['metrics']:
            value = line['metrics'][metric] * percent(metric)
            found.setdefault(line['run'], {})[line['seed']] = value
    return found


def difference(values: Values, row: str, other: str) -> Difference | None:
    """The difference of two rows, paired by seed; None if they have no seed in common."""
    seeds = sorted(seed for seed in values.get(row, {}) if seed is not None and seed in values.get(other, {}))
    found = [values[row][seed] - values[other][seed] for seed in seeds]
    if not found:
        return None
    if len(found) == 1:
        return Difference(found[0], None, None, 1)
    error = stdev(found) / len(found) ** 0.5
    return Difference(mean(found), error, float(stats.t.ppf(0.975, len(found) - 1)) * error, len(found))


def metrics_of(lines: list[dict[str, Any]]) -> list[str]:
    """The metrics that any line has, in the usual order."""
    return in_order(metric for line in lines for metric in line['metrics'])


def short(metric: str) -> str:
    """`bbox mAP` for coco/bbox_mAP."""
    return metric.split('/')[-1].replace('_', ' ')


def table(lines: list[dict[str, Any]], pairs: Sequence[tuple[str, str]] = ()) -> str:
    """The table, in Markdown.

    Args:
        lines: Lines of results.jsonl, in the order of the rows; the others are compared with the first row.
        pairs: More rows to compare: (row, row that it is compared with).

    Returns:
        For each row, the number of seeds, the mean and its standard error, the mean difference from the first row over
        the seeds that both have, with its standard error and its 95 % interval (Student's t), the time of a step and
        the peak memory; then the differences of `pairs`.
    """
    metrics = metrics_of(lines)
    names = list(dict.fromkeys(line['run'] for line in lines))
    head = ['run', 'seeds']
    for metric in metrics:
        head += [short(metric), 'difference', '95 % interval']
    rows = [[*head, 's/step', 'MiB']]
    for name in names:
        members = [line for line in lines if line['run'] == name]
        cells = [name, str(len({line['seed'] for line in members})) if members[0]['seed'] is not None else '-']
        for metric in metrics:
            values = values_of(lines, metric)
            own = list(values.get(name, {}).values())
            cells.append(_spread(mean(own), stdev(own) / len(own) ** 0.5 if len(own) > 1 else None) if own else '-')
            cells += _compared(difference(values, name, names[0]) if name != names[0] else None)
        for key, digits in (('seconds_per_step', 3), ('peak_memory_mib', 0)):
            found = [line[key] for line in members if line.get(key)]
            cells.append(f'{mean(found):.{digits}f}' if found else '-')
        rows.append(cells)
    parts = [markdown.table(rows)]
    compared = [[f'{a} - {b}', short(metric), *_compared(difference(values_of(lines, metric), a, b))]
                for a, b in pairs for metric in metrics if difference(values_of(lines, metric), a, b)]  # fmt: skip
    if compared:
        parts.append(markdown.table([['pair', 'metric', 'difference', '95 % interval'], *compared]))
    return '\n\n'.join(parts)


def _spread(value: float, error: float | None, sign: str = '') -> str:
    return f'{value:{sign}.2f}' + (f' ± {error:.2f}' if error is not None else '')


def _compared(found: Difference | None) -> list[str]:
    if found is None:
        return ['-', '-']
    interval = '-' if found.half is None else f'{found.mean - found.half:+.2f} to {found.mean + found.half:+.2f}'
    return [_spread(found.mean, found.error, '+'), interval]


def draw(lines: list[dict[str, Any]], path: Path) -> None:
    """Draw each row's difference from the first, and those of the seeds; from three seeds on, with its 95 % interval.

    The interval of two seeds is thirteen times the standard error, and would hide all else.
    """
    metrics = metrics_of(lines)
    if not metrics:
        return
    names = list(dict.fromkeys(line['run'] for line in lines if line['seed'] is not None))
    size = (5.5 * len(metrics), 1.2 + 0.32 * len(names))
    figure, axes = plt.subplots(1, len(metrics), figsize=size, squeeze=False, layout='constrained')
    for axis, metric in zip(axes[0], metrics, strict=True):
        values = values_of(lines, metric)
        for y, name in enumerate(names[1:]):
            found = difference(values, name, names[0])
            if found is None:
                continue
            seeds = [seed for seed in values[name] if seed in values[names[0]]]
            axis.plot(
                [values[name][seed] - values[names[0]][seed] for seed in seeds],
                [y] * len(seeds),
                '.',
                color='0.4',
                zorder=3,
            )
            half = found.half if found.seeds > 2 else 0.0
            axis.errorbar(found.mean, y, xerr=half, fmt='o', color='C0', capsize=3)
        axis.axvline(0, color='0.3', linewidth=1)
        axis.set_yticks(range(len(names) - 1), names[1:])
        axis.set_ylim(len(names) - 1.5, -0.5)
        axis.grid(axis='x', alpha=0.3)
        axis.set_xlabel(f'{short(metric)}: difference from {names[0]}')
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write(folder: Path, lines: list[dict[str, Any]], pairs: Sequence[tuple[str, str]] = ()) -> str:
    """Write table.md and gains.png, and put the table into README.md if it marks a place for it.

    Returns:
        The table.
    """
    made = table(lines, pairs)
    (folder / 'table.md').write_text(made + '\n')
    if len({line['run'] for line in lines if line['seed'] is not None}) > 1:
        draw(lines, folder / 'gains.png')
    page = folder / 'README.md'
    if page.is_file() and BEGIN in page.read_text():
        block = f'{BEGIN}\n\n{made}\n\n{END}'
        page.write_text(re.sub(f'{BEGIN}.*?{END}', lambda _: block, page.read_text(), flags=re.DOTALL))
    return made
