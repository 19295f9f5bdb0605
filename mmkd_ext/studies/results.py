"""The results of a study: one JSON line per run, in a file that only grows."""

import fcntl
import importlib.metadata as packages
import json
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmkd_ext import identity
from mmkd_ext.errors import ConfigError

FILE = 'results.jsonl'
VERSIONS = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'mmsegmentation')


def settings_of(cfg: Config) -> identity.Settings:
    """The settings that a run's result depends on besides its seed: of the run, of its test, and their files."""
    tested = dict(test_data=(cfg.get('test_dataloader') or {}).get('dataset'), test_evaluator=cfg.get('test_evaluator'))
    found = {**identity.settings(tested, list(tested)), **identity.settings(cfg)}
    found.pop('randomness.seed', None)
    for key, value in found.items():
        path = Path(value).expanduser() if isinstance(value, str) else None
        if key.rpartition('.')[2] in ('teacher_ckpt', 'class_means', 'load_from') and path and path.is_file():
            found[key] = identity.digest_of(path)
        elif key.endswith('.ann_file') and path:
            found[key] = path.name
        elif re.fullmatch(r'model\.(teachers\.\w+\.)?teacher', key) and path and path.is_file():
            found[key] = _hash(identity.settings(Config.fromfile(path)))
    return found


def hash_of(cfg: Config) -> str:
    """A config's hash, which does not depend on where its files are; another teacher or other class means change it."""
    return _hash(settings_of(cfg))


def data_of(cfg: Config) -> str | None:
    """A digest of the annotation files of training and test; None if there are none (folders are not looked into)."""
    found = identity.annotations(cfg, ['train_dataloader', 'test_dataloader'])
    return _hash(found) if found else None


def _hash(found: identity.Settings) -> str:
    return identity.digest(json.dumps(found, sort_keys=True, default=str).encode())


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a study's folder.

    Raises:
        ConfigError: If a line is not JSON.
    """
    file = folder / FILE
    lines = file.read_text().splitlines() if file.is_file() else []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError:
            raise ConfigError(f'{file}: line {number} is not JSON; remove it to make its run again.') from None
    return found


def append(folder: Path, line: dict[str, Any]) -> None:
    """Add a line; other processes may do so at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(line) + '\n')


def find(
    lines: list[dict[str, Any]], run: str, seed: int | None, settings: str, where: Path, data: str | None = None
) -> dict[str, Any] | None:
    """The line of a run, if there is one.

    Args:
        lines: All lines.
        run: Name of the row.
        seed: The seed; None for a teacher.
        settings: The hash of its settings.
        where: The folder, for messages.
        data: The digest of its annotations, if it has any.

    Raises:
        ConfigError: If it has other settings or annotations.
    """
    for line in lines:
        if (line['run'], line['seed']) == (run, seed):
            there = line['settings']
            if there != settings:
                raise ConfigError(
                    f'{where / FILE} has {run}, seed {seed}, with other settings (hash {there}, now {settings}); give '
                    'the run another name, or remove its lines to make it again.'
                )
            if data and line.get('data', data) != data:
                raise ConfigError(
                    f'{where / FILE} has {run}, seed {seed}, with other annotations (digest {line["data"]}, now '
                    f'{data}); give the run another name, or remove its lines to make it again.'
                )
            return line
    return None


def provenance() -> dict[str, Any]:
    """Versions, device and revision of the code, which a number depends on besides its settings."""
    versions = {'python': platform.python_version()}
    for name in ('mmkd_ext', *VERSIONS):
        try:
            versions[name] = packages.version(name)
        except packages.PackageNotFoundError:
            continue
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU'
    return dict(versions=versions, device=device, revision=_revision())


def _revision(here: Path = Path(__file__).parent) -> str | None:
    """The git revision of the package's checkout, marked if Python files differ from it; None outside of git.

    Other files do not count: a study itself adds to its results.
    """
    try:
        name, changes = (
            subprocess.run(['git', '-C', str(here), *words], capture_output=True, text=True)
            for words in (['rev-parse', '--short=12', 'HEAD'], ['diff', '--quiet', 'HEAD', '--', ':(top)*.py'])
        )
    except OSError:
        return None
    if name.returncode:
        return None
    return name.stdout.strip() + ('-dirty' if changes.returncode else '')
