"""A training without its teacher has the losses of one with it, whatever way its images come."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from distilled_toys import make
from mmengine.config import Config
from support import MINI
from toys import batch, toy

from mmkd_ext.algorithms.single_teacher import SingleTeacherDistill
from mmkd_ext.algorithms.stored_outputs import FORMAT, NOTE
from mmkd_ext.errors import ConfigError
from mmkd_ext.extraction.teacher_outputs import (
    _Store,
    check_teacher_outputs,
    make_teacher_outputs,
    teacher_settings,
)

CONFIG = MINI / 'resnet_kd.py'
pytestmark = pytest.mark.slow


def losses(work_dir: Path, name: str = 'distill.loss_kd') -> list[float]:
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in scalars.read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def options(digits: Path, teacher: Path, *more: str) -> list[str]:
    root = f'{digits}/classification/'
    loaders = [f'{part}_dataloader.dataset.data_root={root}' for part in ('train', 'val', 'test')]
    short = ['train_dataloader.batch_size=8', 'default_hooks.logger.interval=1', 'randomness.seed=3']
    return ['--cfg-options', *loaders, *short, f'model.teacher_ckpt={teacher}', 'val_cfg=None', 'val_dataloader=None',
            'val_evaluator=None', *more]  # fmt: skip


@pytest.mark.parametrize('workers', [0, 2])
def test_losses_are_those_with_the_teacher_running(
    workers: int, command: Callable, digits: Path, teacher_ckpt: Callable, tmp_path: Path
) -> None:
    teacher = teacher_ckpt('resnet_teacher')
    loader = [f'train_dataloader.num_workers={workers}', f'train_dataloader.persistent_workers={workers > 0}']

    def run(script: str, epochs: int, *words: object, **more: str) -> str:
        extra = [f'train_cfg.max_epochs={epochs}', *loader, *(f'{key}={value}' for key, value in more.items())]
        done = command(script, CONFIG, *words, *options(digits, teacher, *extra))
        return f'{done.returncode} {done.stdout}{done.stderr}'

    out = tmp_path / 'outputs'
    assert run('tools/teacher_outputs.py', 1, '--out', out).startswith('0')
    said = run('tools/teacher_outputs.py', 2, '--out', out)
    assert said.startswith('0'), said
    assert 'has 5 of 10 steps' in said
    assert re.search(r'kB will be written', said)
    stored = {'model.teacher_outputs': str(out)}
    said = run('tools/train.py', 2, '--work-dir', tmp_path / 'without', **stored)
    assert said.startswith('0'), said
    found = losses(tmp_path / 'without')
    assert len(found) == 10
    if workers:  # without workers, fetches of a usual run depend on what its steps draw
        assert run('tools/train.py', 2, '--work-dir', tmp_path / 'with').startswith('0')
        assert found == pytest.approx(losses(tmp_path / 'with'), rel=2e-2)
        assert found[0] == pytest.approx(losses(tmp_path / 'with')[0], rel=1e-3)
        refused = run('tools/train.py', 2, '--work-dir', tmp_path / 'other', **stored, **{'randomness.seed': '4'})
        assert 'randomness.seed is 3 there and 4 here' in refused
        longer = run('tools/train.py', 3, '--work-dir', tmp_path / 'longer', **stored)
        assert 'has the outputs of 2 epochs, but train_cfg asks for 3' in longer


def test_a_config_without_outputs_is_not_asked() -> None:
    check_teacher_outputs(Config.fromfile(CONFIG), 1)


def test_settings_are_of_data_and_teacher_and_not_of_the_student() -> None:
    cfg = Config.fromfile(CONFIG)
    before = teacher_settings(cfg, 1)
    cfg.optim_wrapper.optimizer.lr = 7.0
    cfg.model.architecture.backbone.base_channels = 4
    assert teacher_settings(cfg, 1) == before
    cfg.train_dataloader.batch_size += 1
    assert teacher_settings(cfg, 1) != before
    assert teacher_settings(Config.fromfile(CONFIG), 2) != before


def test_another_teacher_under_the_same_name_is_another_run(tmp_path: Path) -> None:
    cfg = Config.fromfile(CONFIG)
    cfg.model.teacher_ckpt = str(tmp_path / 'teacher.pth')

    def settings_with(weight: float, **meta: str) -> dict:
        torch.save(dict(state_dict={'a': torch.full((3,), weight)}, meta=meta), tmp_path / 'teacher.pth')
        return teacher_settings(cfg, 1)

    assert settings_with(1.0, time='now') == settings_with(1.0, time='later') != settings_with(2.0)


def test_without_a_seed_nothing_is_stored(tmp_path: Path) -> None:
    cfg = Config.fromfile(CONFIG)
    cfg.randomness = dict(seed=None)
    with pytest.raises(ConfigError, match=r'^randomness\.seed is missing'):
        make_teacher_outputs(cfg, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


class TestTheLargestLogits:
    @pytest.fixture
    def model(self) -> SingleTeacherDistill:
        head = dict(
            logits=dict(type='ModuleOutputs', source='head'), embedding=dict(type='ModuleInputs', source='head')
        )

        def pair(recorder: str, data_idx: int | None = None) -> dict:
            entry = dict(recorder=recorder, data_idx=data_idx)
            return dict(student=dict(entry, from_student=True), teacher=dict(entry, from_student=False))

        labels = dict(from_student=True, recorder='labels')
        return make(
            teacher=toy(2),
            distiller=dict(
                type='ConfigurableDistiller',
                student_recorders=dict(head, labels=dict(type='Parameter', source='gain')),
                teacher_recorders=head,
                distill_losses=dict(
                    loss_kd=dict(type='KDLoss', tau=1.0), loss_nd=dict(type='NDLoss', class_means=torch.eye(3, 4))
                ),
                loss_forward_mappings=dict(loss_kd=pair('logits'), loss_nd=dict(pair('embedding', 0), labels=labels)),
            ),
        )

    def test_an_embedding_beside_them_is_kept_whole(self, model: SingleTeacherDistill, tmp_path: Path) -> None:
        store = _Store(model, tmp_path, {}, length=1, top=2)
        model(**batch(), mode='loss')
        assert store.held['0/logits/0/None'].shape == (4, 2)
        assert store.held['0/embedding/0/0'].shape == (4, 4)
        assert '0/embedding/0/0:others' not in store.held

    @pytest.mark.parametrize(('name', 'value'), [('top', 3), ('records', ['logits/0/None'])])
    def test_a_folder_is_continued_only_with_the_same_outputs(
        self, name: str, value: object, model: SingleTeacherDistill, tmp_path: Path
    ) -> None:
        note = dict(format=FORMAT, top=2, records=['embedding/0/0', 'logits/0/None'])
        (tmp_path / NOTE).write_text(json.dumps(note))
        _Store(model, tmp_path, {}, length=1, top=2)
        (tmp_path / NOTE).write_text(json.dumps(dict(note, **{name: value})))
        with pytest.raises(ConfigError, match=f'has other outputs: {name} is'):
            _Store(model, tmp_path, {}, length=1, top=2)
