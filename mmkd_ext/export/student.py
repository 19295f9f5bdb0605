"""Export: a plain checkpoint and a plain config of the host toolbox, loaded and compared before they are kept."""

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope
from torch import Tensor, nn

from mmkd_ext.build import build_model, model_config
from mmkd_ext.checkpoints import load_checkpoint_file, weights_of
from mmkd_ext.compat import plain
from mmkd_ext.config_walk import distillers_in, our_type
from mmkd_ext.errors import ConfigError, sentence
from mmkd_ext.export import reload as reload_files
from mmkd_ext.export.config import RUN, student_config
from mmkd_ext.export.fold import fold_student
from mmkd_ext.export.source import take_backbones, write_package
from mmkd_ext.files import check_writable
from mmkd_ext.models.norm_neck import FeatureTransform

BATCHES = 2
TOLERANCE = 1e-5  # of the largest output, if something was folded; otherwise outputs are bit-identical
_FRAGMENT = {'student_recorders', 'teacher_recorders', 'distill_losses', 'loss_forward_mappings'}


class Exported(NamedTuple):
    """The written files.

    Attributes:
        checkpoint: The weights.
        config: The config.
        notes: Short notes for the user.
    """

    checkpoint: Path
    config: Path
    notes: list[str]


def export_student(
    cfg: Config, checkpoint: str, out_dir: str | Path, name: str, check: bool = True, reload: bool = True
) -> Exported:
    """Write `OUT_DIR/NAME.pth` and `OUT_DIR/NAME.py`, which need nothing of this package.

    A backbone of this package that no toolbox has is written next to them, in the folder `OUT_DIR/NAME_backbone`.

    Args:
        cfg: The config that the checkpoint was trained with; it is not changed.
        checkpoint: Path or URL.
        out_dir: The folder, created if it does not exist.
        name: Name of the two files.
        check: Compare the outputs of the trained student and of the files on batches of the config's data.
        reload: Load the files in a fresh process before they are put in place, which takes seconds; `check` does this,
            too.

    Returns:
        The two files, and notes on what was done.

    Raises:
        ConfigError: If the checkpoint does not belong to the config, a transform cannot be folded, the files do not
            load in the student's toolbox, the outputs differ, or the folder cannot be written. Nothing is written then.
    """
    out_dir = Path(out_dir).expanduser()
    check_writable('OUT_DIR', out_dir, folder=True)
    stock_cfg = stock_config(cfg)
    backbones = take_backbones(stock_cfg.model)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        trained = plain_student(student_config(cfg))
        content = load_checkpoint_file(checkpoint, map_location='cpu')
        _load(trained, weights_of(content, checkpoint), f'{checkpoint} does not belong to this config')
        folded = fold_student(trained)
        batches = _batches(cfg) if check else []
    notes = list(folded.notes)
    if 'ema_state_dict' in content:
        # mmengine's EMAHook swaps the two when it saves.
        notes.append('averaged (EMA) weights, which the checkpoint has instead of the last ones')
    if backbones:
        module = re.sub(r'\W', '_', name) + '_backbone'
        imports = [kept for kept in stock_cfg.custom_imports.imports if not kept.startswith('mmkd_ext')]
        stock_cfg.custom_imports = dict(imports=[*imports, module])
        notes.append(f'no toolbox has the backbone: the config imports {module}, so run with PYTHONPATH={out_dir}')
    meta = content.get('meta') or {}
    meta = plain({key: meta[key] for key in ('dataset_meta', 'epoch', 'iter') if key in meta})
    with TemporaryDirectory() as folder:
        made = Exported(Path(folder) / f'{name}.pth', Path(folder) / f'{name}.py', notes)
        torch.save(dict(meta=meta, state_dict=folded.weights), made.checkpoint)
        stock_cfg.dump(made.config)
        if backbones:
            write_package(Path(folder) / module, backbones, f'{name}.py')
        if reload or check:
            notes.append(_check_files(made, trained, batches, cfg))
        out_dir.mkdir(parents=True, exist_ok=True)
        for made_file in Path(folder).iterdir():
            _replace(made_file, out_dir / made_file.name)
    return Exported(out_dir / f'{name}.pth', out_dir / f'{name}.py', notes)


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    shutil.move(source, target)


def why_not_foldable(cfg: Config) -> str | None:
    """Why a student's transforms could not be folded after training; None if they could, or there are none."""
    plain = student_config(cfg)
    if stock_config(cfg).model == plain.model:
        return None
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        student = plain_student(plain)
    for block in student.modules():
        if isinstance(block, FeatureTransform):
            for norm in block.modules():
                if isinstance(norm, nn.modules.batchnorm._BatchNorm):
                    norm.bias.data.fill_(1.0)  # as after training
    try:
        fold_student(student)
    except ConfigError as error:
        return sentence(error)
    return None


def stock_config(cfg: Config) -> Config:
    """The plain config of the student, with the toolbox's own parts instead of those that fold away."""
    found = student_config(cfg)
    found.model = _stock(found.model)
    for key, value in list(found.items()):
        if key not in RUN and (any(distillers_in(value)) or isinstance(value, dict) and _FRAGMENT & set(value)):
            found.pop(key)  # from which `model` was made
    return student_config(found)  # without imports that are no longer needed


def _stock(entry: Any) -> Any:
    """A part's config with stock parts; None if nothing is left of it."""
    if isinstance(entry, (list, tuple)):
        return type(entry)(_stock(part) for part in entry)
    if not isinstance(entry, dict):
        return entry
    kind = our_type(entry)
    if kind == 'NORMNeck':
        return ConfigDict(type='GlobalAveragePooling') if entry.get('pool', True) else None
    if kind == 'NORMFeatures':
        return _stock(entry['neck'])
    if kind == 'LogitNormLoss':
        return _stock(entry['loss'])
    made = ConfigDict({key: _stock(value) for key, value in entry.items()})
    if 'neck' in made:
        necks = made.pop('neck')
        parts = [part for part in (necks if isinstance(necks, list) else [necks]) if part is not None]
        if parts:
            made.neck = parts if len(parts) > 1 else parts[0]
    return made


def plain_student(cfg: Config) -> Any:
    """The model of a plain config, in eval mode."""
    model = model_config(cfg.model, 'model')
    if cfg.get('data_preprocessor'):
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return build_model(ConfigDict({'_scope_': cfg.get('default_scope'), **model}), 'model').eval()


def _load(model: Any, weights: dict[str, Tensor], complaint: str) -> None:
    """Load all weights and nothing else.

    Raises:
        ConfigError: If they do not belong to the model; the message begins with `complaint`.
    """
    own = model.state_dict()
    wrong = {
        'are missing': own.keys() - weights.keys(),
        'do not belong to it': weights.keys() - own.keys(),
        'have another shape': {k for k in own.keys() & weights.keys() if own[k].shape != weights[k].shape},
    }
    found = [f'{len(keys)} weights {what} ({", ".join(sorted(keys)[:3])})' for what, keys in wrong.items() if keys]
    if found:
        raise ConfigError(f'{complaint}: {"; ".join(found)}.')
    model.load_state_dict(weights)


def _batches(cfg: Config) -> list[Any]:
    """Batches of the config's data.

    Raises:
        ConfigError: If there is no data.
    """
    field = data_field(cfg)
    if field is None:
        raise ConfigError('the config has no data loader to compare outputs on (--no-check exports without).')
    loader = copy.deepcopy(cfg[field])
    try:
        dataset = DATASETS.build(loader.dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    except OSError as error:  # also raised by a data set that downloads itself
        raise ConfigError(f'{field}: its data cannot be loaded ({error}); --no-check exports without.') from error
    size = min(loader.get('batch_size', 1), 16)
    parts = [range(i * size, min((i + 1) * size, len(dataset))) for i in range(BATCHES)]
    batches = [pseudo_collate([dataset[i] for i in part]) for part in parts if part]
    if not batches:
        raise ConfigError(f'{field}.dataset has no image to compare outputs on (--no-check exports without).')
    return batches


def _check_files(made: Exported, trained: Any, batches: list[Any], cfg: Config) -> str:
    """Load the files in a fresh process, compare their outputs on batches, and return a short note on the result.

    Raises:
        ConfigError: If they cannot be loaded, or the outputs differ.
    """
    folded = any(isinstance(module, FeatureTransform) for module in trained.modules())
    dense = folded and cfg.get('default_scope') == 'mmdet'
    found = _run_files(made, dict(batches=batches, dense=dense, threads=torch.get_num_threads()))
    if not batches:
        return 'the files load; outputs not compared'
    ours = [reload_files.outputs(trained, data, dense) for data in batches]
    pairs = [pair for a, b in zip(ours, found, strict=True) for pair in zip(a, b, strict=True)]
    worst = max((_difference(a, b) for a, b in pairs), default=float('nan'))
    if not worst <= (TOLERANCE if folded else 0):
        raise ConfigError(
            f'the outputs of the exported student differ by {worst:.1e} of the largest; nothing is written.'
        )
    images = sum(len(data['inputs']) for data in batches)
    return f'equal outputs on {images} images of {data_field(cfg)}' + (f' (to {worst:.0e})' if folded else '')


def _run_files(made: Exported, work: dict[str, Any]) -> list[list[Tensor]]:
    """The outputs of `export/reload.py` for the files, in a process where this package cannot be imported.

    If that fails because the student's own imports need this package, a second attempt allows the import.
    """
    folder = made.config.parent
    path = os.pathsep.join([str(folder), *sys.path])
    with TemporaryDirectory() as exchange:
        for alone in (True, False):
            file = Path(exchange) / 'work.pt'
            torch.save(work, file)
            program = Path(reload_files.__file__).read_text(encoding='utf-8')
            if alone:
                program = f'import sys; sys.modules["mmkd_ext"] = None\n{program}'
            words = [sys.executable, '-c', program, str(made.config), str(made.checkpoint), str(file)]
            environment = {
                **os.environ,
                'PYTHONPATH': path,
                'PYTHONDONTWRITEBYTECODE': '1',
            }  # no bytecode in the folder
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
            if done.returncode == 0:
                if not alone:
                    made.notes.append('the config still imports modules that need this package')
                return torch.load(file, weights_only=True)
            if 'import of mmkd_ext' not in done.stderr:
                break
    said = re.findall(r'^\w[\w.]*: .+', done.stderr, re.MULTILINE | re.DOTALL) or [done.stderr]
    reason = ' '.join(re.split(r'\n(?=\w)', said[0])[-1].split())
    raise ConfigError(f'the exported student does not load in its own toolbox ({reason[:300]}): nothing is written.')


def _difference(a: Tensor, b: Tensor) -> float:
    if a.shape != b.shape:
        return float('inf')
    return ((a - b).abs().max() / a.abs().max().clamp(min=1e-12)).item() if a.numel() else 0.0


def data_field(cfg: Config) -> str | None:
    """Name of the data loader whose images are used."""
    fields = ('val_dataloader', 'test_dataloader', 'train_dataloader')
    return next((field for field in fields if (cfg.get(field) or {}).get('dataset')), None)
