"""The losses of real batches in detail: the records they use, their values, and their gradients on the student."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_ext.distillers.mapping import DISTILLER_KEY, sources_of
from mmkd_ext.errors import ConfigError
from mmkd_ext.preflight.report import HIGH, LOW, Record, Report, Term
from mmkd_ext.recorders.base import tensors_in


@contextmanager
def buffers_kept(model: nn.Module) -> Iterator[None]:
    """A context after which batch norms and other buffers have the same statistics as before."""
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def look(
    model: Any, batches: Iterable[Any], report: Report, scheduled: Collection[str] = (), share: float = 0.5
) -> None:
    """Compute the losses of some batches and their gradients; nothing is trained.

    Args:
        model: One of our algorithms, or any mmengine model, in training mode.
        batches: Batches from a data loader.
        report: Receives records, terms, warnings and errors.
        scheduled: Names of losses that a hook multiplies in the run.
        share: A suggested `loss_weight` makes a loss's gradient this fraction of the task's.
    """
    parameters = [p for p in getattr(model, 'student', model).parameters() if p.requires_grad]
    found: list[dict[str, Term]] = []
    try:
        for batch in batches:
            with buffers_kept(model):
                losses = _losses(model, model.data_preprocessor(batch, True), report)
                if hasattr(model, 'finite'):
                    model.finite.finish()
                found.append(_terms(losses, parameters))
    except (ConfigError, FloatingPointError) as error:
        report.errors += [] if report.errors else [str(error)]
        return
    except torch.OutOfMemoryError:
        report.errors.append('a step does not fit into device memory; lower train_dataloader.batch_size.')
        return
    for name in dict.fromkeys(name for terms in found for name in terms):
        term = _mean([terms[name] for terms in found if name in terms])
        short = name.removeprefix('distill.')
        if term.share is not None:
            loss = model.distiller.distill_losses[short]
            weight = getattr(loss, 'loss_weight', None)
            term.weight = float(weight) if isinstance(weight, (int, float)) else None
            term.scheduled = short in scheduled
        report.terms.append(term)
    report.warnings += _notes(report, share)


def _losses(model: Any, data: dict, report: Report) -> dict[str, Any]:
    """The losses of a batch; notes the records, and the error of each distillation loss, if any."""
    if not hasattr(model, 'distiller'):
        return model._run_forward(data, mode='loss')
    with model.recorded(**data) as losses:
        report.records = report.records or list(_records(model.distiller))
        try:
            return {**losses, **model.losses_of_records(data.get('data_samples'))}
        except ConfigError:
            report.errors += model.distiller.faults(model.idle_losses())
            raise


def _records(distiller: Any) -> Iterator[Record]:
    """The tensors that losses use; missing ones are reported when the loss is computed."""
    keys = [(s.from_student, s.recorder, s.record_idx, s.data_idx) for s in sources_of(distiller.wiring)]
    for from_student, name, record_idx, data_idx in sorted(dict.fromkeys(keys), key=lambda key: not key[0]):
        manager = distiller.student_recorders if from_student else distiller.teacher_recorders
        try:
            tensors = list(tensors_in(manager.get(name, record_idx, data_idx)))
        except ConfigError:
            continue
        label = (
            name + (f', call {record_idx}' if record_idx else '') + (f'[{data_idx}]' if data_idx is not None else '')
        )
        for i, tensor in enumerate(tensors):
            real = tensor.is_floating_point()
            yield Record(
                'student' if from_student else 'teacher',
                label + (f' ({i})' if len(tensors) > 1 else ''),
                list(tensor.shape),
                str(tensor.dtype).removeprefix('torch.'),
                tensor.detach().double().square().mean().sqrt().item() if real and tensor.numel() else None,
                tensor.requires_grad if real and from_student else None,
            )


def _terms(losses: dict[str, Any], parameters: list[Tensor]) -> dict[str, Term]:
    """The task's loss and the distillation losses, with the norms of their gradients."""
    sums = {
        name: sum((t.mean() for t in tensors_in(value)), torch.zeros(()))
        for name, value in losses.items()
        if 'loss' in name
    }
    distill = {name: value for name, value in sums.items() if name.startswith('distill.')}
    task = sum((value for name, value in sums.items() if name not in distill), torch.zeros(()))
    pulls = _gradients(task, parameters)
    found = {'task': Term('task', task.item(), _norm(pulls) if parameters else None)}
    for name, value in distill.items():
        own = _gradients(value, parameters)
        both = [p for p, g in zip(pulls, own, strict=True) if p is not None and g is not None]
        beside = _norm(both)
        norm = _norm(own) if parameters else None
        found[name] = Term(name, value.item(), norm, (norm or 0.0) / beside if beside else None)
    return found


def _gradients(loss: Tensor, parameters: list[Tensor]) -> list[Tensor | None]:
    if not loss.requires_grad or not parameters:
        return [None] * len(parameters)
    return list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))


def _norm(gradients: Iterable[Tensor | None]) -> float:
    squares = [g.double().square().sum() for g in gradients if g is not None]
    return torch.stack(squares).sum().sqrt().item() if squares else 0.0


def _mean(terms: list[Term]) -> Term:
    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    name, value = terms[0].name, mean([t.value for t in terms])
    return Term(name, value or 0.0, mean([t.norm for t in terms]), mean([t.share for t in terms]))


def _notes(report: Report, share: float) -> Iterator[str]:
    for record in report.records:
        if record.rms == 0:
            yield f'{record.side} recorder {record.name} records only zeros.'
    for term in report.terms:
        if term.share is None or LOW <= term.share <= HIGH:
            continue
        key = f'{DISTILLER_KEY}.distill_losses.{term.name.removeprefix("distill.")}'
        said = f"the gradient of {term.name} on the student is {100 * term.share:.2g} % of the task's"
        if term.share == 0:
            yield f'{said}: in these batches it trains nothing.'
        elif term.weight:
            yield f'{said}; {key}.loss_weight={term.weight * share / term.share:.2g} makes it {100 * share:.3g} %.'
        else:
            yield f'{said}; {share / term.share:.2g} times its weight in {key} makes it {100 * share:.3g} %.'
