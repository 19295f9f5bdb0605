"""A run knows what it is: by the settings that its weights depend on, wherever they are written down."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from support import MINI, ROOT

from mmkd_ext import cli, identity


def config(path: str, **options: Any) -> Config:
    cfg = Config.fromfile(ROOT / 'configs' / path)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    return cfg


def saved(cfg: Config, **meta: Any) -> dict:
    """What mmengine keeps of a config in a checkpoint."""
    return dict(meta=dict(cfg=cfg.pretty_text, **meta))


@pytest.mark.parametrize(
    'path', ['mini/faster_rcnn_cwt.py', 'cwt/pspnet_r101_r18_cityscapes.py', 'norm/resnet34_resnet18_in1k_kd.py']
)
def test_a_checkpoint_says_of_which_settings_it_is_as_the_config_does(path: str) -> None:
    cfg = config(path)
    assert identity.differences(identity.of_checkpoint(saved(cfg)), identity.settings(cfg), length=True) == []


def differences(**options: Any) -> list[str]:
    there = identity.settings(config('mini/faster_rcnn_cwt.py'))
    return identity.differences(there, identity.settings(config('mini/faster_rcnn_cwt.py', **options)))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(optim_wrapper__optimizer__lr=7e-3), r'optim_wrapper\.optimizer\.lr is [\d.]+ there and 0\.007 here'),
        (dict(model__teacher_ckpt='other.pth'), r"model\.teacher_ckpt is '.*' there and 'other.pth' here"),
        (dict(custom_hooks=[dict(type='EMAHook')]), r"custom_hooks\[0\]\.type is not set there and 'EMAHook' here"),
        (dict(randomness__diff_rank_seed=True), r'randomness\.diff_rank_seed is not set there and True here'),
    ],
)
def test_what_changes_the_weights_differs(options: dict, words: str) -> None:
    (found,) = differences(**options)
    assert re.fullmatch(words, found), found


def test_what_does_not_change_the_weights_is_free() -> None:
    how = dict(train_dataloader__num_workers=7, train_dataloader__dataset__data_root='/elsewhere/')
    shown = dict(train_cfg__val_interval=5, log_level='ERROR', work_dir='x', launcher='pytorch')
    longer = dict(train_cfg__max_epochs=99, custom_hooks=[dict(type='mmkd_ext.ExactResumeHook')])
    assert differences(**how, **shown, **longer) == []


def test_the_text_of_a_checkpoint_is_read_and_not_run(tmp_path: Path) -> None:
    text = f"model = dict(type=__import__('pathlib').Path({str(tmp_path / 'made')!r}).touch(), depth=-3)\n"
    assert identity.of_checkpoint(dict(meta=dict(cfg=text)))['model.depth'] == -3
    assert not (tmp_path / 'made').exists()
    assert identity.of_checkpoint(dict(meta=dict(cfg='model = ('))) is None
    assert identity.of_checkpoint(dict(state_dict={})) is None


def test_the_work_dir_names_the_method() -> None:
    assert cli.default_work_dir(str(MINI / 'pspnet_cwt.py')) == './work_dirs/mini/pspnet_cwt'
    assert cli.default_work_dir('/home/me/my_distillation.py') == './work_dirs/my_distillation'


def test_where_a_run_started_from_is_part_of_it_and_kept_when_it_goes_on(tmp_path: Path) -> None:
    first = Config(dict(model=dict(type='A'), work_dir=str(tmp_path), load_from='a.pth'))
    identity.write(first, 'a.py', None)
    identity.write(Config(dict(first.to_dict(), resume=True, load_from=f'{tmp_path}/epoch_1.pth')), 'a.py', None)
    there = identity.read(tmp_path)
    assert identity.differences(there, identity.settings(first), length=True) == []
    other = identity.settings(Config(dict(first.to_dict(), load_from='b.pth')))
    assert identity.differences(there, other, length=True) == ["load_from is 'a.pth' there and 'b.pth' here"]
    assert identity.differences(there, identity.settings(dict(model=dict(type='A'))), length=False) == []  # --resume


def test_a_run_is_not_resumed_with_another_teacher_under_the_same_name(tmp_path: Path) -> None:
    teacher, run = tmp_path / 'teacher.py', tmp_path / 'run.py'
    teacher.write_text(f'_base_ = {str(MINI / "resnet_teacher.py")!r}\n')
    run.write_text(f'_base_ = {str(MINI / "resnet_kd.py")!r}\nmodel = dict(teacher={str(teacher)!r})\n')

    def begun() -> Config:
        cfg = cli.read_config(str(run))
        cli.complete(cfg)
        return cfg

    cfg = begun()
    there = identity.of_checkpoint(saved(cfg))
    assert there == identity.settings(cfg)
    assert identity.differences(there, identity.settings(begun())) == []
    with teacher.open('a') as file:
        file.write('model = dict(backbone=dict(depth=34))\n')
    (found,) = identity.differences(there, identity.settings(begun()))
    assert re.fullmatch(rf"the content of {teacher} is '\w+' there and '\w+' here", found)
    cfg.pop('model_files')  # nor is it in the checkpoints of a toolbox's own train.py
    assert identity.differences(identity.settings(cfg), identity.settings(begun())) == []


def test_class_means_may_move_but_not_change(tmp_path: Path) -> None:
    def begun(folder: str, content: str) -> identity.Settings:
        means = tmp_path / folder / 'means.safetensors'
        means.parent.mkdir(exist_ok=True)
        means.write_text(content)
        cfg = config('mini/resnet_nd.py', model__distiller__distill_losses__loss_nd__class_means=str(means))
        identity.note_files(cfg)
        return identity.settings(cfg)

    there = begun('a', 'means')
    assert identity.differences(there, begun('b', 'means')) == []
    (found,) = identity.differences(there, begun('b', 'others'))
    assert re.fullmatch(r"the content of the class means of loss_nd is '\w+' there and '\w+' here", found)
    assert identity.differences(there, identity.settings(config('mini/resnet_kd.py')))


def test_weights_that_are_saved_again_are_the_same(tmp_path: Path) -> None:
    weights = {'a': torch.arange(3.0), 'b': torch.ones(2, 2)}
    torch.save(dict(state_dict=weights, meta=dict(time='now')), tmp_path / 'a.pth')
    torch.save(dict(state_dict=dict(reversed(weights.items())), meta=dict(time='later')), tmp_path / 'b.pth')
    assert identity.digest_of(tmp_path / 'a.pth') == identity.digest_of(tmp_path / 'b.pth') == '42e7de58a445'
    torch.save(dict(state_dict=weights | {'b': torch.zeros(2, 2)}), tmp_path / 'c.pth')
    assert identity.digest_of(tmp_path / 'c.pth') != identity.digest_of(tmp_path / 'a.pth')


def test_a_teacher_that_was_trained_again_under_the_same_file_name_is_another(tmp_path: Path) -> None:
    weights = tmp_path / 'teacher.pth'

    def begun(value: float, **options: Any) -> identity.Settings:
        torch.save(dict(state_dict={'a': torch.full((3,), value)}), weights)
        cfg = config('mini/resnet_kd.py', **options)
        identity.note_files(cfg)
        return identity.settings(cfg)

    one = dict(model__teacher_ckpt=str(weights))
    there = begun(1.0, **one)
    assert identity.differences(there, begun(1.0, **one)) == []  # saved again
    (found,) = identity.differences(there, begun(2.0, **one))
    assert re.fullmatch(r"the content of model\.teacher_ckpt is '\w+' there and '\w+' here", found)
    several = dict(model__teachers=dict(a=dict(teacher_ckpt=str(weights)), b=dict(teacher_ckpt='http://there/b.pth')))
    (found,) = identity.differences(begun(1.0, **several), begun(2.0, **several))
    assert 'the content of model.teachers.a.teacher_ckpt is' in found


def test_data_may_lie_elsewhere_but_other_annotations_are_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(fold: str, content: str) -> identity.Settings:
        (tmp_path / fold).mkdir(exist_ok=True)
        (tmp_path / fold / 'train.json').write_text(content)
        part = dict(type='CocoDataset', data_root=str(tmp_path / fold), ann_file='train.json')
        folders = dict(type='CustomDataset', data_root=str(tmp_path), ann_file='')
        data = dict(type='ConcatDataset', datasets=[part, folders])
        cfg = Config(dict(model=dict(type='A'), train_dataloader=dict(batch_size=2, dataset=data)))
        cli.complete(cfg)
        assert identity.settings(cfg) == identity.of_checkpoint(saved(cfg))
        return identity.settings(cfg)

    there = begun('fold1', 'images')
    assert identity.differences(there, begun('fold2', 'images'), length=True) == []
    (found,) = identity.differences(there, begun('fold2', 'others'))
    key = r'the content of train_dataloader\.dataset\.datasets\[0\]\.ann_file'
    assert re.fullmatch(rf"{key} is '\w+' there and '\w+' here", found)
    monkeypatch.setattr(identity, 'LARGEST', 5)
    assert identity.differences(begun('fold1', 'images'), begun('fold2', 'others')) == []  # of large ones the size
