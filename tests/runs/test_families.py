"""Families of models from one line to the stock tools: distilled, resumed, exported, loaded alone, evaluated.

Students and teachers are the toolboxes' own configs, narrowed (see `families`); each family has another method.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from families import FAMILIES, write_config
from mmengine.config import Config
from support import ROOT, stock_tool

from mmkd_ext.build import build_model, model_config
from mmkd_ext.export.student import export_student

pytestmark = pytest.mark.slow
PREDICT = ROOT / 'tests' / 'runs' / 'predict.py'


def typed(name: str, folder: Path, digits: Path) -> list:
    """What a user types, but for the work dir; the teacher's weights are random."""
    student, teacher = folder / f'{name}.py', folder / 'teacher.py'
    write_config(name, student, digits)
    write_config(name, teacher, digits, teacher=True)
    torch.manual_seed(7)
    model = build_model(model_config(str(teacher), 'teacher'), 'teacher')
    torch.save(dict(state_dict=model.state_dict()), folder / 'teacher.pth')
    pair = ['--teacher', teacher, '--teacher-ckpt', folder / 'teacher.pth']
    return ['tools/train.py', student, '--distill', FAMILIES[name].method, *pair]


def load(path: Path) -> dict:
    return torch.load(path, map_location='cpu', weights_only=True)


@pytest.mark.parametrize('name', FAMILIES)
def test_one_line_distils_and_the_student_stands_alone(
    name: str, command: Callable, digits: Path, tmp_path: Path
) -> None:
    family, line = FAMILIES[name], typed(name, tmp_path, digits)
    student, (middle, last) = line[1], family.checkpoints
    run, cut, out = tmp_path / 'run', tmp_path / 'cut', tmp_path / 'out'
    done = command(*line, '--work-dir', run)
    assert done.returncode == 0, done.stderr
    assert 'distill.loss' in done.stdout + done.stderr

    shutil.copytree(run, cut, ignore=shutil.ignore_patterns(last))  # as if it had been stopped in the middle
    (cut / 'last_checkpoint').write_text(str(cut / middle))
    done = command(*line, '--work-dir', cut, '--resume')
    assert done.returncode == 0, done.stderr
    half, whole, resumed = (load(path) for path in (run / middle, run / last, cut / last))
    assert any(not torch.equal(value, half['state_dict'][name]) for name, value in whole['state_dict'].items())
    for part in ('state_dict', 'ema_state_dict'):
        for key, value in whole.get(part, {}).items():
            assert torch.equal(resumed[part][key], value), f'{part}: {key}'

    recipe = Config.fromfile(run / 'recipe' / f'{name}_{family.method}.py')
    exported = export_student(recipe, str(run / last), out, name, check=False, reload=False)
    pairs = [(exported.config, exported.checkpoint)]
    if family.method != 'norm':  # whose transform is folded away
        pairs.append((student, run / last))
    for config, checkpoint in pairs:
        done = command(PREDICT, config, checkpoint, checkpoint.with_suffix('.pred'), hidden=['mmkd_ext'])
        assert done.returncode == 0, done.stderr
    found = [torch.load(checkpoint.with_suffix('.pred')) for _, checkpoint in pairs]
    assert sum(value.numel() for value in found[0]) > 0
    assert all(torch.equal(a, b) for a, b in zip(found[0], found[-1], strict=True))

    words = [student, exported.checkpoint, '--work-dir', tmp_path / 'test']
    done = command(stock_tool(family.scope, 'test.py'), *words, hidden=['mmkd_ext'])
    assert done.returncode == 0, done.stderr
    assert f'{family.metric}: ' in done.stdout + done.stderr


@pytest.mark.parametrize('name', ['rtmdet', 'deformable_detr'])
def test_two_processes_have_the_same_weights(name: str, command: Callable, digits: Path, tmp_path: Path) -> None:
    line = typed(name, tmp_path, digits)
    with line[1].open('a') as file:
        hooks = '*_base_.custom_hooks[:1], ' if 'custom_hooks' in FAMILIES[name].model else ''
        file.write(f"custom_imports = dict(imports=['run_hooks'])\ncustom_hooks = [{hooks}dict(type='AgreeHook')]\n")
    done = command(*line, '--work-dir', tmp_path / 'run', '--launcher', 'pytorch', processes=2)
    assert done.returncode == 0, done.stderr
    assert '2 processes have the same' in done.stdout
