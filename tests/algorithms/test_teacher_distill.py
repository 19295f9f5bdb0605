"""What algorithms with one teacher or several share."""

import pytest
from mmengine.registry import DefaultScope
from tiny_detectors import HEAD, detector, distiller

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.errors import ConfigError


def test_a_teacher_with_regions_of_its_own_is_refused() -> None:
    """Each detector samples its own, and as many: without a word their rows would be compared."""
    message = rf"`student` \({HEAD}.fc_cls\) and `teacher` \({HEAD}.fc_cls\) see different regions.*'RoIDistill'"
    with DefaultScope.overwrite_default_scope('mmdet'), pytest.raises(ConfigError, match=message):
        SingleTeacherDistill(detector(), detector(), distiller(), teacher_strict=False)
