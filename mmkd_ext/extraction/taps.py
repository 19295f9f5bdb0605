"""Where in a teacher's forward the embeddings and the labels are: from an NDLoss's mapping, or at the classifier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from mmkd_ext.distillers.mapping import DISTILLER_KEY
from mmkd_ext.errors import ConfigError, nearest

_USUAL = ('roi_head.bbox_head.fc_cls', 'head.fc')
_LOSSES = ('loss_cls', 'loss_module')  # the classification losses of mmdet's and mmpretrain's heads


class Tap(NamedTuple):
    """A recorder, the part of its records that is used, and the config key that names it."""

    recorder: dict
    key: str
    record_idx: int = 0
    data_idx: int | str | None = None

    @property
    def needed(self) -> int | None:
        """How many records are used; None for all, if the index counts from the end."""
        return None if self.record_idx < 0 else self.record_idx + 1

    def __str__(self) -> str:
        """For the file's header: `ModuleInputs head.fc [0]`."""
        index = '' if self.data_idx is None else f' [{self.data_idx}]'
        record = f' run {self.record_idx}' if self.record_idx else ''
        return f'{self.recorder.get("type")} {self.recorder.get("source")}{record}{index}'


def find_taps(
    model: Mapping, teacher: nn.Module, layer: str | None = None, file: str | Path | None = None
) -> dict[str, Tap]:
    """The taps for `embedding` and `labels`.

    Args:
        model: The config's `model`; if its distiller has an NDLoss, the mapping of that loss says where both are.
        teacher: The teacher.
        layer: Name of the teacher's classifier, whose input is the embedding; searched for if it is None and there is
            no NDLoss.
        file: The class-mean file to make; of several NDLosses, only those that read it count.

    Raises:
        ConfigError: If the mapping is incomplete, or no classifier or classification loss is found.
    """
    mapped = None if layer else _mapped_by_nd_loss(model.get('distiller') or {}, file)
    return mapped or _at_classifier(teacher, layer or find_classifier(teacher))


def find_classifier(teacher: nn.Module) -> str:
    """The name of the last linear layer, which returns the logits.

    Raises:
        ConfigError: If there is none, or more than one.
    """
    linear = {name: module for name, module in teacher.named_modules() if isinstance(module, nn.Linear)}
    for name in _USUAL:
        if name in linear:
            return name
    classes = getattr(getattr(teacher, 'head', None), 'num_classes', None)
    found = [name for name, module in linear.items() if name.startswith('head.') and module.out_features == classes]
    if len(found) == 1:
        return found[0]
    known = found or [name for name in linear if not name.startswith('backbone.')]
    raise ConfigError(
        f'--layer is needed: it is not clear which linear layer of {type(teacher).__name__} is the classifier; '
        f'{nearest("fc_cls", known)}.'
    )


def count_classes(taps: Mapping[str, Tap], teacher: nn.Module, layer: str | None, metainfo: Mapping) -> int:
    """K, background included: from a region head or the classifier, or otherwise from the data set.

    Args:
        taps: See `find_taps`.
        teacher: The teacher.
        layer: Name of the classifier, if the user gave one.
        metainfo: Metainfo of the data set.

    Raises:
        ConfigError: If neither gives the number.
    """
    names = [layer]
    if layer is None:
        try:
            names = [find_classifier(teacher)]
        except ConfigError:
            names = [taps['embedding'].recorder.get('source')]
    modules = dict(teacher.named_modules())
    for name in names:
        module = modules.get(name or '')
        if isinstance(module, nn.Linear):
            head = modules[str(name).rpartition('.')[0]]
            foreground = getattr(head, 'num_classes', None) if str(name).startswith('roi_head.') else None
            return module.out_features if foreground is None else foreground + 1  # however its loss uses them
    if not metainfo.get('classes'):
        raise ConfigError('--layer is needed: neither the teacher nor the data set says how many classes there are.')
    return len(metainfo['classes']) + hasattr(teacher, 'roi_head')  # with the background


def _at_classifier(teacher: nn.Module, layer: str) -> dict[str, Tap]:
    modules = dict(teacher.named_modules())
    if layer not in modules:
        raise ConfigError(f'--layer={layer} is not a module of {type(teacher).__name__}; {nearest(layer, modules)}.')
    head = layer
    while head:
        head = head.rpartition('.')[0]
        for loss in _LOSSES:
            name = f'{head}.{loss}'
            if name in modules:
                return dict(
                    embedding=Tap(dict(type='ModuleInputs', source=layer), f'--layer={layer}', data_idx=0),
                    labels=Tap(dict(type='ModuleInputs', source=name), f'--layer={layer}', data_idx=1),
                )
    raise ConfigError(
        f'--layer={layer}: no head of {type(teacher).__name__} around it has a classification loss '
        f'({" or ".join(_LOSSES)}), from which the labels are taken.'
    )


def _mapped_by_nd_loss(distiller: Mapping, file: str | Path | None) -> dict[str, Tap] | None:
    """The inputs of the NDLoss of a distiller's config, or None if there is no such loss."""
    losses = distiller.get('distill_losses') or {}
    names = [name for name, loss in losses.items() if str(dict(loss).get('type')).split('.')[-1] == 'NDLoss']
    readers = [name for name in names if file is not None and str(losses[name].get('class_means')) == str(file)]
    names = readers or names
    found = [
        dict(embedding=_mapped(distiller, name, 'teacher'), labels=_mapped(distiller, name, 'labels')) for name in names
    ]
    places = {tuple(str(tap) for tap in taps.values()) for taps in found}
    if len(places) > 1:
        raise ConfigError(
            f'{DISTILLER_KEY}.distill_losses has {len(names)} losses of type NDLoss with embeddings from different '
            f'places ({", ".join(names)}): choose one with --layer.'
        )
    return found[0] if found else None


def _mapped(distiller: Mapping, loss: str, argument: str) -> Tap:
    key = f'{DISTILLER_KEY}.loss_forward_mappings.{loss}.{argument}'
    entry = ((distiller.get('loss_forward_mappings') or {}).get(loss) or {}).get(argument)
    if not isinstance(entry, Mapping) or not {'recorder', 'from_student'} <= set(entry):
        raise ConfigError(f'{key} must be a dict with `from_student` and `recorder`, got {entry!r}.')
    if entry.get('connector') is not None:
        raise ConfigError(
            f"{key}.connector: class means are made from the teacher's own embeddings; leave out the connector."
        )
    values: dict[str, Any] = dict(
        recorder=entry['recorder'], record_idx=entry.get('record_idx', 0), data_idx=entry.get('data_idx')
    )
    for name, value in values.items():
        if isinstance(value, (list, tuple)):
            raise ConfigError(f'{key}.{name}: ND compares one embedding, not a list of levels; got {value!r}.')
    side = f'{"student" if entry["from_student"] else "teacher"}_recorders'
    recorders = distiller.get(side) or {}
    name = values.pop('recorder')
    if name not in recorders:
        raise ConfigError(f'{key}.recorder: {DISTILLER_KEY}.{side} has no {name!r}; {nearest(str(name), recorders)}.')
    return Tap(recorders[name], f'{DISTILLER_KEY}.{side}.{name}', **values)
