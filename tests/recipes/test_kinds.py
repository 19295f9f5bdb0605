"""By which base class a model is of a kind."""

import pytest

from mmkd_ext.recipes.kinds import kind_of


def stand_in(*bases: str) -> object:
    """An object of a class that inherits from classes of these names."""
    made: type = object
    for name in bases:
        package, _, name = name.rpartition('.')
        made = type(name, (made,), dict(__module__=f'{package}.models'))
    return made()


@pytest.mark.parametrize(
    ('bases', 'kind'),
    [
        (['mmdet.TwoStageDetector', 'mmdet.FasterRCNN', 'mine.Detector'], 'two-stage detector'),
        (['mmdet.DetectionTransformer', 'mmdet.DINO'], 'DETR detector'),
        (['mmdet.SingleStageDetector', 'mmdet.GFL'], 'dense detector'),
        (['mmseg.BaseSegmentor', 'mmseg.EncoderDecoder'], 'segmentor'),
        (['mmpretrain.BaseClassifier', 'mmpretrain.ImageClassifier'], 'classifier'),
        (['mine.TwoStageDetector'], None),
        (['mmpretrain.BaseSelfSupervisor', 'mmpretrain.MAE'], None),
    ],
)
def test_a_kind_is_that_of_a_base_class_of_a_toolbox(bases: list, kind: str | None) -> None:
    assert kind_of(stand_in(*bases)) == kind
