"""Resume a run: from which checkpoint, and whether it belongs to the same run."""

import re
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from mmkd_ext import identity
from mmkd_ext.checkpoints import load_checkpoint_file
from mmkd_ext.cli.launch import say
from mmkd_ext.errors import ConfigError


def check_resume(cfg: Config) -> None:
    """Check the checkpoint to resume from, and use its seed if the config has none.

    Raises:
        ConfigError: If there is none, its run is complete, or it belongs to a run with other settings.
    """
    checkpoint, content = _readable(cfg)
    meta = (content.get('meta') or {}) if isinstance(content, dict) else {}
    if 'iter' not in meta or 'optimizer' not in content:
        raise ConfigError(
            f'--resume: {checkpoint} holds weights only; a training checkpoint is needed '
            '(to start from weights: --cfg-options load_from=FILE).'
        )
    loop = cfg.get('train_cfg') or {}
    for unit, limit in (('epoch', loop.get('max_epochs')), ('iter', loop.get('max_iters'))):
        if limit is not None and meta.get(unit, 0) >= limit:
            raise ConfigError(
                f'--resume: nothing is left to do, {checkpoint} is of {unit} {meta[unit]} of {limit}; to train longer, '
                f'raise train_cfg.max_{unit}s.'
            )
    there = identity.of_checkpoint(content)
    found = identity.differences(there, identity.settings(cfg)) if there else []
    if found:
        name = re.sub(r'_\d{8}_\d{6}$', '', str(meta.get('experiment_name', 'unnamed')))
        raise ConfigError(
            f'--resume: {checkpoint} belongs to another run, {name}: {identity.difference_list(found)}; resume with '
            'the settings of that run, or start this one in another --work-dir.'
        )
    if (cfg.get('randomness') or {}).get('seed') is None and meta.get('seed') is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=meta['seed'])


def _age(checkpoint: Path) -> tuple[float, list[int]]:
    """A sorting key: when it was written and, for equal times, the numbers in its name."""
    return checkpoint.stat().st_mtime, [int(number) for number in re.findall(r'\d+', checkpoint.stem)]


def _readable(cfg: Config) -> tuple[str, Any]:
    """The checkpoint to resume, and its content: the one named or, in the work dir, the newest complete one.

    mmengine notes the last checkpoint in a file, and deletes older ones before it writes the next: a run that is killed
    meanwhile leaves a note of a deleted file, or an incomplete file.
    """
    if cfg.load_from:
        names = [cfg.load_from]
    else:
        found = sorted(Path(cfg.work_dir).glob('*.pth'), key=_age, reverse=True)
        noted = find_latest_checkpoint(cfg.work_dir) if found else None
        names = list(dict.fromkeys([*([noted] if noted else []), *map(str, found)]))
    failure = f'{cfg.work_dir} holds no checkpoint to resume from; leave out --resume to start.'
    for name in names:
        try:
            content = load_checkpoint_file(name, map_location='cpu')
        except ConfigError as error:
            failure = str(error)
            continue
        if not cfg.load_from and name != noted:
            print(f'--resume: {noted} is missing or incomplete; resuming from {name}.', file=sys.stderr)
            cfg.load_from = name
        return name, content
    raise ConfigError(f'--resume: {failure}')


def say_what_lies_there(cfg: Config) -> None:
    """Warn if a new run finds checkpoints of another run in its work dir."""
    there = identity.read(cfg.work_dir) if any(Path(cfg.work_dir).glob('*.pth')) else None
    found = identity.differences(there, identity.settings(cfg), length=True) if there else []
    if found:
        say(
            f'{cfg.work_dir} holds checkpoints of another run ({identity.difference_list(found, 1)}), and those with '
            'the same names will be overwritten; use another --work-dir to keep them.'
        )
