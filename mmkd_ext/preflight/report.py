"""What a preflight found: as one screen of text and as JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

LOW, HIGH = 0.01, 10.0  # shares of the task's gradient outside of which a loss is pointed out


@dataclass
class Record:
    """A tensor that a loss is made of.

    Attributes:
        side: `student` or `teacher`.
        name: The recorder's, with the item and the number of the call where the config names them.
        shape: Of the first batch.
        dtype: Without `torch.`.
        rms: Root of the mean square; None where it holds no floating-point numbers.
        gradient: Whether it carries a gradient; None of a teacher's, and of what is not a floating-point number.
    """

    side: str
    name: str
    shape: list[int]
    dtype: str
    rms: float | None
    gradient: bool | None


@dataclass
class Term:
    """A loss, as a mean over the batches.

    Attributes:
        name: As it is logged.
        value: With its own weight; the factor of a `LossWeightHook` counts as 1.
        norm: Of its gradient on the student's parameters that it reaches; None where the student is not trained.
        share: That norm as a part of the norm of the task's gradient on the same parameters; None of the task itself.
        weight: Its `loss_weight`; None where it has none.
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
    """What a teacher reaches on a sample of the validation set.

    Attributes:
        who: `teacher`, with its name where there are several.
        metrics: Name to value.
        name: Of the one that is compared with chance; None where chance is not known of any.
        chance: What guessing reaches.
        fails: Whether the teacher is no better than that, as far as so few images tell.
        images: In the sample.
        reason: Why it was not measured, where it was not.
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
    """What the run takes, in one process on this machine.

    Attributes:
        step: Seconds of a training step, the batch being there.
        load: Seconds to load a batch in one worker.
        workers: Of the training loader.
        steps: Of the run; None where the config does not say.
        memory: Bytes; on a GPU what tensors take at most, on a CPU what the process does.
    """

    step: float
    load: float
    workers: int
    steps: int | None
    memory: int

    @property
    def seconds(self) -> float | None:
        """Of the run, without evaluation."""
        each = max(self.step, self.load / self.workers) if self.workers else self.step + self.load
        return None if self.steps is None else each * self.steps


@dataclass
class Report:
    """All of it.

    Attributes:
        title: What was looked at.
        records: What the losses are made of.
        terms: The task's loss, then each of the distillation.
        settings: More lines, by what they are of.
        scores: The teachers'.
        cost: Of the run.
        warnings: What may be meant; sentences.
        errors: What cannot be.
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
        """As plain values."""
        found = asdict(self)
        if self.cost:
            found['cost']['seconds'] = self.cost.seconds
        return found

    def text(self) -> str:
        """As one screen."""
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
    """Rounded, in the unit that fits.

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
