"""What algorithms with one teacher or several share."""

import pytest
import torch
from distilled_toys import make
from mmengine.registry import DefaultScope
from tiny_detectors import HEAD, detector, distiller
from toys import toy

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.errors import ConfigError


def test_a_teacher_with_regions_of_its_own_is_refused() -> None:
    """Each detector samples its own, and as many: without a word their rows would be compared."""
    message = rf"`student` \({HEAD}.fc_cls\) and `teacher` \({HEAD}.fc_cls\) see different regions.*'RoIDistill'"
    with DefaultScope.overwrite_default_scope('mmdet'), pytest.raises(ConfigError, match=message):
        SingleTeacherDistill(detector(), detector(), distiller(), teacher_strict=False)


@pytest.mark.parametrize('part', ['mask_head.conv_logits', 'mask_roi_extractor'])
def test_masks_of_different_regions_are_refused(part: str) -> None:
    recorders = dict(masks=dict(type='ModuleOutputs', source=f'roi_head.{part}'))
    wiring = dict(
        type='ConfigurableDistiller',
        student_recorders=recorders,
        teacher_recorders=recorders,
        distill_losses=dict(loss_masks=dict(type='mmdet.MSELoss')),
        loss_forward_mappings=dict(
            loss_masks=dict(
                pred=dict(from_student=True, recorder='masks'), target=dict(from_student=False, recorder='masks')
            )
        ),
    )
    network = detector('mask_rcnn')
    with (
        DefaultScope.overwrite_default_scope('mmdet'),
        pytest.raises(ConfigError, match=rf'loss_masks: .*\(roi_head\.{part}\) see different regions.* the neck\.$'),
    ):
        SingleTeacherDistill(network, network, wiring, teacher_strict=False)


def test_building_a_teacher_leaves_the_random_numbers_to_the_student() -> None:
    """So a run from stored outputs, which has no teacher, starts with the same weights."""
    drawn = []
    for source in (dict(type='ToyModel', width=6), toy(2, width=6)):
        make(toy(1), source, teacher_strict=False)  # which seeds
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
