"""Make class means: the frozen teacher looks once at its training set.

One way for classifiers and for heads on regions: the teacher runs in eval mode as if its losses were wanted, on its own
pixels, without mixing images, and stops as soon as the classifier was given its input (the embedding) and the
classification loss its labels. So a region head's embeddings are of its own proposals and ground truth through its own
assigner and sampler, background last. Or, as the authors have it, they are of the regions that the student samples:
then the student runs, too, and the teacher's box head looks at the same boxes, as in training.

The data set is cut into batches of consecutive samples, which the processes take in turn. A sample's augmentation is
seeded by its index, a batch's sampled regions by its position. So the result does not depend on the number of processes
or of interruptions, but for the order in which float64 sums are added. The batch size matters a little to detectors:
images are padded to the largest of their batch, and share its random numbers.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.utils.dl_utils import set_multi_processing
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmkd_ext.algorithms.regions import (
    Part,
    check_compared,
    check_regions,
    counted_runs,
    region_recorders,
    run_heads,
)
from mmkd_ext.algorithms.teacher import Teacher, load_teacher, teacher_weights
from mmkd_ext.build import build_model, model_config
from mmkd_ext.class_means.accumulator import ClassMeanAccumulator
from mmkd_ext.class_means.data import SeededDataset, reseed, training_set
from mmkd_ext.class_means.means import ClassMeans, fingerprint, write_whole
from mmkd_ext.class_means.picture import draw
from mmkd_ext.class_means.taps import Tap, count_classes, find_taps
from mmkd_ext.errors import ConfigError
from mmkd_ext.recorders.manager import RecorderManager
from mmkd_ext.version import __version__

SAVE_EVERY = 30.0  # seconds of work that a kill may cost
SEED = 0
# What of the header must agree for means that are there already to be those that are asked for, or to go on with them.
_SAME = ('fingerprint', 'embedding', 'labels', 'proposals', 'pipeline', 'dataset', 'images')
_ABSENT = dict(proposals='teacher')  # what a file means that does not note it
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
    """Make a class-mean file, or go on with one, and a picture of it; every process of a distributed run calls this.

    Args:
        cfg: A distillation config, or the config that trains the teacher. It is not changed.
        out: The file; FILE.png is drawn beside it, and FILE.partial is there until it is done.
        checkpoint: The teacher's weights; None for those that the config names.
        layer: Name of the teacher's classifier; None to find it.
        pipeline: `train` for the training augmentation, `test` for the validation pipeline on the training set.
        limit: Number of images, evenly spread over the data set; None for all.
        restart: Drop what is there.
        proposals: Of a detector, whose sampled regions: the `teacher`'s own, or the `student`'s.
        student_checkpoint: The student's weights for its proposals; None for those that it starts with.

    Returns:
        What the file holds. A file that is there already and fits is left as it is.

    Raises:
        ConfigError: If something does not fit.
    """
    file, out = out, Path(out).expanduser()
    _check_out(out)
    _connect(cfg)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        network, about = _build_teacher(cfg, checkpoint)
        taps = find_taps(cfg.model, network, layer, file)
        data, of_data = training_set(cfg, pipeline, limit, SEED)
        loader = cfg.train_dataloader
        size = loader.get('batch_size', 1)
        about |= {name: str(tap) for name, tap in taps.items()}
        about |= of_data | dict(batch_size=str(size), seed=str(SEED), mmkd_ext=__version__)
        if proposals == 'student':
            student, about['proposals'] = _build_student(cfg, student_checkpoint)
            look: _Look = _StudentsRegions(student, network, taps)
        elif student_checkpoint:
            raise ConfigError('--student-ckpt is for --proposals student.')
        else:
            about['proposals'] = 'teacher'
            look = _Look(network, taps)
        work = _Pass(look, taps, data, size, loader.get('num_workers', 0))
        accumulator = work.accumulator(count_classes(taps, network, layer, data.metainfo))
        found, done = _look_for(out, about, accumulator, restart)
        if found is not None:
            _say(f'{out} holds these class means already: {_summary(found)}; nothing to do (--restart makes it anew).')
            return found
        total = work.run(accumulator, done, lambda total, done: _save_partial(out, about, total, done))
    made = ClassMeans(total.means().float(), total.counts, about)
    if dist.is_main_process():
        draw(made, _picture(out))
        made.save(out)
        _partial(out).unlink(missing_ok=True)
    _say(f'{out}: {_summary(made)}; look at {_picture(out)}')
    dist.barrier()
    return made


class _Look:
    """What the teacher makes of a batch that it looks at by itself.

    Args:
        teacher: The teacher.
        taps: Where `embedding` and `labels` are in it.
    """

    def __init__(self, teacher: Any, taps: Mapping[str, Tap]) -> None:
        self.taps = taps
        self.labels = self.embeddings = self._manager(teacher, 'teacher', *taps)
        parts = {name: Part.of(self.labels[name], teacher) for name in taps}
        check_compared(parts, taps['labels'].key)
        self.teacher = Teacher(teacher, None, teacher)

    def _manager(self, model: nn.Module, who: str, *names: str) -> RecorderManager:
        manager = RecorderManager({name: self.taps[name].recorder for name in names}, 'class means')
        for name in names:
            try:
                manager[name].check(model)
            except ConfigError as error:
                raise ConfigError(
                    f'{self.taps[name].key}: the {who} must have it too, for the {name}, but {error}'
                ) from None
        return manager

    def record(self, batch: Any) -> None:
        """Make the records of a batch."""
        data = self.teacher.model.data_preprocessor(batch, False)
        needed = {name: tap.needed for name, tap in self.taps.items()}
        with counted_runs(self.teacher.model, self.labels.recorders.values()):
            self.teacher.record(self.labels, needed, data['inputs'], data['data_samples'])

    def __call__(self, batch: Any) -> tuple[Tensor, Tensor]:
        """The embeddings (N, C) and the classes (N,) of a batch."""
        self.record(batch)
        values = {}
        for name, manager in dict(embedding=self.embeddings, labels=self.labels).items():
            tap = self.taps[name]
            try:
                values[name] = manager[name].get(tap.record_idx, tap.data_idx)
            except ConfigError as error:
                raise ConfigError(f'{tap.key}: {error}') from None
            if not isinstance(values[name], Tensor):
                raise ConfigError(f'{tap.key}: the {name} must be a tensor, got {type(values[name]).__name__}.')
            manager[name].clear()
        embeddings, labels = values['embedding'], _classes(values['labels'])
        if embeddings.ndim != 2:
            raise ConfigError(
                f'{self.taps["embedding"].key}: embeddings must be (N, C), got {tuple(embeddings.shape)}.'
            )
        return embeddings, labels


class _StudentsRegions(_Look):
    """What the teacher's box head makes of the regions that a student samples in a batch.

    Args:
        student: The student, in eval mode.
        teacher: The teacher.
        taps: Where `embedding` is in the teacher, and `labels` in the student.
    """

    def __init__(self, student: Any, teacher: Any, taps: Mapping[str, Tap]) -> None:
        self.taps = taps
        self.student = student
        self.embeddings = self._manager(teacher, 'teacher', 'embedding')
        self.labels = self._manager(student, 'student', 'labels')
        self.regions = region_recorders(student)
        self.labels.recorders.update(self.regions)
        check_regions(teacher, 'model.teacher')
        embedding, labels = Part.of(self.embeddings['embedding'], teacher), Part.of(self.labels['labels'], student)
        if embedding.stage is not None:
            embedding = embedding._replace(stage=min(embedding.stage, len(self.regions) - 1))
        check_compared(dict(embedding=embedding, labels=labels), taps['labels'].key)
        self.teacher = Teacher(teacher, None, student)

    @torch.no_grad()
    def record(self, batch: Any) -> None:
        """Make the records of a batch."""
        data = self.student.data_preprocessor(batch, False)
        needed = {'labels': self.taps['labels'].needed, **dict.fromkeys(self.regions, 1)}
        with self.labels.recording(self.student, needed), counted_runs(self.student, self.labels.recorders.values()):
            self.student(data['inputs'], data['data_samples'], mode='loss')
        regions = [recorder.get(data_idx=1) for recorder in self.regions.values()]

        def forward(teacher: Any, images: Any) -> None:
            run_heads(teacher, teacher.extract_feat(images), regions)

        wanted = dict(embedding=self.taps['embedding'].needed)
        self.teacher.record(self.embeddings, wanted, data['inputs'], data['data_samples'], forward)


class _Pass:
    """One pass of the teacher over the data."""

    def __init__(
        self, look: _Look, taps: Mapping[str, Tap], data: SeededDataset, batch_size: int, workers: int
    ) -> None:
        self.look = look
        self.taps = taps
        self.data = data
        self.batch_size = batch_size
        self.workers = workers

    def accumulator(self, classes: int) -> ClassMeanAccumulator:
        """Zeros for that many classes, and for as many channels as the first sample's embedding has."""
        embeddings, _ = self.look(pseudo_collate([self.data[0]]))
        return ClassMeanAccumulator(classes, embeddings.shape[1])

    def run(
        self, accumulator: ClassMeanAccumulator, done: int, save: Callable[[ClassMeanAccumulator, int], None]
    ) -> ClassMeanAccumulator:
        """Add all samples from the position `done` on; the sums of all processes.

        Args:
            accumulator: Holds the sums of the samples before, in the main process.
            done: A multiple of the batch size, or the end.
            save: Called in the main process now and then, with the sums of all processes and the position.
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


def _classes(labels: Tensor) -> Tensor:
    """The class of each row where labels are one-hot, as a preprocessor for mixed images makes them."""
    if labels.ndim == 2 and bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(1) == 1).all()):
        return labels.argmax(1)
    return labels


def _build_teacher(cfg: Config, checkpoint: str | None) -> tuple[Any, dict[str, str]]:
    """The teacher with its own pixels, and what the file's header says of it."""
    model = cfg.get('model')
    if not isinstance(model, dict):
        raise ConfigError('the config defines no `model`.')
    if 'teacher' in model:
        source = model['teacher']
        teacher_cfg = model_config(source, 'model.teacher')
        checkpoint = checkpoint or model.get('teacher_ckpt')
        if 'data_preprocessor' not in teacher_cfg:
            student = model_config(model['architecture'], 'model.architecture')
            pixels = student.get('data_preprocessor') or model.get('data_preprocessor') or cfg.get('data_preprocessor')
            teacher_cfg['data_preprocessor'] = pixels
        name = source if isinstance(source, str) and '::' in source else None
        name = name or (Path(source).name if isinstance(source, (str, Path)) else str(teacher_cfg.get('type')))
    elif 'architecture' in model:
        raise ConfigError('the config has no model.teacher, of whose embeddings the class means would be.')
    else:
        teacher_cfg = ConfigDict(model)
        teacher_cfg.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
        name = Path(cfg.filename).name if cfg.filename else str(model.get('type'))
    network: Any = build_model(teacher_cfg, 'model.teacher')
    # The init_cfg of a config that trains the teacher itself says where that training starts.
    weights = teacher_weights(checkpoint, teacher_cfg if 'teacher' in model else {}, network)
    if weights is None:
        raise ConfigError('the teacher has no checkpoint: give --checkpoint FILE, or model.teacher_ckpt in the config.')
    load_teacher(network, weights.file, model.get('teacher_strict', True), weights.key, weights.prefix)
    network.to(get_device())
    return network, dict(teacher=name, checkpoint=Path(weights.file).name, fingerprint=fingerprint(network))


def _build_student(cfg: Config, checkpoint: str | None) -> tuple[Any, str]:
    """The student of a distillation config, whose regions are looked at, and what the file's header says of them."""
    if 'architecture' not in cfg.model or 'teacher' not in cfg.model:
        raise ConfigError('--proposals student needs a distillation config, with model.architecture and model.teacher.')
    student_cfg = model_config(cfg.model['architecture'], 'model.architecture')
    if 'data_preprocessor' not in student_cfg:
        student_cfg['data_preprocessor'] = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    student: Any = build_model(student_cfg, 'model.architecture')
    check_regions(student, 'model.architecture')
    reseed(SEED)
    student.init_weights()
    if checkpoint:
        try:
            load_teacher(student, checkpoint, key='--student-ckpt')
        except ConfigError as error:
            raise ConfigError(str(error).replace('this teacher', 'this student')) from None
    student.to(get_device()).eval()
    return student, f'student, {Path(checkpoint).name if checkpoint else "as it starts"}: {fingerprint(student)}'


def _connect(cfg: Config) -> None:
    """Join the other processes as mmengine's Runner does, where a caller has not yet."""
    launcher, env = cfg.get('launcher', 'none'), cfg.get('env_cfg') or {}
    set_multi_processing(**(env.get('mp_cfg') or {}), distributed=launcher != 'none')
    if launcher != 'none' and not dist.is_distributed():
        dist.init_dist(launcher, **(env.get('dist_cfg') or {}))


def _agreed(wish: bool) -> bool:
    """The main process's wish, in all processes."""
    flag = torch.tensor(float(wish))
    dist.broadcast(flag)
    return bool(flag)


def _partial(out: Path) -> Path:
    return out.with_name(f'{out.name}.partial')


def _picture(out: Path) -> Path:
    return out.with_name(f'{out.name}.png')


def _check_out(out: Path) -> None:
    """Raise ConfigError if the file could not be written."""
    if out.is_dir():
        raise ConfigError(f'--out {out} is a folder; name a file in it.')
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ConfigError(f'--out {out} cannot be written: {error.strerror or error}.') from None


def _look_for(
    out: Path, about: Mapping[str, str], accumulator: ClassMeanAccumulator, restart: bool
) -> tuple[ClassMeans | None, int]:
    """What is there: the whole file, or the position of a partial one, whose sums the main process takes over."""
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
                f'{path} is of another run ({name} is {noted!r} there and {here[name]!r} here): '
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
        raise ConfigError(f'{path} cannot be read: delete it, or give --restart to begin anew.') from None
    _check_same(path, there, about, _SAME_RUN, 'delete it, or give --restart to begin anew')
    accumulator.load_state_dict(state)
    return done


def _summary(means: ClassMeans) -> str:
    classes, channels = means.means.shape
    empty = (means.counts == 0).nonzero().flatten().tolist()
    shown = ', '.join(map(str, empty[:6])) + (', ...' if len(empty) > 6 else '')
    lacking = f'; classes without any: {shown}' if empty else ''
    images = means.metadata.get('images')
    return f'{classes} means of {int(means.counts.sum()):,} embeddings in {images} images, {channels} channels{lacking}'


def _say(text: str) -> None:
    if dist.is_main_process():
        print(text, flush=True)
