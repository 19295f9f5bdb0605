"""A teacher's outputs for each step's images, on disk: a run that reads them needs no teacher.

A folder has `outputs.json`, which says which run the outputs belong to, and for each process a folder of files with
several steps each; a run that counts iterations is one epoch. A step's tensors are named
`STEP/RECORDER/RECORD_IDX/DATA_IDX`, and `STEP/images` is a fingerprint of the images, to check that they are the same.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from mmengine.logging import MessageHub
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmkd_ext.distillers.classes import OF_SOFTMAX
from mmkd_ext.distillers.mapping import Source, sources_of
from mmkd_ext.errors import ConfigError
from mmkd_ext.files import replacing

KEY = 'model.teacher_outputs'
NOTE = 'outputs.json'
FORMAT = 2  # of the note; 2 knows the teacher's weights wherever and whenever they were saved
_TOLERANCE = 1e-3  # in standard deviations of a pixel; a crop shifted by one pixel differs by more
_MAKE = 'python -m mmkd_ext teacher_outputs CONFIG --out'


def print_of(images: Tensor) -> Tensor:
    """A fingerprint (B, 2) that differs if the images do: mean pixels, weighted along each side.

    Args:
        images: (B, C, H, W), as the model's preprocessor made them.
    """
    grey = images.detach().float().mean(dim=1)
    rows, columns = grey.mean(dim=2).double(), grey.mean(dim=1).double()
    ramps = [torch.linspace(0.5, 2, side.shape[1], dtype=side.dtype, device=side.device) for side in (rows, columns)]
    return torch.stack([rows @ ramps[0] / len(ramps[0]), columns @ ramps[1] / len(ramps[1])], dim=1)


def pack(value: Tensor, top: int | None = None) -> dict[str, Tensor]:
    """Convert a tensor to half precision; returns tensors by the suffixes of their names.

    Args:
        value: Tensor of any shape.
        top: For logits (N, C): how many of the largest to keep in each row, with the total probability of the others.
    """
    value = value.detach().cpu()
    if top is not None and value.ndim == 2 and value.shape[1] > top:
        kept, classes = value.float().topk(top, dim=1)
        others = value.float().scatter(1, classes, -torch.inf).logsumexp(dim=1)
        sizes = torch.tensor(value.shape[1])
        return {'': _half(kept), ':classes': classes.int(), ':others': others, ':count': sizes}
    return {'': _half(value).contiguous()}


def unpack(parts: Mapping[str, Tensor]) -> Tensor:
    """Undo `pack`, up to its precision; logits that it left out become equal, with the same total probability."""
    value = parts[''].float() if parts[''].is_floating_point() else parts['']
    if ':classes' not in parts:
        return value
    count = int(parts[':count'])
    rest = parts[':others'] - torch.tensor(float(count - value.shape[1])).log()
    return rest[:, None].repeat(1, count).scatter(1, parts[':classes'].long(), value)


def _half(value: Tensor) -> Tensor:
    """Convert to float16 if its range suffices, else to bfloat16."""
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if half.isfinite().all() else value.bfloat16()


def teacher_sources(distiller: Any) -> list[Source]:
    """All sources on the teacher that the active losses use."""
    return list(dict.fromkeys(
        replace(source, connector=None, connector_idx=None)
        for source in sources_of(distiller.active)
        if not source.from_student
    ))  # fmt: skip


def record_name(source: Source) -> str:
    """The name of the part of a record that is used."""
    return f'{source.recorder}/{source.record_idx}/{source.data_idx}'


def logits_of(distiller: Any) -> set[str]:
    """The names of the teacher's records that only losses of their softmax use, directly; see `pack`."""
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for loss, sources in distiller.levels():
        softmax = type(distiller.distill_losses[loss]).__name__ in OF_SOFTMAX
        for source in sources.values():
            if not source.from_student:
                names[softmax and source.connector is None].add(record_name(source))
    return names[True] - names[False]


def chunk_path(folder: str | Path, step: int, epoch_steps: int, chunk_steps: int) -> Path:
    """The file that has a step of this process.

    Args:
        folder: The folder with the files of all processes.
        step: Counted from the beginning of the run.
        epoch_steps: Steps per epoch.
        chunk_steps: Steps per file; a file also ends with its epoch.
    """
    epoch, inside = divmod(step, epoch_steps)
    return Path(folder) / f'rank_{dist.get_rank()}' / f'{epoch:05d}_{inside // chunk_steps:05d}.safetensors'


def write_chunk(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a chunk completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        save_file(tensors, part)


def read_note(folder: str | Path) -> dict[str, Any]:
    """The note on the run that the outputs in a folder belong to.

    Raises:
        ConfigError: If there are none, or an earlier version of this package made them.
    """
    path = Path(folder).expanduser() / NOTE
    try:
        note = json.loads(path.read_text())
    except (OSError, ValueError):
        raise ConfigError(
            f'{KEY}: {folder} has no stored outputs of a teacher; make them with: {_MAKE} {folder}.'
        ) from None
    if note.get('format') != FORMAT:
        raise ConfigError(
            f'{KEY}: the outputs in {folder} were made by another version of mmkd_ext, which notes their teacher in '
            f'another way; remove the folder, and make them again with: {_MAKE} {folder}.'
        )
    return note


class TeacherOutputs:
    """Fills a distiller's teacher recorders with the records that the running teacher left in the same step.

    Args:
        folder: The folder with the outputs.
        distiller: The distiller whose losses use them.

    Raises:
        ConfigError: If there are none, some that the losses use are missing or incomplete, or the class means are of
            another teacher.
    """

    def __init__(self, folder: str, distiller: Any) -> None:
        self.folder = Path(folder).expanduser()
        self.note = read_note(folder)
        self._path = Path()
        self._file: Any = None
        self._names: dict[int, list[str]] = {}
        for name, loss in distiller.distill_losses.items():
            means = getattr(getattr(loss, 'file', None), 'metadata', {})
            if means.get('fingerprint', self.note['fingerprint']) != self.note['fingerprint']:
                raise ConfigError(
                    f'{KEY}: {folder} is of another teacher than the class means of '
                    f'model.distiller.distill_losses.{name}; make one of them again.'
                )
        if self.note.get('top') is not None:
            self._check_logits(distiller)
        lacking = sorted({record_name(source) for source in teacher_sources(distiller)} - set(self.note['records']))
        if lacking:
            raise ConfigError(
                f'{KEY}: {folder} does not have {", ".join(lacking)} (recorder, record_idx and data_idx), but '
                f'{", ".join(self.note["records"])}; make them again with this config.'
            )

    def _check_logits(self, distiller: Any) -> None:
        """Refuse logits that are not stored completely, if a loss uses more of them than their softmax."""
        used = {record_name(source) for source in teacher_sources(distiller)}
        short = sorted(used & set(self.note.get('logits', used)) - logits_of(distiller))
        if short:
            raise ConfigError(
                f'{KEY}: {self.folder} has only the {self.note["top"]} largest values of {", ".join(short)}, of which '
                'a loss or a connector needs all; make them again without --top-k.'
            )

    def __deepcopy__(self, memo: dict) -> 'TeacherOutputs':
        """Copies of the algorithm (EMA) share this object."""
        return self

    def fill(self, distiller: Any, images: Tensor) -> None:
        """Fill the teacher recorders with the records of this step.

        Args:
            distiller: The distiller that has the recorders.
            images: The student's images, (B, C, H, W).

        Raises:
            ConfigError: If the outputs are not from this step's images, or end before it.
        """
        step = int(MessageHub.get_current_instance().get_info('iter', 0))
        found = self._read(step)
        expected = found[f'{step}/images']
        now = print_of(images).to(expected.device)
        if now.shape != expected.shape or (now - expected).abs().max() > _TOLERANCE:
            raise ConfigError(
                f'{KEY}: the images of step {step + 1} are not those of the outputs in {self.folder}: data, '
                'augmentation, batch size, seed, or number of workers or processes differ, or ExactResumeHook is '
                'missing (python -m mmkd_ext train adds it).'
            )
        records: dict[str, dict[int, Any]] = {}
        for source in teacher_sources(distiller):
            name = f'{step}/{record_name(source)}'
            parts = {
                key[len(name) :]: value for key, value in found.items() if key == name or key.startswith(f'{name}:')
            }
            value = unpack(parts).to(images.device)
            held = records.setdefault(source.recorder, {})
            if source.data_idx is None:
                held[source.record_idx] = value
            else:
                held.setdefault(source.record_idx, {})[source.data_idx] = value
        for recorder, held in records.items():
            distiller.teacher_recorders[recorder].records = [held.get(i) for i in range(max(held) + 1)]

    def _read(self, step: int) -> dict[str, Tensor]:
        """The tensors of a step."""
        path = chunk_path(self.folder, step, self.note['epoch_steps'], self.note['chunk_steps'])
        if self._path != path:
            self._names = {}
            try:
                self._file = safe_open(path, framework='pt')
                for name in self._file.keys():  # noqa: SIM118 (no dict)
                    self._names.setdefault(int(name.split('/')[0]), []).append(name)
            except (OSError, SafetensorError):
                raise ConfigError(
                    f'{KEY}: {path} of step {step + 1} is missing or damaged; remove it if it is there, and '
                    f'make it with: {_MAKE} {self.folder}.'
                ) from None
            self._path = path
        return {name: self._file.get_tensor(name) for name in self._names[step]}
