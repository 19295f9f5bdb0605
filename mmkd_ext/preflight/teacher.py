"""Evaluate the teacher on a sample of the validation set: at chance it teaches nothing, or has other classes."""

import contextlib
import copy
import io
import math
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

from mmkd_ext.distillers.classes import class_count, class_names
from mmkd_ext.extraction.data import SEED, seeded_set
from mmkd_ext.preflight.report import Score

_NO_DETECTION = 0.002  # mean average precision that random boxes may reach


def one_process(loader: dict, **changes: Any) -> dict:
    """A data loader's config without workers.

    Args:
        loader: The config; it is not changed.
        **changes: Values that replace its own.
    """
    kept = {k: copy.copy(v) for k, v in loader.items() if k not in ('prefetch_factor', 'timeout', 'num_workers')}
    return dict(kept, persistent_workers=False, num_workers=0) | changes


def teachers_of(model: Any) -> dict[str, Any]:
    """The teachers of an algorithm: `teacher`, or each as `teacher` and its name."""
    taught = getattr(model, 'taught', {}).values()
    return {
        f'teacher {one.key.rpartition("teachers.")[2]}' if '.' in one.key else 'teacher': one.teacher for one in taught
    }


@torch.no_grad()
def score(who: str, teacher: Any, cfg: Config, images: int) -> Score:
    """Evaluate a teacher, with its own pixel normalisation, by the config's own metric.

    Args:
        who: Name of the teacher.
        teacher: The teacher.
        cfg: The config.
        images: Number of images, evenly spread over the validation set.
    """
    if not teacher.predicts:
        return Score(who, reason='not evaluated: a backbone alone has no predictions')
    if teacher.resized_in_vain:
        return Score(who, reason="not evaluated: its images are resized, but annotations are for the student's size")
    if not cfg.get('val_evaluator') or not cfg.get('val_dataloader'):
        return Score(who, reason='not evaluated: the config has no val_dataloader with a val_evaluator')
    dataset, _ = seeded_set(cfg, 'train', images, SEED, split='val')
    count, names = class_count(teacher.model), class_names(dataset.metainfo)
    if count and names and count[1] != len(names):
        return Score(who, reason=f'not evaluated: it has {count[1]} classes, the validation set has {len(names)}')
    try:
        metrics = _evaluate(teacher, cfg, dataset)
    except Exception as error:  # a teacher of another kind than the data's metric expects
        return Score(
            who, reason=f'not evaluated: val_evaluator rejects its predictions ({type(error).__name__}: {error})'
        )
    return judge(who, metrics, count[1] if count else None, len(dataset))


def _evaluate(teacher: Any, cfg: Config, dataset: Any) -> dict[str, float]:
    loader = Runner.build_dataloader(
        one_process(cfg.val_dataloader, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=False)), seed=SEED
    )
    evaluator = Evaluator(copy.deepcopy(cfg.val_evaluator))
    evaluator.dataset_meta = dataset.metainfo
    seen = []
    with contextlib.redirect_stdout(io.StringIO()):
        for batch in loader:
            outputs = teacher.predict(batch)
            evaluator.process(data_samples=outputs, data_batch=batch)
            seen += [output.img_id for output in outputs if hasattr(output, 'img_id')]
        for metric in evaluator.metrics:
            if getattr(metric, 'img_ids', seen) is None and seen:  # mmdet's, which count all images in their file
                metric.img_ids = seen
        found = evaluator.evaluate(len(dataset))
    return numbers(found)


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The entries of a toolbox's metrics that are a single number, including numpy numbers."""
    return {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float, np.number))}


def judge(who: str, metrics: dict[str, float], classes: int | None, images: int) -> Score:
    """Compare a metric with chance: one class in `classes`, and almost no boxes.

    Args:
        who: Name of the teacher.
        metrics: Metrics from a toolbox's evaluator.
        classes: Number of the teacher's classes, if known.
        images: Number of images in the sample; with few, even a good teacher may miss many.
    """
    found = Score(who, metrics, images=images)
    for name, value in metrics.items():
        last = name.rpartition('/')[2]
        if last.endswith('mAP') and not value < 0:  # -1: there is nothing to find in these images
            found.name, found.chance, found.fails = name, 0.0, value <= _NO_DETECTION
        elif last in ('top1', 'mIoU') and classes:
            chance = 1 / classes
            spread = 2 * math.sqrt(chance * (1 - chance) / images) if last == 'top1' else 0.0
            found.name, found.chance, found.fails = name, 100 * chance, value <= 100 * (chance + spread)
        if found.name:
            break
    return found
