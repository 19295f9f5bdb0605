"""Store a teacher's outputs in each step of a run, so that the run itself needs no teacher.

The config's training loop runs as usual, with its hooks, data and seeds, but a step only runs the teacher and keeps the
records that the losses use. So each step has the same images as the training that follows.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from mmkd_ext import identity
from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.algorithms.stored_outputs import (
    FORMAT,
    KEY,
    NOTE,
    chunk_path,
    logits_of,
    pack,
    read_note,
    record_name,
    teacher_sources,
    write_chunk,
)
from mmkd_ext.class_means import fingerprint
from mmkd_ext.distributed import unwrapped
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import check_writable, write_whole

_STEPS, _BYTES = 200, 2**28  # per file, at most; held in memory until the file is written


def teacher_settings(cfg: Config, processes: int) -> identity.Settings:
    """The settings that the outputs of a run's teacher depend on."""
    found = identity.settings(cfg, ('model', 'data_preprocessor', 'train_dataloader', 'randomness'))
    kept = (
        'data_preprocessor', 'train_dataloader', 'randomness.seed', 'model.teacher', 'model.data_preprocessor',
        'model.architecture.data_preprocessor', 'model.distiller.teacher_recorders', 'the content of ',
    )  # fmt: skip
    free = ('model.teacher_outputs', 'model.teacher_fold', f'the content of {cfg.model.get("architecture")}')
    found = {key: value for key, value in found.items() if key.startswith(kept) and not key.startswith(free)}
    weights = found.get('model.teacher_ckpt')
    if isinstance(weights, str) and Path(weights).expanduser().is_file():
        found['model.teacher_ckpt'] = identity.digest_of(Path(weights).expanduser())
    return {**found, 'train_dataloader.num_workers': cfg.train_dataloader.get('num_workers', 0), 'processes': processes}


def check_teacher_outputs(cfg: Config, processes: int) -> None:
    """Refuse stored outputs that were not made for this run; a config without stored outputs passes.

    Args:
        cfg: Config of the training.
        processes: Number of processes.

    Raises:
        ConfigError: If settings differ, or the run is longer.
    """
    folder = cfg.model.get('teacher_outputs') if isinstance(cfg.get('model'), dict) else None
    if folder is None:
        return
    note = read_note(folder)
    found = identity.differences(note['settings'], teacher_settings(cfg, processes))
    if found:
        raise ConfigError(f'{KEY}: {folder} belongs to another run: {identity.difference_list(found)}.')
    length = _length(cfg)
    if length > note['length']:
        raise ConfigError(
            f'{KEY}: {folder} has the outputs of {note["length"]} {note["unit"]}, but train_cfg asks for {length}; '
            f'make the rest with: python -m mmkd_ext teacher_outputs CONFIG --out {folder}.'
        )


def _length(cfg: Config) -> int:
    return cfg.train_cfg.get('max_epochs') or cfg.train_cfg.get('max_iters')


def make_teacher_outputs(cfg: Config, out: str | Path, top: int | None = None, processes: int = 1) -> Path:
    """Store the outputs of a config's teacher, or continue doing so; every process of a distributed run calls this.

    Args:
        cfg: Config of the training, completed as for training. It is changed.
        out: The folder.
        top: How many of each row's logits to keep, with the probability mass of the rest, if the losses use only
            their softmax.
        processes: Number of processes, which may not be connected yet.

    Returns:
        The folder.

    Raises:
        ConfigError: If the config's teacher depends on the student, there is no seed, the disk is too small, or the
            folder holds the outputs of another run.
    """
    out = Path(out).expanduser()
    check_writable('--out', out, folder=True)
    if (cfg.get('randomness') or {}).get('seed') is None:
        raise ConfigError(
            'randomness.seed is missing, but the training must see the same images; give --cfg-options '
            'randomness.seed=0 to both commands.'
        )
    cfg.model.pop('teacher_outputs', None)
    about = teacher_settings(cfg, processes)
    if (out / NOTE).exists():
        found = identity.differences(read_note(out)['settings'], about)
        if found:
            raise ConfigError(f'--out {out} has the outputs of another run: {identity.difference_list(found)}.')
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.default_hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None)
    cfg.load_from, cfg.resume, cfg.work_dir = None, False, str(out / 'log')
    runner = Runner.from_cfg(cfg)
    model: Any = unwrapped(runner)
    if not isinstance(model, SingleTeacherDistill) or model.sampled_regions:
        raise ConfigError(
            f'model.type={type(model).__name__!r}: outputs can be stored only for the teacher of a '
            'SingleTeacherDistill, which does not depend on the student.'
        )
    store = _Store(model, out, about, _length(cfg), top)
    runner.register_hook(store, priority='LOWEST')
    runner.train()
    return out


class _Store(Hook):
    """Makes a step run only the teacher, and writes the records that the losses use."""

    def __init__(self, model: Any, out: Path, about: identity.Settings, length: int, top: int | None) -> None:
        self.model, self.out, self.about, self.length, self.top = model, out, about, length, top
        self.fingerprint = fingerprint(model.teacher.model)  # before its batch norms are folded
        self.note = read_note(out) if (out / NOTE).exists() else {}
        self.step = self.first = 0
        self.held: dict[str, Tensor] = {}
        self.logits = logits_of(model.distiller) if top else set()
        if top and not self.logits:
            raise ConfigError('--top-k: no loss compares only the softmax of a record, so all values are needed.')
        self.records = sorted({record_name(source) for source in teacher_sources(model.distiller)})
        for name, here in dict(records=self.records, top=top).items():
            if self.note and self.note[name] != here:
                raise ConfigError(f'--out {out} has other outputs: {name} is {self.note[name]} there and {here} here.')
        model.teach_only(self._keep)

    def before_train(self, runner: Runner) -> None:
        """Continue after the chunks that all processes have."""
        loop: Any = runner.train_loop
        self.by_epoch = isinstance(loop, EpochBasedTrainLoop)
        self.epoch_steps = len(loop.dataloader) if self.by_epoch else loop.max_iters
        if self.note:
            done = torch.tensor(self._done(loop.max_iters))
            dist.all_reduce(done, 'min')
            loop._iter = self.first = int(done)
            print_log(f'{self.out} has {loop._iter} of {loop.max_iters} steps.', 'current')
        if self.by_epoch:
            loop._epoch = self.first // self.epoch_steps

    def _done(self, steps: int) -> int:
        """How many steps need not be repeated; whole epochs, if the run counts epochs."""
        step = 0
        while step < steps and self._path(step).is_file():
            step = min(step + self.note['chunk_steps'], (step // self.epoch_steps + 1) * self.epoch_steps)
        return step - step % self.epoch_steps if self.by_epoch and step < steps else min(step, steps)

    def _path(self, step: int) -> Path:
        return chunk_path(self.out, step, self.epoch_steps, self.note['chunk_steps'])

    def _keep(self, printed: Tensor) -> None:
        """Keep the images' print and the teacher's records of a step."""
        prefix = f'{self.step}/'
        self.held[f'{prefix}images'] = printed.cpu()
        distiller = self.model.distiller
        for source in teacher_sources(distiller):
            value = distiller.teacher_recorders.get(source.recorder, source.record_idx, source.data_idx)
            name = record_name(source)
            if not isinstance(value, Tensor) or source.record_idx < 0:
                raise ConfigError(
                    f'model.distiller.loss_forward_mappings: {source} cannot be stored; name one tensor with '
                    'record_idx >= 0 and data_idx.'
                )
            parts = pack(value, self.top if name in self.logits else None)
            self.held |= {f'{prefix}{name}{ending}': part for ending, part in parts.items()}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Note the step's number."""
        self.step = runner.iter

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Log how much will be written, and write a complete chunk."""
        if self.step == self.first:
            self._say_size(runner)
        after = self.step + 1
        if after % self.epoch_steps == 0 or self._path(after) != self._path(self.step) or after == runner.max_iters:
            write_chunk(self._path(self.step), self.held)
            self.held = {}

    def _say_size(self, runner: Runner) -> None:
        """Log how much will be written, and note which run it belongs to.

        Raises:
            ConfigError: If the disk is too small.
        """
        a_step = max(sum(tensor.nbytes for tensor in self.held.values()), 1)
        size = a_step * (runner.max_iters - self.first) * dist.get_world_size()
        self.out.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.out).free
        print_log(f'{self.out}: another {_words(size)} will be written; {_words(free)} are free.', 'current')
        if size > free:
            raise ConfigError(f'--out {self.out}: {_words(size)} are needed and {_words(free)} are free.')
        chunk = torch.tensor(max(min(_STEPS, _BYTES // a_step), 1))
        dist.broadcast(chunk)
        self.note = dict(
            format=FORMAT,
            settings=self.about,
            length=self.length,
            unit='epochs' if self.by_epoch else 'iterations',
            epoch_steps=self.epoch_steps,
            chunk_steps=self.note.get('chunk_steps', int(chunk)),
            records=self.records,
            top=self.top,
            logits=sorted(self.logits),
            fingerprint=self.fingerprint,
            classes=self.model.teacher.classes,
        )
        if dist.get_rank() != 0:
            return
        write_whole(self.out / NOTE, json.dumps(self.note, indent=1))


def _words(size: int) -> str:
    """A number of bytes in words: `1.2 GB`."""
    for unit in ('kB', 'MB', 'GB'):
        size_in = size / 10 ** dict(kB=3, MB=6, GB=9)[unit]
        if size_in < 1000 or unit == 'GB':
            return f'{size_in:.1f} {unit}'
    raise AssertionError
