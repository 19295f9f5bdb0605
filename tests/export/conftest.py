from pathlib import Path

import mmdet.models  # noqa: F401  # what their scopes hold
import mmpretrain.models  # noqa: F401
import mmseg.models  # noqa: F401
import pytest


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images, in folders of their classes."""
    import mmcv
    import numpy as np

    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        mmcv.imwrite(pixels, str(tmp_path / 'images' / str(i % 2) / f'{i}.png'))
    return tmp_path / 'images'
