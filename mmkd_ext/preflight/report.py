"""The result of a preflight, as one screen of text and as JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

LOW, HIGH = 0.01, 10.0  # fractions of the task's gradient below and above which a warning is given


@dataclass
class Record:
    """A recorded tensor that a loss uses.

    Attributes:
        side: `student` or `teacher`.
        name: Name of the recorder, with the item and the number of the call if the config names them.
        shape: Shape in the first batch.
        dtype: Dtype without `torch.`.
        rms: Root mean square; None if it is not a floating-point tensor.
        gradient: Whether it carries a gradient; None for a teacher's, and if it is not a floating-point tensor.
    """

    side: str
    name: str
    shape: list[int]
    dtype: str
    rms: float | None
    gradient: bool | None


@dataclass
class Term:
    """A loss, averaged over the batches.

    Attributes:
        name: Its name in the log.
        value: Its value with its own weight; the factor of a `LossWeightHook` counts as 1.
        norm: Norm of its gradient on the student's parameters that it reaches; None if the student is not trained.
        share: That norm as a fraction of the norm of the task's gradient on the same parameters; None for the task.
        weight: Its `loss_weight`; None if it has none.
        scheduled: Whether a `LossWeightHook` multiplies it in the run.
    """

    name: str
    value: float
    norm: float | None = None
    share: float | None = None
    weight: float | None = None
    scheduled: bool = False


@dataclass
class Score:
    """A teacher's result on a sample of the validation set.

    Attributes:
        who: `teacher`, with its name if there are several.
        metrics: Name to value.
        name: Name of the metric that is compared with chance; None if chance is not known for any.
        chance: The value that guessing reaches.
        fails: Whether the teacher is no better than chance, as far as so few images can show.
        images: Number of images in the sample.
        reason: Why it was not measured, if it was not.
    """

    who: str
    metrics: dict[str, float] = field(default_factory=dict)
    name: str | None = None
    chance: float | None = None
    fails: bool = False
    images: int = 0
    reason: str | None = None


@dataclass
class Cost:
    """Time and memory of the run, in one process on this machine.

    Attributes:
        step: Seconds per training step, without loading the batch.
        load: Seconds to load a batch in one worker.
        workers: Number of workers of the training loader.
        steps: Number of steps of the run; None if the config does not say.
        memory: Peak memory in bytes: of tensors on a GPU, of the process on a CPU.
    """

    step: float
    load: float
    workers: int
    steps: int | None
    memory: int

    @property
    def seconds(self) -> float | None:
        """Seconds for the whole run, without evaluation."""
        each = max(self.step, self.load / self.workers) if self.workers else self.step + self.load
        return None if self.steps is None else each * self.steps


@dataclass
class Report:
    """The complete report.

    Attributes:
        title: The config, batches and device.
        records: The recorded tensors that the losses use.
        terms: The task's loss, then each distillation loss.
        settings: More lines, by their subject.
        scores: The teachers' results.
        cost: Time and memory of the run.
        warnings: Sentences on settings that may be intended.
        errors: Sentences on mistakes.
    """

    title: str
    records: list[Record] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    scores: list[Score] = field(default_factory=list)
    cost: Cost | None = None
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """The report as plain values."""
        found = asdict(self)
        if self.cost:
            found['cost']['seconds'] = self.cost.seconds
        return found

    def text(self) -> str:
        """The report as one screen of text."""
        blocks = [[self.title], self._records(), self._terms(), list(self._lines())]
        blocks.append([f'warning: {text}' for text in self.warnings] + [f'error: {text}' for text in self.errors])
        if not self.warnings and not self.errors:
            blocks[-1] = ['nothing wrong was found']
        return '\n\n'.join('\n'.join(block) for block in blocks if block)

    def _records(self) -> list[str]:
        rows = [('recorded by', '', 'shape', 'dtype', 'rms', 'has gradient')]
        for record in self.records:
            shape, rms = ' x '.join(map(str, record.shape)), _number(record.rms)
            carries = '-' if record.gradient is None else 'yes' if record.gradient else 'no'
            rows.append((record.side, record.name, shape, record.dtype, rms, carries))
        return _table(rows) if self.records else []

    def _terms(self) -> list[str]:
        rows = [('loss', 'value', "gradient's norm", "of the task's", 'loss_weight', '')]
        for term in self.terms:
            share = '' if term.share is None else f'{100 * term.share:.3g} %'
            scheduled = 'at factor 1; a LossWeightHook changes it' if term.scheduled else ''
            weight = '' if term.weight is None else f'{term.weight:g}'
            rows.append((term.name, _number(term.value), _number(term.norm), share, weight, scheduled))
        return _table(rows) if self.terms else []

    def _lines(self) -> Iterator[str]:
        lines = dict(self.settings)
        lines |= {score.who: score.reason or _score(score) for score in self.scores}
        if self.cost:
            lines['run'] = _cost(self.cost)
        width = max(map(len, lines), default=0)
        yield from (f'{name:{width}}  {text}' for name, text in lines.items())


def _score(score: Score) -> str:
    names = [score.name] if score.name else list(score.metrics)
    found = ', '.join(f'{name} {score.metrics[name]:.3g}' for name in names) or 'no number'
    chance = f' (chance: {score.chance:.3g})' if score.chance is not None else ''
    return f'{found}{chance} on {score.images} images of the validation set'


def _cost(cost: Cost) -> str:
    steps = f'{cost.steps} steps' if cost.steps is not None else 'an unknown number of steps'
    loading = f'{cost.load:.2g} s to load a batch in one worker ({cost.workers} of them)'
    memory = f'{cost.memory / 2**30:.2g} GiB'
    total = '' if cost.seconds is None else f': {_duration(cost.seconds)} without evaluation,'
    return f'{steps} of {cost.step:.2g} s, {loading}{total or ","} {memory}'


def _duration(seconds: float) -> str:
    """Seconds, rounded, in a suitable unit.

    Examples:
        >>> _duration(45.2), _duration(300), _duration(9000), _duration(600000)
        ('45 s', '5.0 min', '2.5 h', '6.9 days')
    """
    for unit, size in (('days', 86400), ('h', 3600), ('min', 60)):
        if seconds >= (2 if unit == 'days' else 1) * size:
            return f'{seconds / size:.1f} {unit}'
    return f'{seconds:.0f} s'


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.3g}' if math.isfinite(value) else str(value)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ['  '.join(f'{cell:{w}}' for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
