#!/usr/bin/env python
"""Write the table of each configs/METHOD/README.md from its metafile.yml and its configs: tools/config_tables.py.

The table is between `<!-- table -->` and `<!-- /table -->`. Names and numbers come from the metafile: published numbers
from `Published` in an entry's metadata, numbers of the config itself from its `Results`. Students, teachers and
schedules come from the configs. A test fails if a README differs from the output of this script.
"""

import argparse
import ast
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
METHODS = ('nd', 'norm', 'cwt', 'tfd', 'baselines', 'foundation')
BEGIN, END = '<!-- table -->\n', '<!-- /table -->\n'
HEAD = '| student | teacher | method | data | schedule | published | ours | file |\n|---|---|---|---|---|---|---|---|\n'
NONE = '—'


def read_models(method: str) -> list[dict]:
    """The models of a method's metafile."""
    return yaml.safe_load((ROOT / 'configs' / method / 'metafile.yml').read_text())['Models']


def bases(path: Path) -> list[Path | str]:
    """The entries of a config's `_base_`: files, and `package::file` for those of a toolbox."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':  # type: ignore[attr-defined]
            names = ast.literal_eval(node.value)
            names = [names] if isinstance(names, str) else names
            return [name if '::' in name else (path.parent / name).resolve() for name in names]
    return []


@cache
def schedule(student: Path) -> str:
    """Length, images per step and learning rate: `240 epochs of 128, lr 0.1`."""
    cfg = Config.fromfile(student, import_custom_modules=False)
    train = cfg.train_cfg
    length = f'{train.max_epochs} epochs' if 'max_epochs' in train else f'{train.max_iters // 1000}k iterations'
    return f'{length} of {cfg.auto_scale_lr.base_batch_size}, lr {cfg.optim_wrapper.optimizer.lr:g}'


def published(model: dict) -> str:
    """The method's number and those next to it: `72.53 (alone 69.06, KD 70.66, teacher 72.34)`."""
    known = dict(model['Metadata'].get('Published', {}))
    gains = known.pop('Gain', {})
    known.pop('Source', None)
    found = list(known.pop('Metrics', {}).values())
    digits = 2 if any(round(value, 1) != value for value in [*found, *known.values()]) else 1
    names = dict(Student='alone', Teacher='teacher')
    beside = ', '.join(f'{names.get(name, name)} {value:.{digits}f}' for name, value in known.items())
    numbers = [f'{value:.{digits}f}' for value in found]
    numbers += [f'+{value:g} {metric.replace("Top 1 Accuracy", "top-1")}' for metric, value in gains.items()]
    return f'{", ".join(numbers) or NONE}{f" ({beside})" if beside else ""}'


def measured(model: dict) -> str:
    """The numbers measured here with this config: `Results`, which has no numbers of other authors."""
    return ', '.join(f'{value}' for result in model.get('Results', []) for value in result['Metrics'].values()) or NONE


def row(model: dict) -> str:
    """A line of the table."""
    path, about = ROOT / model['Config'], model['Metadata']
    used = [base for base in bases(path) if isinstance(base, Path)]
    folder = path.parent

    def link(name: str, part: str) -> str:
        (file,) = (base for base in used if part in base.relative_to(ROOT / 'configs').as_posix())
        return f'[{name}]({relative(file, folder)})'

    cells = [
        link(about['Student']['Name'], 'students/'),
        link(about['Teacher']['Name'], '_base_/teachers/') if 'Teacher' in about else NONE,
        about['Method'],
        about['Training Data'],
        schedule(ROOT / about['Student']['Config']),
        published(model),
        measured(model),
        f'[{path.stem}]({path.name})',
    ]
    return f'| {" | ".join(cells)} |\n'


def relative(file: Path, folder: Path) -> str:
    """The path of a file in configs/, relative to a folder in it."""
    return f'../{file.relative_to(folder.parent).as_posix()}'


def with_table(method: str, text: str) -> str:
    """A README with a new table.

    Raises:
        ValueError: If it does not have each marker exactly once.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise ValueError(f'configs/{method}/README.md must have one line {BEGIN.strip()} and, below, one {END.strip()}')
    return before + BEGIN + HEAD + ''.join(map(row, read_models(method))) + END + after


def main() -> None:
    """Write all tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for method in METHODS:
        readme: Any = ROOT / 'configs' / method / 'README.md'
        readme.write_text(with_table(method, readme.read_text()))


if __name__ == '__main__':
    main()
