"""The studies that come with the project can be read, and their configs build."""

from pathlib import Path

import pytest
from mmengine.registry import MODELS, DefaultScope
from support import ROOT

from mmkd_ext.export.config import student_config
from mmkd_ext.studies.plan import read_study

STUDIES = sorted((ROOT / 'studies').glob('*/study.py'))


@pytest.mark.parametrize('path', STUDIES, ids=lambda path: path.parent.name)
def test_a_study_is_read_and_its_students_are_plain_models(path: Path) -> None:
    study = read_study(str(path))
    assert len(study.entries) > 1
    for entry in study.entries:
        plain = student_config(entry.cfg)
        with DefaultScope.overwrite_default_scope(plain.default_scope):
            assert MODELS.build(plain.model).backbone
    names = {entry.name for entry in study.entries}
    assert {name for pair in study.pairs for name in pair} <= names
    assert (path.parent / 'README.md').is_file()
