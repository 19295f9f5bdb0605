"""Find the records of a model that can be compared: it is built without weights and run on a small image of noise."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmkd_ext.build import build_model
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.taps import find_classifier
from mmkd_ext.recipes.kinds import CLASSIFIER, KINDS, kind_of
from mmkd_ext.recorders.base import tensors_in
from mmkd_ext.recorders.manager import RecorderManager

_TOKENS = 'PatchTokens'
BY_HAND = (
    'a config written by hand can compare any modules of two models by their names (recorders of type ModuleOutputs), '
    'and its teacher may be a backbone alone'
)


@dataclass(frozen=True)
class Record:
    """A record, or an item of one.

    Attributes:
        type: Type of the recorder.
        source: Source of the recorder.
        channels: C of a map or an embedding, K of logits.
        data_idx: Which item of the record it is; None for the whole record.
        stride: Stride of a map, in pixels of the image.
        trains: Whether anything before it is trained.
        fresh: Whether a level is more than a subsampled copy of the previous one.
        conv: Name of the neck's convolution whose output it is, if any.
    """

    type: str
    source: str
    channels: int
    data_idx: int | None = None
    stride: int = 0
    trains: bool = False
    fresh: bool = True
    conv: str | None = None

    @property
    def recorder(self) -> dict[str, str]:
        """The recorder's config."""
        return dict(type=self.type, source=self.source)


@dataclass
class Look:
    """The records of a model.

    Attributes:
        kind: One of `KINDS`.
        model: The network, with random weights.
        maps: The maps to compare: the levels of a neck, or the last map of a backbone.
        stages: The maps of the backbone, shallow to deep.
        logits: Class logits of a softmax, one for each stage of a cascade's heads.
        embedding: The input of the layer of each of these logits.
        labels: The labels in the classification loss of each of these logits.
        scores: Sigmoid class logits of the levels of a dense head.
        pixels: Class logits of the positions.
        why: For records that it does not have, the reason, as the end of a sentence.
    """

    kind: str
    model: Any
    maps: list[Record] = field(default_factory=list)
    stages: list[Record] = field(default_factory=list)
    logits: list[Record] = field(default_factory=list)
    embedding: list[Record] = field(default_factory=list)
    labels: list[Record] = field(default_factory=list)
    scores: list[Record] = field(default_factory=list)
    pixels: list[Record] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f'{self.kind} ({type(self.model).__name__})'


def look(cfg: ConfigDict, who: str) -> Look:
    """The records of a model that can be compared.

    Args:
        cfg: Config of the model, see `mmkd_ext.build.model_config`.
        who: `student` or `teacher`, for messages.

    Raises:
        ConfigError: If it cannot be built, is of an unknown kind, or cannot be run on an image.
    """
    with torch.random.fork_rng(devices=[]), DefaultScope.overwrite_default_scope(cfg.get('_scope_')):
        torch.manual_seed(0)
        model: Any = build_model(cfg, f'the {who}')
        kind = kind_of(model)
        if kind is None:
            raise ConfigError(
                f'--distill: the {who} is a {type(model).__name__}, but must be a {" or a ".join(KINDS)}; {BY_HAND}.'
            )
        if getattr(model, 'backbone', None) is None:
            raise ConfigError(f'--distill: the {who}, a {type(model).__name__}, has no `backbone`; {BY_HAND}.')
        found, sides = Look(kind, model), _sides(model, kind)
        for side in sides:
            try:
                with torch.set_grad_enabled(who == 'student'):
                    _look_at_maps(found, side)
                break
            except Exception as error:  # a model may fail in any way
                if side != sides[-1]:
                    continue
                text = (str(error).splitlines() or [''])[0]
                raise ConfigError(
                    f'--distill: the {who}, a {type(model).__name__}, cannot be run on an image of {side}x{side} '
                    f'({type(error).__name__}: {text}); {BY_HAND}.'
                ) from error
    _look_at_logits(found)
    return found


def _sides(model: Any, kind: str) -> list[int]:
    """The sides of the image to try: as small as possible, a multiple of all strides; larger if that is too small."""
    if kind != CLASSIFIER:
        return [256, 512]
    own = getattr(model.backbone, 'img_size', None)  # of a transformer
    if own:
        return [own[0] if isinstance(own, (list, tuple)) else own]
    return [32 if is_small(model) else 224]


def is_small(model: Any) -> bool:
    """Whether a classifier is for images of about 32x32, like the networks for CIFAR."""
    return 'cifar' in f'{type(model.backbone).__module__}.{type(model.backbone).__name__}'.lower()


def _look_at_maps(found: Look, side: int) -> None:
    """Run the model; note maps, stages, and the outputs of a dense head or a segmentor's head."""
    model, kind = found.model.eval(), KINDS[found.kind]
    maps = kind.maps if getattr(model, kind.maps, None) is not None else 'backbone'
    convs = [name for name, part in model.named_modules() if isinstance(part, nn.Conv2d) and name.startswith('neck.')]
    stages = _stage_names(model.backbone)
    pixels = _pixels(model) if kind.pixels else ''
    sources = [*dict.fromkeys([maps, 'backbone', *stages, *convs, *([pixels] if pixels else [])])]
    recorders = [dict(type='ModuleOutputs', source=name) for name in sources]
    tokens = _last_layer(model.backbone)
    if tokens:
        sources.append(_TOKENS)
        recorders.append(dict(type=_TOKENS, source=tokens))
    manager = RecorderManager({str(i): recorder for i, recorder in enumerate(recorders)})
    channels = getattr(model.data_preprocessor, 'mean', torch.zeros(3)).numel()
    image = torch.randn(1, channels, side, side)
    with manager.recording(model):
        features = model(image, mode='tensor') if pixels else model.extract_feat(image)
    records = zip(sources, manager.recorders.values(), strict=True)
    held = {name: recorder.get() for name, recorder in records if recorder.records}

    found.stages = [*_maps_in('backbone', held, side)]
    if len(found.stages) < 2:
        found.stages = _last_of_each_stride(stages, held, side)
    found.maps = [*_maps_in(maps, held, side, convs)]
    if kind.maps == 'backbone':
        found.maps = _last_map(found, held[maps], image)
    if not found.maps and _is_map(held.get(_TOKENS)):
        found.maps = [_replaced(_map(tokens, held[_TOKENS], side), type=_TOKENS)]
    if torch.is_grad_enabled():  # frozen maps learn nothing
        found.maps = [record for record in found.maps if record.trains]
    if not found.maps:
        found.why['maps'] = f'its {maps} returns {_described(held.get(maps))}, but no map (B, C, H, W) that is trained'
    if pixels and pixels in held:
        found.pixels = [_map(pixels, held[pixels], side)]
    elif kind.pixels:
        found.why['pixels'] = f'its {type(model.decode_head).__name__} has no conv_seg that returns them'
    if kind.scores:
        _look_at_scores(found, features, side)


def _last_map(found: Look, returned: Any, image: Tensor) -> list[Record]:
    """The last map of a backbone, counted from the end, as in heads; or its last stage."""
    last = found.maps[-1:] if _is_map([*tensors_in(returned)][-1]) else []
    if not last:
        alone = len(found.stages) < 2  # a single module that returns a map may be anywhere in the backbone
        return [] if alone else found.stages[-1:]
    place: int | None = -1
    if last[0].data_idx is None:
        place = _place_in_training(found.model.backbone, image, returned) if torch.is_grad_enabled() else None
    return [_replaced(last[0], data_idx=place)]


def _place_in_training(backbone: nn.Module, image: Tensor, map_: Tensor) -> int | None:
    """Which item of a backbone's result in training is the map that it returns alone in evaluation, as DDRNet does."""
    value = backbone.train()(torch.cat([image, image]))
    backbone.eval()
    items = list(enumerate(value)) if isinstance(value, (list, tuple)) else []
    return next((i for i, item in items if _is_map(item) and item.shape[1:] == map_.shape[1:]), None)


def _last_layer(backbone: Any) -> str:
    """The name of a vision transformer's last layer, whose patch tokens can be recorded as a map."""
    layers = getattr(backbone, 'layers', None)
    if not isinstance(layers, nn.ModuleList) or not hasattr(backbone, 'patch_embed'):
        return ''
    return f'backbone.layers.{len(layers) - 1}'


def _stage_names(backbone: nn.Module) -> list[str]:
    """The parts of a backbone that may be stages: with more than one layer, without a stem."""
    parts: list[tuple[str, nn.Module]] = []
    for name, child in backbone.named_children():
        inner = child.named_children() if isinstance(child, nn.ModuleList) else [('', child)]
        parts += [(f'backbone.{name}' + (f'.{i}' if i else ''), part) for i, part in inner]
    deep = [name for name, part in parts if sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in part.modules()) > 1]
    return [name for name in deep if 'stem' not in name]


def _is_map(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 4


def _map(source: str, value: Tensor, side: int, data_idx: int | None = None) -> Record:
    return Record('ModuleOutputs', source, value.shape[1], data_idx, round(side / value.shape[2]), value.requires_grad)


def _replaced(record: Record, **changes: Any) -> Record:
    return Record(**{**vars(record), **changes})


def _maps_in(source: str, held: Mapping[str, Any], side: int, convs: list[str] | None = None) -> Iterator[Record]:
    """The maps that a module returns."""
    value = held.get(source)
    before = None
    for i, item in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        if not _is_map(item):
            continue
        record = _map(source, item, side, i if isinstance(value, (list, tuple)) else None)
        fresh = before is None or not _same(before[..., ::2, ::2], item)
        conv = next((name for name in convs or [] if name in held and _same(held[name], item)), None)
        yield _replaced(record, fresh=fresh, conv=conv)
        before = item


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and a.shape == b.shape and torch.equal(a, b)


def _last_of_each_stride(names: list[str], held: Mapping[str, Any], side: int) -> list[Record]:
    """A backbone's stages, if it only returns its last map."""
    records = [_map(name, held[name], side) for name in names if _is_map(held.get(name))]
    return [*{record.stride: record for record in records}.values()]


def _described(value: Any) -> str:
    shapes = [f'({", ".join(["B", *map(str, tensor.shape[1:])])})' for tensor in tensors_in(value)]
    return ', '.join(shapes) or 'nothing that can be recorded'


def _pixels(model: Any) -> str:
    """The name of the convolution that returns a segmentor's logits, in the last head if there are several."""
    heads = len(model.decode_head) if isinstance(model.decode_head, nn.ModuleList) else 0
    name = f'decode_head.{heads - 1}.conv_seg' if heads else 'decode_head.conv_seg'
    return name if name in dict(model.named_modules()) else ''


def _look_at_scores(found: Look, features: Any, side: int) -> None:
    """Note a dense head's class logits: of a sigmoid, level by level."""
    head = getattr(found.model, 'bbox_head', None)
    classes = getattr(head, 'num_classes', None)
    if head is None:
        found.why['scores'] = 'it has no bbox_head'
        return
    if classes is None or getattr(head, 'cls_out_channels', None) != classes:
        found.why['scores'] = f'the classes of its {type(head).__name__} are not each a sigmoid'
        return
    if getattr(head, 'loss_obj', None) is not None:
        found.why['scores'] = f'its {type(head).__name__} trains them on objects only, next to an objectness score'
        return
    given = head(features)
    first = given[0] if isinstance(given, (list, tuple)) and given else None
    maps = [item for item in first if _is_map(item)] if isinstance(first, (list, tuple)) else []
    if not maps or any(item.shape[1] % classes for item in maps):
        found.why['scores'] = f'its {type(head).__name__} does not return maps of them, level by level'
    elif all(item.min() >= 0 and item.max() <= 1 for item in maps):
        found.why['scores'] = f'its {type(head).__name__} returns probabilities, not logits'
    else:
        found.scores = [_replaced(_map('bbox_head', item, side), data_idx=0) for item in maps]


def _look_at_logits(found: Look) -> None:
    """Note the layer that returns a softmax's logits; its input is the embedding."""
    model, kind = found.model, KINDS[found.kind]
    if not kind.logits:
        return
    places, labels = _classifiers(found)
    parts = dict(model.named_modules())
    for place, label in zip(places, labels, strict=True):
        layer, loss = parts.get(place), parts.get(label)
        if not isinstance(layer, nn.Linear) or loss is None:
            missing = label if isinstance(layer, nn.Linear) else f'linear layer {place}'
            found.why['logits'] = f'it has no {missing}'
        elif getattr(loss, 'use_sigmoid', False) or getattr(loss, 'custom_cls_channels', False):
            found.why['logits'] = f'its classes are trained by {type(loss).__name__} without a softmax'
        else:
            found.logits.append(Record('ModuleOutputs', place, layer.out_features))
            found.embedding.append(Record('ModuleInputs', place, layer.in_features, 0))
            found.labels.append(Record('ModuleInputs', label, 0, 1))
    if found.why.get('logits'):
        found.logits, found.embedding, found.labels = [], [], []


def _classifiers(found: Look) -> tuple[list[str], list[str]]:
    """The names of the classifier and of its loss, for each stage if there is a cascade."""
    kind = KINDS[found.kind]
    if found.kind == CLASSIFIER:
        try:
            return [find_classifier(found.model)], [kind.labels]
        except ConfigError:
            return [kind.logits], [kind.labels]
    head, part = found.model.roi_head, 'roi_head.bbox_head'
    heads = getattr(head, 'bbox_head', None)
    stages = [f'{part}.{i}' for i in range(len(heads))] if isinstance(heads, nn.ModuleList) else [part]
    return (
        [kind.logits.replace(part, stage) for stage in stages],
        [kind.labels.replace(part, stage) for stage in stages],
    )
