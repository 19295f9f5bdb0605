from pathlib import Path

import pytest
import torch
from distilled_toys import make
from toys import toy

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill


@pytest.fixture
def algorithm() -> SingleTeacherDistill:
    return make()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Weights of `toy(8)`, as mmengine saves them."""
    path = tmp_path / 'teacher.pth'
    torch.save(dict(state_dict=toy(8).state_dict(), meta=dict(epoch=1)), path)
    return path
