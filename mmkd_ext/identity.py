"""The identity of a run: the settings that its weights depend on, kept in its work dir from the start."""

import ast
import json
import math
import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_ext.build import model_config
from mmkd_ext.checkpoints import load_checkpoint_file, state_dict_of
from mmkd_ext.config_walk import our_type
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import write_whole

FILE = 'run.json'
# The fields that determine the weights; all others are variables, or say what is logged, saved and evaluated.
_FIELDS = (
    'model', 'data_preprocessor', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr',
    'custom_hooks', 'randomness', 'sync_bn', 'efficient_conv_bn_eval',
)  # fmt: skip
_HOW = re.compile(
    r'train_cfg\.(val_\w+|dynamic_\w+)'  # when it is evaluated
    r'|train_dataloader\.(num_workers|persistent_workers|pin_memory|prefetch_factor|timeout)'  # how fast it is fed
    r'|.*\.(data_root|backend_args\b.*)'  # where the data lies
)
_LENGTH = re.compile(r'train_cfg\.max_(epochs|iters)')  # of a resumed run
_START = 'load_from'
CONTENT = 'model_files'  # the config variable with the hashes of the files that its model names
PROCESSES = 'processes'  # the config variable with their number; in a step, each has its own batch
_COUNT = 'the number of processes'
LARGEST = 200 * 2**20  # bytes; larger annotation files are not read, and only their size is noted
_OTHER = '...'  # stands for any value that is not a literal

Settings = dict[str, Any]


def settings(cfg: Any, fields: Sequence[str] = _FIELDS) -> Settings:
    """The settings that a run's weights depend on, as dotted key to value.

    Args:
        cfg: A config, or a dict of its fields.
        fields: The fields to include.

    Examples:
        >>> settings(dict(train_cfg=dict(by_epoch=True, val_interval=2), param_scheduler=[dict(type='StepLR')], x=1))
        {'train_cfg.by_epoch': True, 'param_scheduler[0].type': 'StepLR'}
    """
    found: Settings = {}
    for field in fields:
        value = cfg.get(field)
        if field == 'custom_hooks':
            value = [hook for hook in value or [] if our_type(hook) != 'ExactResumeHook'] or None
        if field == 'auto_scale_lr' and not (value or {}).get('enable'):
            continue
        if value is not None:
            _flatten(value, field, found)
    if cfg.get('load_from') and not cfg.get('resume'):  # in a resumed run, this is its checkpoint
        found[_START] = str(cfg['load_from'])
    found |= {f'the content of {path}': digest for path, digest in (cfg.get(CONTENT) or {}).items()}
    if cfg.get(PROCESSES):
        found[_COUNT] = cfg[PROCESSES]
    return {key: value for key, value in found.items() if not _HOW.fullmatch(key)}


def note_files(cfg: Config) -> None:
    """Note in a config the content of the files of student, teachers and class means, which may be replaced."""
    named = {part: cfg.model.get(part) for part in ('architecture', 'teacher')}
    weights = {'model.teacher_ckpt': cfg.model.get('teacher_ckpt')}
    several = cfg.model.get('teachers')
    for name, entry in (several if isinstance(several, dict) else {}).items():
        if isinstance(entry, dict):
            named[f'teachers.{name}.teacher'] = entry.get('teacher')
            weights[f'model.teachers.{name}.teacher_ckpt'] = entry.get('teacher_ckpt')
    for part, source in named.items():
        path = source.get('cfg_path') if isinstance(source, dict) else source
        if isinstance(path, str):
            found: Settings = {}
            _flatten(model_config(path, f'model.{part}'), part, found)
            _note(cfg, path, digest(json.dumps(found, sort_keys=True).encode()))
    for key, source in weights.items():
        file = Path(source).expanduser() if isinstance(source, str) else None
        if file and file.is_file():
            _note(cfg, key, digest_of(file))
    for name, loss in ((cfg.model.get('distiller') or {}).get('distill_losses') or {}).items():
        means = loss.get('class_means') if isinstance(loss, dict) else None
        if isinstance(means, str) and Path(means).is_file():
            _note(cfg, f'the class means of {name}', digest(Path(means).read_bytes()))


def note_data(cfg: Config) -> None:
    """Note in a config the content of the training annotation files: `data_root` may differ, the data may not."""
    for key, found in annotations(cfg, ['train_dataloader']).items():
        _note(cfg, key, found)


def annotations(cfg: Any, loaders: Sequence[str]) -> dict[str, str]:
    """The digests of a config's annotation files by their keys; of very large files, only the sizes.

    Args:
        cfg: A config, or a dict of its fields.
        loaders: The fields of the data loaders.
    """
    named: Settings = {}
    for loader in loaders:
        _flatten(cfg.get(loader) or {}, loader, named)
    found = {}
    for key, name in named.items():
        if key.endswith('.ann_file') and name and isinstance(name, str):
            file = Path(named.get(key.removesuffix('ann_file') + 'data_root') or '') / name
            if file.is_file():
                size = file.stat().st_size
                found[key] = digest(file.read_bytes()) if size <= LARGEST else f'{size} bytes'
    return found


def _note(cfg: Config, what: str, found: str) -> None:
    cfg[CONTENT] = {**(cfg.get(CONTENT) or {}), what: found}


def digest(content: bytes) -> str:
    """The first 12 digits of the SHA-256 sum."""
    return sha256(content).hexdigest()[:12]


def digest_of(path: Path) -> str:
    """The digest of a file's weights, whenever and wherever they were saved; without weights, of its content."""
    return _digest_of(path, path.stat().st_mtime_ns, path.stat().st_size)


@cache  # all runs of a study ask for the same teacher
def _digest_of(path: Path, *_: int) -> str:
    try:
        content = load_checkpoint_file(str(path), map_location='cpu')
        found = sha256()
        for name, value in sorted(state_dict_of(content, str(path)).items()):
            found.update(name.encode() + value.contiguous().numpy().tobytes())
        return found.hexdigest()[:12]
    except (ConfigError, AttributeError, TypeError):  # class means, for example, or a dtype that numpy lacks
        return digest(path.read_bytes())


def _flatten(value: Any, key: str, into: Settings) -> None:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            _flatten(part, f'{key}.{name}', into)
    elif isinstance(value, (list, tuple)) and any(isinstance(part, (dict, list, tuple)) for part in value):
        for i, part in enumerate(value):
            _flatten(part, f'{key}[{i}]', into)
    else:
        into[key] = _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    if isinstance(value, (list, tuple)):
        return [_leaf(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return _OTHER
    return value if isinstance(value, (str, int, float, dict, type(None))) else _OTHER


def of_checkpoint(content: Any) -> Settings | None:
    """The settings of the run that wrote a training checkpoint; None if the checkpoint does not say.

    mmengine stores the config's text in it, which is parsed here, but not executed.
    """
    meta = (content.get('meta') or {}) if isinstance(content, dict) else {}
    try:
        tree = ast.parse(meta.get('cfg') or '')
    except SyntaxError:
        return None
    fields = {
        node.targets[0].id: _literal(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    if 'model' not in fields:
        return None
    found = settings(fields)
    if meta.get('seed') is not None:
        found['randomness.seed'] = meta['seed']
    return found


def _literal(node: ast.AST) -> Any:
    """The value of a literal, which may be written as `dict(a=...)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        inner = [_literal(part) for part in node.args]  # for keys that are not identifiers
        words = {str(word.arg): _literal(word.value) for word in node.keywords}
        return {key: part for parts in (*inner, words) if isinstance(parts, dict) for key, part in parts.items()}
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(part) for key, part in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(part) for part in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _OTHER


def differences(there: Settings, here: Settings, length: bool = False) -> list[str]:
    """What differs, in a few words for each key.

    Args:
        there: Settings of an existing run.
        here: The settings that are asked for; if they have no seed, any seed matches.
        length: Whether another number of epochs or iterations, or another starting checkpoint, is a difference; it is
            not for a run that is resumed.
    """
    found = []
    for key in dict.fromkeys([*there, *here]):
        if key == 'randomness.seed' and (here.get(key) is None or there.get(key) is None):
            continue
        if key == _START and not length:
            continue
        noted = key == _COUNT or key.startswith('the content of ')
        if noted and not (key in there and key in here):  # not noted for one of them
            continue
        was, now = there.get(key, _OTHER), here.get(key, _OTHER)
        if key.endswith('.class_means') and isinstance(was, str) and isinstance(now, str):
            was, now = Path(was).name, Path(now).name  # the folder does not matter: the content is noted
        if was != now and (length or not _LENGTH.fullmatch(key)):
            words = [repr(values[key]) if key in values else 'not set' for values in (there, here)]
            found.append(f'{key} is {words[0]} there and {words[1]} here')
    return found


def difference_list(found: list[str], count: int = 3) -> str:
    """The first differences, and how many more there are."""
    more = f'; {len(found) - count} settings more differ' if len(found) > count else ''
    return '; '.join(found[:count]) + more


def write(cfg: Config, config: str, options: dict | None) -> None:
    """Note in the work dir which run it belongs to."""
    work_dir = Path(cfg.work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    own = settings(cfg)
    if cfg.get('resume') and (start := (read(work_dir) or {}).get(_START)):
        own[_START] = start
    note = dict(config=config, options={k: str(v) for k, v in (options or {}).items()}, settings=own)
    write_whole(work_dir / FILE, json.dumps(note, indent=1))


def read(work_dir: str | Path) -> Settings | None:
    """The settings of the run in a work dir, from its note or its last checkpoint; None if there is no run."""
    note, last = Path(work_dir) / FILE, Path(work_dir) / 'last_checkpoint'
    if note.is_file():
        try:
            return json.loads(note.read_text())['settings']
        except (ValueError, KeyError):
            raise ConfigError(f'{note} is damaged; remove it, or name another --work-dir.') from None
    if last.is_file() and Path(last.read_text().strip()).is_file():
        return of_checkpoint(load_checkpoint_file(last.read_text().strip(), map_location='cpu'))
    return None
