"""What a user's process sees: it imports mmengine, names this package in a config, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
from mmengine.registry import HOOKS, LOOPS, MODELS, TASK_UTILS

assert not any(name.split('.')[0] == 'mmkd_ext' for name in sys.modules)
built = [
    MODELS.build(dict(type='mmkd_ext.KDLoss', tau=2.0)),
    HOOKS.build(dict(type='mmkd_ext.ExactResumeHook')),
    TASK_UTILS.build(dict(type='mmkd_ext.ModuleOutputs', source='neck')),
    MODELS.build(dict(type='mmkd_ext.ChannelMLPConnector', in_channels=2, out_channels=3)),
    MODELS.build(dict(type='mmkd_ext.ConfigurableDistiller')),
]
print(*(type(part).__name__ for part in built))
import mmkd_ext.export
print(LOOPS.get('mmkd_ext.SingleTeacherDistillValLoop').__name__, MODELS.get('mmkd_ext.SingleTeacherDistill').__name__)
print(*(name for name in ('mmcv', 'mmdet', 'mmpretrain', 'mmseg', 'mmrazor.models') if name in sys.modules))
"""


@pytest.fixture(scope='module')
def lines() -> list[str]:
    done = subprocess.run([sys.executable, '-c', PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_mmengines_registries_build_our_types_by_name_alone(lines: list[str]) -> None:
    assert lines[-3].split() == [
        'KDLoss', 'ExactResumeHook', 'ModuleOutputsRecorder', 'ChannelMLPConnector', 'ConfigurableDistiller',
    ]  # fmt: skip
    assert lines[-2].split() == ['SingleTeacherDistillValLoop', 'SingleTeacherDistill']


def test_no_toolbox_is_imported_for_what_needs_none(lines: list[str]) -> None:
    assert lines[-1] == ''
