"""The output of runs, scalars by step and test results, as a table and curves."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev

import matplotlib as mpl

from mmkd_ext import markdown
from mmkd_ext.errors import ConfigError, nearest

mpl.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

METRICS = ('coco/bbox_mAP', 'coco/segm_mAP', 'accuracy/top1', 'mIoU')
TIMES = ('time', 'data_time')  # also in the test's file
NO_BOXES = -1  # COCO's value where the test set has no boxes of a size
PERCENT = re.compile(r'coco/(bbox|segm)_mAP(_.*)?')  # logged as fractions, reported in percent


@dataclass
class Run:
    """The results in a work dir: scalars by step, and the metrics of the last evaluation.

    Attributes:
        name: Name of the row, without the seed.
        begin: The first logged step.
        curves: For each metric and distillation loss, its value by step.
        final: The metrics of the last evaluation.
    """

    name: str
    begin: int | None = None
    curves: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    final: dict[str, float] = field(default_factory=dict)


def read_run(work_dir: Path, wanted: Sequence[str] = ()) -> Run:
    """Read a work dir's scalars and test results, oldest first.

    Args:
        work_dir: The folder.
        wanted: The metrics to take from the test; the usual ones if empty.

    Raises:
        ConfigError: If it has neither, or the test has no such metric.
    """
    run = Run(re.sub(r'_seed\d+', '', work_dir.name))
    # mmengine makes a folder for each start, named after the time.
    for folder in sorted((path for path in work_dir.glob('*/') if path.is_dir()), key=_ended):
        scalars = folder / 'vis_data' / 'scalars.json'
        if scalars.exists():
            _join(run, [json.loads(line) for line in scalars.read_text().splitlines()])
        for path in sorted(folder.glob('*.json')):
            run.final |= _tested(json.loads(path.read_text()), wanted)
    if not run.final and not run.curves and run.begin is None:
        raise ConfigError(f'{work_dir} holds no run (no */vis_data/scalars.json and no test results).')
    return run


def _tested(found: dict, wanted: Sequence[str]) -> dict[str, float]:
    """The wanted metrics of a test; otherwise the usual ones or, if it has none of these, all of its numbers."""
    numbers = {name: value for name, value in found.items() if isinstance(value, (int, float)) and name not in TIMES}
    for name in wanted:
        if name not in numbers:
            raise ConfigError(f'study.metrics: the test has no {name}; {nearest(name, sorted(numbers))}.')
        if PERCENT.fullmatch(name) and numbers[name] == NO_BOXES:
            raise ConfigError(f'study.metrics: {name} is {NO_BOXES}: the test set has no such objects; leave it out.')
    if wanted:
        return {name: numbers[name] for name in wanted}
    return {name: value for name, value in numbers.items() if name in METRICS} or numbers


def percent(metric: str) -> int:
    """The factor on a metric's values in a table."""
    return 100 if PERCENT.fullmatch(metric) else 1


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics without duplicates: the usual ones in their order, then the others in the given order."""
    found = dict.fromkeys(names)
    return [*(name for name in METRICS if name in found), *(name for name in found if name not in METRICS)]


def _ended(folder: Path) -> str:
    """When the last line of a folder's log was written, or otherwise when it began, from the folder's name."""
    lines = [line for path in folder.glob('*.log') for line in path.read_text(errors='replace').splitlines()]
    times = re.findall(r'^(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)', '\n'.join(lines), re.MULTILINE)
    return max(('{}{}{}_{}{}{}'.format(*time) for time in times), default=folder.name)


def _join(run: Run, records: list[dict]) -> None:
    """Add the scalars of a start to those of earlier starts; repeated steps replace the earlier ones."""
    begin = min((_step(record) for record in records if 'loss' in record), default=None)
    if begin is not None and run.begin is not None and begin <= run.begin:  # it started from the beginning
        run.curves.clear()
        run.final.clear()
    run.begin = begin if run.begin is None else run.begin
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for record in records:
        for name, value in record.items():
            if isinstance(value, (int, float)) and (name in METRICS or name.startswith('distill.')):
                curves[name][_step(record)] = value
    for name, curve in curves.items():
        kept = {step: value for step, value in run.curves[name].items() if step < min(curve)}
        run.curves[name] = kept | curve
        if name in METRICS:
            run.final[name] = curve[max(curve)]


def _step(record: dict) -> int:
    return int(record.get('step', record.get('iter', 0)))


def read_runs(work_dirs: list[Path]) -> list[Run]:
    """Read work dirs, each once; rows with the same name in several folders get the folder's name in front."""
    paths = list(dict.fromkeys(path.resolve() for path in work_dirs))
    runs = [read_run(path) for path in paths]
    names = [run.name for run in runs]
    for depth in range(1, max(len(path.parts) for path in paths)):
        folders = defaultdict(set)
        for run, path in zip(runs, paths, strict=True):
            folders[run.name].add(path.parent)
        if all(len(found) == 1 for found in folders.values()):
            break
        for run, name, path in zip(runs, names, paths, strict=True):
            if len(folders[run.name]) > 1:
                run.name = '/'.join([*path.parent.parts[-depth:], name])
    return runs


def table(runs: list[Run]) -> str:
    """The table, in Markdown."""
    metrics = in_order(metric for run in runs for metric in run.final)
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.name].append(run)
    rows = [['run', 'seeds', *(metric.split('/')[-1].replace('_', ' ') for metric in metrics)]]
    for name, members in groups.items():
        cells = [_cell([run.final[m] * percent(m) for run in members if m in run.final], len(members)) for m in metrics]
        rows.append([name, str(len(members)), *cells])
    return markdown.table(rows)


def _cell(values: list[float], seeds: int) -> str:
    if not values:
        return '-'
    spread = f' ± {stdev(values) / len(values) ** 0.5:.2f}' if len(values) > 1 else ''
    return f'{mean(values):.2f}{spread}' + (f' ({len(values)} of {seeds})' if len(values) < seeds else '')


def draw(runs: list[Run], path: Path) -> None:
    """Draw the validation metric and the distillation losses of the runs over their steps, if there are any."""
    runs = [run for run in runs if run.curves]
    if not runs:
        return
    metrics = [metric for metric in METRICS if any(run.curves.get(metric) for run in runs)]
    panels = [*metrics, 'distillation losses'] if any(_distills(run) for run in runs) else metrics
    figure, axes = plt.subplots(1, len(panels), figsize=(5.5 * len(panels), 4), squeeze=False, layout='constrained')
    colours = {group: f'C{i}' for i, group in enumerate(dict.fromkeys(run.name for run in runs))}
    for axis, panel in zip(axes[0], panels, strict=True):
        for run in runs:
            names = [panel] if panel in METRICS else _distills(run)
            for name in names:
                points = sorted(run.curves.get(name, {}).items())
                scale = percent(name)
                label = run.name if panel in METRICS else f'{run.name}: {name.removeprefix("distill.")}'
                axis.plot(*zip(*((s, scale * v) for s, v in points), strict=True), color=colours[run.name], label=label)
        handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        axis.legend(handles.values(), handles.keys(), fontsize=8)
        axis.set_title(panel.split('/')[-1].replace('_', ' '))
        axis.set_xlabel('epoch' if panel in METRICS else 'iteration')
        axis.grid(alpha=0.3)
        if panel not in METRICS:
            axis.set_yscale('log')
    figure.savefig(path, dpi=120)


def _distills(run: Run) -> list[str]:
    return [name for name in run.curves if name.startswith('distill.')]
