"""The kinds of models that recipes know: by which base class, and where each has what methods compare."""

from typing import Any, NamedTuple

TWO_STAGE, DENSE, DETR = 'two-stage detector', 'dense detector', 'DETR detector'
SEGMENTOR, CLASSIFIER = 'segmentor', 'classifier'
DETECTORS = (TWO_STAGE, DENSE, DETR)


class Kind(NamedTuple):
    """Where a kind of model has what is compared, as names of its modules.

    Attributes:
        bases: The classes of the toolboxes that all models of the kind inherit from one of.
        maps: Gives the maps, in a tuple. Of a neck they are all compared, of a backbone the last.
        logits: Gives a softmax's class logits (N, K), and is given the embedding (N, C).
        labels: Is given the labels, second.
        scores: Gives a list of maps of sigmoid logits, first.
        pixels: Gives the class logits of the positions, (B, K, H, W).
    """

    bases: tuple[str, ...]
    maps: str
    logits: str = ''
    labels: str = ''
    scores: str = ''
    pixels: str = ''


KINDS: dict[str, Kind] = {
    TWO_STAGE: Kind(
        ('mmdet.TwoStageDetector',), 'neck', logits='roi_head.bbox_head.fc_cls', labels='roi_head.bbox_head.loss_cls'
    ),
    DETR: Kind(('mmdet.DetectionTransformer',), 'neck'),
    DENSE: Kind(('mmdet.SingleStageDetector', 'mmdet.SingleStageInstanceSegmentor'), 'neck', scores='bbox_head'),
    SEGMENTOR: Kind(('mmseg.BaseSegmentor',), 'backbone', pixels='decode_head.conv_seg'),
    CLASSIFIER: Kind(('mmpretrain.BaseClassifier',), 'backbone', logits='head.fc', labels='head.loss_module'),
}


def kind_of(model: Any) -> str | None:
    """The kind of a model by the classes that it inherits from; None for any other.

    A class counts by its name and its package, so that no toolbox is imported for it.
    """
    bases = {f'{base.__module__.split(".")[0]}.{base.__name__}' for base in type(model).__mro__}
    return next((name for name, kind in KINDS.items() if bases & {*kind.bases}), None)
