"""What recipes are made of."""

import pytest
from looks import cfg, detector, levels

from mmkd_ext.recipes.recipe import (
    Code,
    MisfitError,
    connectors_of,
    described,
    distiller_of,
    mapped,
    needed,
    weighted_head,
)


def test_what_a_model_lacks_is_a_misfit_with_its_reason() -> None:
    look = detector()
    assert needed(look.maps, look, 'student', 'maps', 'maps') is look.maps
    with pytest.raises(MisfitError, match=r'^the student \(Part\) has no maps: none is known$'):
        needed([], look, 'student', 'maps', 'maps')


def test_connectors_of_one_width_are_one_entry() -> None:
    connector = dict(type='Conv1x1Connector')
    assert connectors_of('maps', connector, [(4, 8)] * 3) == dict(
        maps=dict(type='Conv1x1Connector', in_channels=4, out_channels=8, levels=3)
    )
    assert 'levels' not in connectors_of('maps', connector, [(4, 8)])['maps']
    found = connectors_of('maps', dict(type='mmrazor.MGDConnector'), [(4, 8), (5, 8)])
    assert [part['student_channels'] for part in (found['maps0'], found['maps1'])] == [4, 5]


def test_an_argument_lists_items_and_connectors_where_there_are_several() -> None:
    one, two = levels(8, 4), levels(8, 4, 8)
    assert mapped(True, 'maps', one, ['a']) == dict(from_student=True, recorder='maps', data_idx=0, connector='a')
    found = mapped(False, 'maps', two, ['a', 'b'])
    assert (found['data_idx'], found['connector']) == ([0, 1], ['a', 'b'])


def test_a_distiller_leaves_out_what_it_has_not() -> None:
    assert distiller_of([dict(a=1), {}], {}, dict(loss=1), dict(loss=2)) == dict(
        type='ConfigurableDistiller', student_recorders=dict(a=1), distill_losses=dict(loss=1),
        loss_forward_mappings=dict(loss=2),
    )  # fmt: skip


def test_records_are_described_by_place_width_and_stride() -> None:
    assert described(levels(8, 4, 8)) == 'neck[0, 1] (8 channels, strides 4, 8)'
    assert described(detector().logits) == 'roi_head.bbox_head.fc_cls (6 channels)'


def test_a_head_keeps_its_own_loss_with_another_weight() -> None:
    assert repr(Code('_base_.model')) == '_base_.model'
    assert weighted_head(cfg(), 0.5)['loss'] == dict(type='CrossEntropyLoss', loss_weight=0.5)
    own = dict(model=dict(head=dict(loss=dict(type='mine'))))
    assert weighted_head(own, 0.5)['loss'] == {'*': '_base_.model.head.loss', 'loss_weight': 0.5}
