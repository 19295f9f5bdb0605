"""The mean embedding of each class, as a file that names its teacher.

The file is safetensors: `means` (K, C) float32, `counts` (K,) int64, and a header of strings (teacher, checkpoint,
fingerprint of the weights, layer, pipeline, data set, ...). The ND authors' JSON form is read, too: an object of "class
index": [C numbers] in any order, without counts and teacher.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mmkd_ext.errors import ConfigError, listed
from mmkd_ext.files import write_whole


@dataclass(eq=False)
class ClassMeans:
    """The mean embedding of each class.

    Attributes:
        means: (K, C) float32; zeros for a class without samples.
        counts: (K,) int64, the number of embeddings in each mean; -1 if the file does not say (JSON).
        metadata: Where the means come from; empty if the file does not say.
    """

    means: Tensor
    counts: Tensor
    metadata: dict[str, str] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the safetensors form; a reader sees the old file or the whole new one.

        Raises:
            OSError: If it cannot be written.
        """
        tensors = dict(means=self.means.float().contiguous().cpu(), counts=self.counts.long().contiguous().cpu())
        write_whole(Path(path).expanduser(), save(tensors, self.metadata))

    @classmethod
    def load(cls, path: str | Path) -> 'ClassMeans':
        """Read either form.

        Raises:
            ConfigError: If there is no such file or it holds no class means.
        """
        path = Path(path).expanduser()
        if not path.is_file():
            raise ConfigError(
                f'there is no class-mean file {path}; make it with: python -m mmkd_ext class_means CONFIG --out {path}'
            )
        try:
            with path.open('rb') as file:
                binary = b'\0' in file.read(8)  # the length of a safetensors header; text has no zero byte
            loaded = _read_safetensors(path) if binary else _read_json(path)
        except (OSError, SafetensorError, UnicodeDecodeError, json.JSONDecodeError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f'{path} is neither a safetensors nor a JSON file ({reason}).') from None
        bad = (~loaded.means.isfinite()).any(1).nonzero().flatten().tolist()
        if bad:
            raise ConfigError(f'{path}: the means of {len(bad)} classes ({listed(bad)}) are not finite.')
        return loaded

    def check_teacher(self, teacher: nn.Module) -> None:
        """Check that the means were made with this teacher, if the file names one.

        Raises:
            ValueError: If they were made with other weights.
        """
        expected = self.metadata.get('fingerprint')
        if expected is not None and fingerprint(teacher) != expected:
            source = self.metadata.get('checkpoint', 'other weights')
            raise ValueError(
                f'the class means belong to another teacher ({source}), not to this one; make them again with: '
                'python -m mmkd_ext class_means CONFIG --out FILE'
            )

    def check_images(self, changes: str) -> None:
        """Check that the means were made from images prepared as the teacher gets them here.

        Args:
            changes: How these images differ from those that the teacher gets on its own, in words; empty if not.

        Raises:
            ValueError: If the means were made from images prepared differently.
        """
        there = self.metadata.get('changes', '')
        if self.metadata and there != changes:
            raise ValueError(
                f'the class means were made from images {there or "as the teacher gets them on its own"}, but here it '
                f'gets images {changes or "as it gets them on its own"}; make them again with a config that has the '
                'same teacher_pixels, teacher_input_size and teacher_size_divisor'
            )

    def check_data(self, classes: Sequence[str]) -> None:
        """Check that the means come from a data set with these classes, if the file names its classes.

        Raises:
            ValueError: If that data set has other classes, or these in another order.
        """
        expected = json.loads(self.metadata.get('classes', 'null'))
        if expected is not None and expected != list(classes):
            raise ValueError(
                f'the class means come from a data set with the {len(expected)} classes {listed(expected)}, but this '
                f'one has the {len(classes)} classes {listed(list(classes))}; make them again with: python -m mmkd_ext '
                'class_means CONFIG --out FILE'
            )


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of a model's weights: names, shapes and float32 values of its sorted state dict.

    It depends neither on the device nor on whether the checkpoint that was loaded held half or single precision.
    `num_batches_tracked`, which old checkpoints lack and no output depends on, is left out.
    """
    digest = sha256()
    for name, value in sorted(model.state_dict().items()):
        if isinstance(value, Tensor) and not name.endswith('num_batches_tracked'):
            digest.update(f'{name} {tuple(value.shape)}\n'.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read_safetensors(path: Path) -> ClassMeans:
    with safe_open(path, framework='pt') as file:
        if not {'means', 'counts'} <= set(file.keys()):
            raise ConfigError(
                f'{path} holds no class means: it has the tensors {listed(sorted(file.keys()))}, not means and counts.'
            )
        means, counts, metadata = file.get_tensor('means'), file.get_tensor('counts'), file.metadata() or {}
    if means.ndim != 2 or counts.shape != means.shape[:1]:
        raise ConfigError(
            f'{path} holds no class means: means must be (K, C) and counts (K,), got {tuple(means.shape)} and '
            f'{tuple(counts.shape)}.'
        )
    return ClassMeans(means.float(), counts.long(), metadata)


def _read_json(path: Path) -> ClassMeans:
    rows = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(rows, dict) or not rows or not all(key.isdecimal() for key in rows):
        raise ConfigError(f'{path} holds no class means: expected JSON of the form {{"class index": [numbers]}}.')
    by_index = {int(key): row for key, row in rows.items()}
    missing = next((index for index in range(len(by_index)) if index not in by_index), None)
    if missing is not None:
        raise ConfigError(f'{path} has no mean of class {missing}, although it has one of class {max(by_index)}.')
    widths = {len(row) if isinstance(row, list) else 0 for row in by_index.values()}
    if len(widths) != 1 or 0 in widths:
        raise ConfigError(f'{path}: each class must have a list of equal length, got lengths {listed(sorted(widths))}.')
    try:
        means = torch.tensor([by_index[index] for index in range(len(by_index))], dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        means = torch.empty(0)
    if means.ndim != 2:
        raise ConfigError(f'{path} holds no class means: some of its values are not numbers.')
    return ClassMeans(means, torch.full((len(means),), -1))
