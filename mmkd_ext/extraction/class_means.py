"""Make class means: one pass of the frozen teacher over its training set.

Classifiers and region heads are treated alike: the teacher runs in eval mode as if to compute its losses, with its own
pixel normalisation and without mixing images, and stops as soon as the classifier has its input (the embedding) and the
classification loss its labels. So the embeddings of a region head come from its own proposals and ground truth, through
its own assigner and sampler, with the background last. Alternatively, as in the authors' code, they come from the
regions that the student samples: then the student runs, too, and the teacher's box head sees the same boxes, as in
training.

The data set is split into batches of consecutive samples, which the processes take in turn. The augmentation of a
sample is seeded by its index, the sampled regions of a batch by its position. So the result does not depend on the
number of processes or of interruptions, except for the order in which float64 sums are added. For detectors, the batch
size matters a little: images are padded to the largest of their batch, and share its random numbers.
"""

import copy
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.utils.dl_utils import set_multi_processing
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmkd_ext.class_means import ClassMeans
from mmkd_ext.errors import ConfigError, listed
from mmkd_ext.extraction.accumulator import ClassMeanAccumulator
from mmkd_ext.extraction.data import SEED, SeededDataset, reseed, seeded_set
from mmkd_ext.extraction.look import Look, StudentsRegions
from mmkd_ext.extraction.networks import build_proposer, build_teacher
from mmkd_ext.extraction.picture import draw
from mmkd_ext.extraction.taps import Tap, count_classes, find_taps
from mmkd_ext.files import check_writable, write_whole
from mmkd_ext.version import __version__

SAVE_EVERY = 30.0  # seconds of work that may be lost if the process is killed
# The header entries that must agree to reuse existing means, or to continue a partial file.
_SAME = ('fingerprint', 'changes', 'embedding', 'labels', 'proposals', 'pipeline', 'dataset', 'images')
_ABSENT = dict(proposals='teacher', changes='')  # defaults for files without these entries
_SAME_RUN = (*_SAME, 'batch_size', 'seed', 'mmkd_ext')


def make_class_means(
    cfg: Config,
    out: str | Path,
    checkpoint: str | None = None,
    layer: str | None = None,
    pipeline: str = 'train',
    limit: int | None = None,
    restart: bool = False,
    proposals: str = 'teacher',
    student_checkpoint: str | None = None,
) -> ClassMeans:
    """Make a class-mean file, or continue one, and draw it; every process of a distributed run calls this.

    Args:
        cfg: A distillation config, or the config that trains the teacher. It is not changed.
        out: The file; FILE.png is drawn next to it, and FILE.partial exists until it is done.
        checkpoint: The teacher's weights; None for those that the config names.
        layer: Name of the teacher's classifier; None to find it.
        pipeline: `train` for the training augmentation, `test` for the validation pipeline on the training set.
        limit: Number of images, evenly spread over the data set; None for all.
        restart: Discard existing files.
        proposals: For a detector, whose sampled regions to use: the `teacher`'s own, or the `student`'s.
        student_checkpoint: The student's weights for its proposals; None for its initial weights.

    Returns:
        The content of the file. An existing file that fits is kept as it is.

    Raises:
        ConfigError: If something does not fit.
    """
    file, out = out, Path(out).expanduser()
    check_writable('--out', out)
    out.parent.mkdir(parents=True, exist_ok=True)
    _connect(cfg)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        network, about = build_teacher(cfg, checkpoint)
        taps = find_taps(cfg.model, network, layer, file)
        data, of_data = seeded_set(cfg, pipeline, limit, SEED)
        loader = cfg.train_dataloader
        size = loader.get('batch_size', 1)
        about |= {name: str(tap) for name, tap in taps.items()}
        about |= of_data | dict(batch_size=str(size), seed=str(SEED), mmkd_ext=__version__)
        if proposals == 'student':
            student, about['proposals'] = build_proposer(cfg, student_checkpoint)
            look: Look = StudentsRegions(student, network, taps)
        elif student_checkpoint:
            raise ConfigError('--student-ckpt needs --proposals student.')
        else:
            about['proposals'] = 'teacher'
            look = Look(network, taps, cfg.model.get('teacher_input_size'), cfg.model.get('teacher_size_divisor', 1))
        about['changes'] = ', '.join(filter(None, (about['changes'], look.teacher.changes)))
        work = _Pass(look, taps, data, size, loader.get('num_workers', 0))
        accumulator = work.accumulator(count_classes(taps, network, layer, data.metainfo))
        found, done = _look_for(out, about, accumulator, restart)
        if found is not None:
            _say(f'{out} already holds these class means: {_summary(found)}; nothing to do (--restart makes it again).')
            return found
        total = work.run(accumulator, done, lambda total, done: _save_partial(out, about, total, done))
    made = ClassMeans(total.means().float(), total.counts, about)
    if dist.is_main_process():
        draw(made, _picture(out))
        made.save(out)
        _partial(out).unlink(missing_ok=True)
    _say(f'{out}: {_summary(made)}; see {_picture(out)}')
    dist.barrier()
    return made


class _Pass:
    """One pass of the teacher over the data."""

    def __init__(self, look: Look, taps: Mapping[str, Tap], data: SeededDataset, batch_size: int, workers: int) -> None:
        self.look = look
        self.taps = taps
        self.data = data
        self.batch_size = batch_size
        self.workers = workers

    def accumulator(self, classes: int) -> ClassMeanAccumulator:
        """An empty accumulator for that many classes, and the channels of the first sample's embedding."""
        first = pseudo_collate([self.data[0]])
        self.look.speed_up(copy.deepcopy(first))  # always with the same sample, so that the means are bit-identical
        embeddings, _ = self.look(first)
        return ClassMeanAccumulator(classes, embeddings.shape[1])

    def run(
        self, accumulator: ClassMeanAccumulator, done: int, save: Callable[[ClassMeanAccumulator, int], None]
    ) -> ClassMeanAccumulator:
        """Add all samples from the position `done` on; returns the sums of all processes.

        Args:
            accumulator: In the main process, has the sums of the earlier samples.
            done: A multiple of the batch size, or the end.
            save: Called in the main process from time to time, with the sums of all processes and the position.
        """
        rank, processes = dist.get_dist_info()
        batches = [
            range(at, min(at + self.batch_size, len(self.data))) for at in range(done, len(self.data), self.batch_size)
        ]
        mine: Any = batches[rank::processes]
        loader = iter(DataLoader(self.data, batch_sampler=mine, num_workers=self.workers, collate_fn=pseudo_collate))
        saved = time.monotonic()
        options: Any = dict(desc='class means', unit='image', mininterval=1, disable=rank > 0)
        with tqdm(total=len(self.data), initial=done, **options) as bar:
            for i in range(0, len(batches), processes):
                if i + rank < len(batches):
                    self._add(accumulator, next(loader), batches[i + rank].start)
                done = batches[min(i + processes, len(batches)) - 1].stop
                bar.update(done - bar.n)
                if _agreed(time.monotonic() - saved > SAVE_EVERY):
                    total = accumulator.all_reduce()
                    if rank == 0:
                        save(total, done)
                    saved = time.monotonic()
        return accumulator.all_reduce()

    def _add(self, accumulator: ClassMeanAccumulator, batch: Any, position: int) -> None:
        reseed(SEED, 1, position)
        embeddings, labels = self.look(batch)
        try:
            accumulator.update(embeddings, labels)
        except ValueError as error:
            raise ConfigError(f'{self.taps["labels"].key}: {error}, in the batch of sample {position}.') from None


def _connect(cfg: Config) -> None:
    """Connect to the other processes like mmengine's Runner, unless the caller has done so."""
    launcher, env = cfg.get('launcher', 'none'), cfg.get('env_cfg') or {}
    set_multi_processing(**(env.get('mp_cfg') or {}), distributed=launcher != 'none')
    if launcher != 'none' and not dist.is_distributed():
        dist.init_dist(launcher, **(env.get('dist_cfg') or {}))


def _agreed(wish: bool) -> bool:
    """The main process's decision, shared with all processes."""
    flag = torch.tensor(float(wish))
    dist.broadcast(flag)
    return bool(flag)


def _partial(out: Path) -> Path:
    return out.with_name(f'{out.name}.partial')


def _picture(out: Path) -> Path:
    return out.with_name(f'{out.name}.png')


def _look_for(
    out: Path, about: Mapping[str, str], accumulator: ClassMeanAccumulator, restart: bool
) -> tuple[ClassMeans | None, int]:
    """The existing means: the complete file, or the position of a partial one, whose sums the main process loads."""
    found: list[Any] = [None, 0]
    if dist.is_main_process():
        if restart:
            out.unlink(missing_ok=True)
            _partial(out).unlink(missing_ok=True)
        elif out.exists():
            found[0] = ClassMeans.load(out)
            _check_same(out, found[0].metadata, about, _SAME, 'give --restart to replace it')
            _partial(out).unlink(missing_ok=True)
        elif _partial(out).exists():
            found[1] = _load_partial(_partial(out), about, accumulator)
    dist.broadcast_object_list(found)
    return found[0], found[1]


def _check_same(path: Path, there: Mapping, here: Mapping, names: tuple[str, ...], advice: str) -> None:
    for name in names:
        noted = there.get(name, _ABSENT.get(name, 'not noted'))
        if noted != here[name]:
            raise ConfigError(
                f'{path} belongs to another run ({name} is {noted!r} there and {here[name]!r} here): '
                f'{advice}, or name another --out.'
            )


def _save_partial(out: Path, about: Mapping[str, str], total: ClassMeanAccumulator, done: int) -> None:
    write_whole(_partial(out), save(total.state_dict(), {**about, 'done': str(done)}))


def _load_partial(path: Path, about: Mapping[str, str], accumulator: ClassMeanAccumulator) -> int:
    try:
        with safe_open(path, framework='pt') as file:
            there = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        done = int(there.pop('done'))
    except (OSError, SafetensorError, KeyError, ValueError):
        raise ConfigError(f'{path} cannot be read: delete it, or give --restart to start again.') from None
    _check_same(path, there, about, _SAME_RUN, 'delete it, or give --restart to start again')
    accumulator.load_state_dict(state)
    return done


def _summary(means: ClassMeans) -> str:
    classes, channels = means.means.shape
    empty = (means.counts == 0).nonzero().flatten().tolist()
    lacking = f'; classes without embeddings: {listed(empty)}' if empty else ''
    images = means.metadata.get('images')
    return f'{classes} means of {int(means.counts.sum()):,} embeddings in {images} images, {channels} channels{lacking}'


def _say(text: str) -> None:
    if dist.is_main_process():
        print(text, flush=True)
