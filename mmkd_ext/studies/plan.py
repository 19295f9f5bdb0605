"""The runs of a study: read from a study file, or made from configs."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_ext import cli, identity
from mmkd_ext.errors import ConfigError, nearest

FIELDS = {'runs', 'seeds', 'options', 'teachers', 'pairs', 'metrics', 'may_differ', 'work_dirs'}
# The settings that all runs of a study share, so that differences between runs come from the method.
BUDGET = re.compile(r'(train_dataloader|train_cfg|optim_wrapper|param_scheduler|auto_scale_lr|sync_bn)\b.*')

# The fields with one type of value: whether a value has it, and its name.
_WANTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    'runs': (lambda value: isinstance(value, dict) and bool(value), 'a dict from names to configs'),
    'seeds': (lambda value: isinstance(value, int) and value > 0, 'a number from 1'),
    'options': (lambda value: isinstance(value, dict), 'a dict'),
    'teachers': (lambda value: isinstance(value, dict), 'a dict'),
    'pairs': (lambda value: isinstance(value, list), 'a list'),
    'metrics': (
        lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
        "a list of names, such as ['coco/bbox_mAP']",
    ),
}


@dataclass
class Entry:
    """One row of a study.

    Attributes:
        name: Name of the row.
        config: The config file.
        options: Overrides, dotted key to value; `{seed}` in a text stands for each run's seed.
        cfg: The config with the overrides of seed 0.
    """

    name: str
    config: str
    options: dict[str, Any]
    cfg: Config


@dataclass(frozen=True)
class Run:
    """One training: a row with a seed."""

    entry: Entry
    seed: int

    @property
    def name(self) -> str:
        """The name of its folders and logs, with underscores for characters that are unusual in file names."""
        safe = re.sub(r'[^\w.+-]+', '_', self.entry.name)
        return f'{safe}_seed{self.seed}'

    @property
    def options(self) -> dict[str, Any]:
        """Its overrides, dotted key to value."""
        return with_seed(self.entry.options, self.seed)

    def config(self) -> Config:
        """The config with its overrides."""
        entry = self.entry
        same = self.options == with_seed(entry.options, 0)
        return entry.cfg if same else cli.read_config(entry.config, self.options)

    def cfg(self) -> Config:
        """The config, completed as in `tools/train.py`."""
        cfg = Config(self.config().to_dict())
        cfg.merge_from_dict({'randomness.seed': self.seed})
        cli.complete(cfg)
        return cfg


@dataclass
class Study:
    """A grid of runs.

    Attributes:
        entries: The rows; the others are compared with the first.
        seeds: The seeds of each row.
        folder: The folder for results.jsonl, the table and the plot.
        work_dirs: The folder for checkpoints and logs.
        teachers: Rows that are tested but not trained: name to config and checkpoint.
        pairs: Differences that the table shows besides those from the first row: (row, row that it is compared with).
        metrics: The test metrics to record; the usual metrics, if empty.
        only: The rows to run now; all, if empty.
    """

    entries: list[Entry]
    seeds: range
    folder: Path
    work_dirs: Path
    teachers: dict[str, tuple[Config, str]] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    metrics: Sequence[str] = ()
    only: Sequence[str] = ()

    def runs(self) -> Iterator[Run]:
        """All runs, seed by seed, so that a stopped study has complete seeds."""
        for seed in self.seeds:
            for entry in self.entries:
                if not self.only or entry.name in self.only:
                    yield Run(entry, seed)


def with_seed(options: dict[str, Any], seed: int) -> dict[str, Any]:
    """Fill in `{seed}`."""
    return {
        key: value.replace('{seed}', str(seed)) if isinstance(value, str) else value for key, value in options.items()
    }


def is_study(path: str) -> bool:
    """Whether a file describes a study, that is, assigns `study`."""
    return Path(path).is_file() and re.search(r'^study = ', Path(path).read_text(), re.MULTILINE) is not None


def read_study(path: str, seeds: int | None = None, only: Sequence[str] = (), options: dict | None = None) -> Study:
    """Read a study file.

    The file is a config that assigns `study = dict(...)`:

        runs: name of a row to its config (a path relative to the file), or to `dict(config=..., options={...})`.
        seeds: number of seeds, from 0.
        options: overrides for all runs, dotted key to value. `{seed}` in a text stands for the run's seed: with
            `{'train_dataloader.dataset.ann_file': 'fold_{seed}.json'}`, seeds differ in their data, too.
        teachers: rows that are tested, not trained: name to `dict(config=..., checkpoint=...)`.
        pairs: more differences for the table, `[('kd++', 'kd'), ...]`.
        metrics: the test metrics to record, such as `['coco/bbox_mAP', 'coco/bbox_mAP_75']` (default: the usual ones).
        may_differ: prefixes of settings in which the runs' budgets may differ, such as `['optim_wrapper.clip_grad']`.
        work_dirs: folder for checkpoints and logs (default: work_dirs/studies/ and the name of the file's folder).

    Args:
        path: The file.
        seeds: Another number of seeds.
        only: The names of the rows to run; all, if empty.
        options: More overrides for all runs.

    Raises:
        ConfigError: If the file, a row or a config cannot be read, or the runs' budgets differ.
    """
    content = cli.read_config(path, model=False).get('study')
    here = Path(path).resolve().parent
    if not isinstance(content, dict):
        raise ConfigError(f'{path} assigns no `study = dict(...)`.')
    _check_fields(path, content)
    for name in only:
        if name not in content['runs']:
            raise ConfigError(f'--only: {path} has no run {name}; {nearest(name, sorted(content["runs"]))}.')
    shared = {**content.get('options', {}), **(options or {})}
    entries = []
    for name, value in content['runs'].items():
        row: dict[str, Any] = dict(config=value) if isinstance(value, str) else value
        own = {**shared, **row.get('options', {})}
        file = _beside(here, row['config'])
        entries.append(Entry(name, file, own, cli.read_config(file, with_seed(own, 0))))
    check_budgets(entries, content.get('may_differ', []))
    return Study(
        entries=entries,
        seeds=range(seeds or content.get('seeds', 3)),
        folder=here,
        work_dirs=Path(content.get('work_dirs', f'work_dirs/studies/{here.name}')),
        teachers={
            name: (cli.read_config(_beside(here, teacher['config'])), str(teacher['checkpoint']))
            for name, teacher in content.get('teachers', {}).items()
        },
        pairs=[(str(a), str(b)) for a, b in content.get('pairs', [])],
        metrics=content.get('metrics', []),
        only=only,
    )


def _beside(folder: Path, config: str) -> str:
    """A config that a study file names: a package path, or a path relative to the file's folder."""
    return config if '::' in config else str(folder / config)


def _check_fields(path: str, study: dict) -> None:
    """Raise ConfigError for the first field of a study that is unknown or has a wrong value."""
    for key in study.keys() - FIELDS:
        raise ConfigError(f'{path}: study.{key} is unknown; {nearest(key, sorted(FIELDS))}.')
    for key, (fits, wanted) in _WANTED.items():
        if (key in study or key == 'runs') and not fits(study.get(key)):
            raise ConfigError(f'{path}: study.{key} must be {wanted}, got {study.get(key)!r}.')
    for name, row in study['runs'].items():
        if not isinstance(row, str) and not _is_row(row):
            raise ConfigError(f"{path}: study.runs['{name}'] must be a config's path or dict(config=..., options=...).")
    for name, teacher in study.get('teachers', {}).items():
        if not isinstance(teacher, dict) or {*teacher} != {'config', 'checkpoint'}:
            raise ConfigError(f"{path}: study.teachers['{name}'] must be dict(config=..., checkpoint=...).")
    for pair in study.get('pairs', []):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not {*pair} <= {*study['runs']}:
            raise ConfigError(f'{path}: study.pairs must be pairs of names of study.runs, got {pair!r}.')


def _is_row(row: Any) -> bool:
    """Whether a row of a study is `dict(config=..., options=...)`."""
    known = isinstance(row, dict) and not row.keys() - {'config', 'options'}
    return known and isinstance(row.get('config'), str) and isinstance(row.get('options', {}), dict)


def check_budgets(entries: list[Entry], may_differ: Sequence[str] = ()) -> None:
    """Raise ConfigError if two rows differ in data, schedule or optimiser."""
    first, *others = [(entry.name, _budget(entry.cfg, may_differ)) for entry in entries]
    for name, budget in others:
        found = identity.differences(first[1], budget, length=True)
        if found:
            raise ConfigError(
                f'{first[0]} ("there") and {name} ("here") have different budgets: {identity.difference_list(found)}; '
                'make them equal with study.options, or list the keys in study.may_differ.'
            )


def _budget(cfg: Config, may_differ: Sequence[str]) -> identity.Settings:
    return {
        key: value
        for key, value in identity.settings(cfg).items()
        if BUDGET.fullmatch(key) and not key.startswith(tuple(may_differ))
    }


def study_of_configs(
    paths: Sequence[str], seeds: int, out: Path, options: dict | None, teacher_ckpt: str | None
) -> Study:
    """A study of unchanged configs, whose results are kept with its work dirs.

    Args:
        paths: The configs; each is a row.
        seeds: Number of seeds, from 0.
        out: The folder for everything.
        options: Overrides for all runs.
        teacher_ckpt: Another checkpoint of the configs' teacher.

    Raises:
        ConfigError: If a config cannot be read, or two configs would be the same row.
    """
    entries = []
    for name, path in zip(names_of(paths), paths, strict=True):
        own = dict(options or {})
        cfg = cli.read_config(path, with_seed(own, 0))
        if teacher_ckpt and 'teacher' in cfg.model:
            own['model.teacher_ckpt'] = cfg.model.teacher_ckpt = teacher_ckpt
        entries.append(Entry(name, path, own, cfg))
    return Study(entries, range(seeds), out, out, teachers_of(entries))


def names_of(paths: Sequence[str]) -> list[str]:
    """A name for each config: that of the file, with the method's folder in front if two files have the same name.

    Raises:
        ConfigError: If two names are still the same.
    """
    stems = [Path(path).stem for path in paths]
    names = [
        f'{Path(path).resolve().parent.name}_{stem}' if stems.count(stem) > 1 else stem
        for path, stem in zip(paths, stems, strict=True)
    ]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'two configs would be the row {name}; run them with different --out.')
    return names


def teachers_of(entries: list[Entry]) -> dict[str, tuple[Config, str]]:
    """The rows' teachers that have a config file and an existing checkpoint, by name of the row.

    Raises:
        ConfigError: If two teachers would be the same row.
    """
    found: dict[str, tuple[Config, str]] = {}
    sources: dict[str, tuple[str, str]] = {}
    for entry in entries:
        source, checkpoint = entry.cfg.model.get('teacher'), entry.cfg.model.get('teacher_ckpt')
        if isinstance(source, str) and checkpoint and Path(source).is_file() and Path(checkpoint).is_file():
            name, what = Path(source).stem, (source, str(checkpoint))
            if sources.setdefault(name, what) != what:
                raise ConfigError(
                    f'two teachers would be the row {name}, {sources[name]} and {what}; run their configs with '
                    'different --out.'
                )
            found[name] = (Config.fromfile(source), str(checkpoint))
    return found
