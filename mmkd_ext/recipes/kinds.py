"""The kinds of models that recipes support: their base classes, and where each has the records that methods compare."""

from typing import Any, NamedTuple

TWO_STAGE, DENSE, DETR = 'two-stage detector', 'dense detector', 'DETR detector'
SEGMENTOR, CLASSIFIER = 'segmentor', 'classifier'
DETECTORS = (TWO_STAGE, DENSE, DETR)


class Kind(NamedTuple):
    """The names of the modules with the records of a kind of model.

    Attributes:
        bases: Classes of the toolboxes; every model of the kind inherits from one of them.
        maps: Returns the maps, in a tuple. All maps of a neck are compared, but only the last one of a backbone.
        logits: Returns a softmax's class logits (N, K); its input is the embedding (N, C).
        labels: Gets the labels as its second input.
        scores: Returns a list of maps of sigmoid logits as its first output.
        pixels: Returns the class logits of the positions, (B, K, H, W).
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
    """The kind of a model, from the classes that it inherits from; None for any other model.

    Classes are compared by name and package, so that no toolbox has to be imported.
    """
    bases = {f'{base.__module__.split(".")[0]}.{base.__name__}' for base in type(model).__mro__}
    return next((name for name, kind in KINDS.items() if bases & {*kind.bases}), None)
