"""Norms and directions of embeddings, of a teacher and of students, which an NDLoss changes.

    norm      norm of the embedding that the classifier gets
    own       cosine of an embedding and the mean of the others of its class: how tight classes are
    teacher   cosine of an embedding and the teacher's mean of its class, as ND sees it: if the widths differ, after the
              connector, and only for checkpoints that have one. Running means are those of the checkpoint

Samples of the loss's `ignore_label` are left out, and for `teacher` those whose class has no mean.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmkd_ext import markdown
from mmkd_ext.checkpoints import load_checkpoint_file, load_weights, weights_of
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.data import SEED, reseed, seeded_set
from mmkd_ext.losses.nd import NDLoss

PANELS = {
    'norm': 'norm of the embedding',
    'own': "cosine to the class's own mean",
    'teacher': "cosine to the teacher's class mean",
}
Statistics = dict[str, Tensor]  # name to one value per sample


def compare(cfg: Config, checkpoints: Mapping[str, str], limit: int) -> dict[str, Statistics]:
    """The statistics of students and, last, of their teacher, over the validation set.

    Args:
        cfg: A distillation config with an NDLoss.
        checkpoints: Name to a checkpoint of its student, however it was trained.
        limit: Number of images.

    Raises:
        ConfigError: If there is no NDLoss, or a checkpoint does not belong to the student.
    """
    results: dict[str, Statistics] = {}
    means: Tensor | None = None
    values: dict[str, Tensor] = {}
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        model: Any = MODELS.build(cfg.model)
        model.init_weights()
        model.to(get_device())
        data, _ = seeded_set(cfg, 'test', limit, SEED, 'val')
        loader: dict = dict(batch_size=1, num_workers=0) | cfg.val_dataloader
        batches: DataLoader = DataLoader(
            data, loader['batch_size'], num_workers=loader['num_workers'], collate_fn=pseudo_collate
        )
        initial = copy.deepcopy(model.state_dict())
        loss_name, loss = find_nd_loss(model)
        connector = cfg.model.distiller.loss_forward_mappings[loss_name].student.get('connector')
        for name, path in checkpoints.items():
            model.load_state_dict(initial)
            has_connectors = load(model, path)
            values = collect(model, batches, name, connector)
            found = directions_of(loss)
            if found is None:
                print(
                    f'{path} has no running class means of {loss_name}, so there is no cosine to the teacher.',
                    flush=True,
                )
            means = found if found is not None else means
            results[name] = statistics(values, found, has_connectors or 'raw' not in values)
    theirs = dict(student=values['teacher'], labels=values['labels'])
    return results | {'teacher': statistics(theirs, means, True)}


def table(results: Mapping[str, Statistics]) -> str:
    """The means of the statistics, in Markdown."""
    rows = [['network', *PANELS]]
    for name, found in results.items():
        rows.append([name, *(f'{found[key].mean():.3f}' if len(found.get(key, ())) else '-' for key in PANELS)])
    return markdown.table(rows)


def find_nd_loss(model: Any) -> tuple[str, NDLoss]:
    """The NDLoss of an algorithm, and its name.

    Raises:
        ConfigError: If there is none.
    """
    losses = getattr(getattr(model, 'distiller', None), 'distill_losses', {})
    for name, loss in losses.items():
        if isinstance(loss, NDLoss):
            return name, loss
    raise ConfigError(
        'model.distiller.distill_losses has no NDLoss, whose mapping says where embeddings and classes are.'
    )


def load(model: Any, path: str) -> bool:
    """Load a student's checkpoint; returns whether it also has the connectors.

    Raises:
        ConfigError: If it does not belong to this student.
    """
    weights = weights_of(load_checkpoint_file(path, map_location='cpu'), path, without=('teacher.',))
    missing, unexpected = load_weights(model, weights, f"{path} does not belong to this config's student")
    wrong = [key for key in (*missing, *unexpected) if not key.startswith('distiller.')]
    if wrong:
        raise ConfigError(f"{path} does not belong to this config's student: {wrong[0]} is missing or unexpected.")
    return not any(key.startswith('distiller.connectors.') for key in missing)


@torch.no_grad()
def collect(model: Any, loader: DataLoader, name: str, connector: str | None) -> dict[str, Tensor]:
    """The inputs of the NDLoss and of the connector before it, (N, C) each, and labels (N,)."""
    _, loss = find_nd_loss(model)
    found: dict[str, list[Tensor]] = {'student': [], 'teacher': [], 'labels': [], 'raw': []}

    def given(_: Any, args: tuple, kwargs: dict) -> None:
        for key, value in kwargs.items():
            found[key].append(value.cpu())

    def before(_: Any, args: tuple) -> None:
        found['raw'].append(args[0].cpu())

    handles = [loss.register_forward_pre_hook(given, with_kwargs=True)]
    if connector:
        handles.append(model.distiller.connectors[connector].register_forward_pre_hook(before))
    model.eval()
    for i, batch in enumerate(tqdm(loader, desc=name, unit='batch')):
        reseed(SEED, 1, i)  # for the regions that a detector samples
        model(**model.data_preprocessor(batch, False), mode='loss')
    for handle in handles:
        handle.remove()
    labels = torch.cat(found['labels'])
    kept = torch.ones_like(labels, dtype=torch.bool) if loss.ignore_label is None else labels != loss.ignore_label
    values = {key: torch.cat(parts)[kept].float() for key, parts in found.items() if parts}
    return values | {'labels': labels[kept]}


def directions_of(loss: NDLoss) -> Tensor | None:
    """Directions of the class means (K, C), zeros for a class without one; None if there are no means at all."""
    means = (loss.sums.float() if loss.running else loss.directions).cpu()
    return means if means.any() else None


def cosine_to_means(embeddings: Tensor, labels: Tensor, means: Tensor | None = None) -> Tensor:
    """The cosine of each embedding and the mean of its class, (N,).

    Without `means`, the mean is that of the other embeddings of its class, and embeddings that are alone in their class
    are left out. With `means`, embeddings whose class has no mean are left out.
    """
    if means is not None:
        known = means[labels].any(dim=1)
        return torch.cosine_similarity(embeddings[known], means[labels[known]], dim=1)
    sums = torch.zeros(int(labels.max()) + 1, embeddings.shape[1]).index_add_(0, labels, embeddings)
    accompanied = labels.bincount()[labels] > 1
    return torch.cosine_similarity(embeddings, sums[labels] - embeddings, dim=1)[accompanied]


def statistics(values: Mapping[str, Tensor], means: Tensor | None, in_teachers_space: bool) -> dict[str, Tensor]:
    """The three statistics of a student, one value per sample; only two if there are no class means."""
    raw, labels = values.get('raw', values['student']), values['labels']
    found = dict(norm=raw.norm(dim=1), own=cosine_to_means(raw, labels))
    if in_teachers_space and means is not None:
        found['teacher'] = cosine_to_means(values['student'], labels, means)
    return found


def draw(results: Mapping[str, Mapping[str, Tensor]], path: Path) -> None:
    """Draw the distribution of each statistic, one curve per network, with its mean dotted."""
    figure = Figure(figsize=(5 * len(PANELS), 3.8), layout='constrained')
    axes: Any = figure.subplots(1, len(PANELS))
    for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
        shown = {name: found[key] for name, found in results.items() if key in found and len(found[key])}
        if not shown:
            axis.set_visible(False)
            continue
        low = min(float(values.min()) for values in shown.values())
        high = max(float(values.quantile(0.995)) for values in shown.values())
        for i, (name, values) in enumerate(results.items()):
            if name not in shown:
                continue
            kept = values[key].clamp(low, high)
            axis.hist(kept.numpy(), 60, range=(low, high), density=True, histtype='step', color=f'C{i}', label=name)
            axis.axvline(float(values[key].mean()), color=f'C{i}', ls=':', lw=1)
        axis.set_title(title)
        axis.set_yticks([])
        axis.legend(fontsize=8)
    figure.savefig(path, dpi=120)
