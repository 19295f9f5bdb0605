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


def test_building_a_teacher_leaves_the_random_numbers_to_the_student() -> None:
    """So a run from stored outputs, which has no teacher, starts with the same weights."""
    drawn = []
    for source in (dict(type='ToyModel', width=6), toy(2, width=6)):
        make(toy(1), source, teacher_strict=False)  # which seeds
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
