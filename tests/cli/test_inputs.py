"""What a run reads is looked for before anything is written."""

from pathlib import Path

import pytest
from commands import arguments, data_options
from mmengine.registry import DATASETS
from support import MINI

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError


def test_a_data_path_that_does_not_exist_is_named_before_anything_is_written(digits: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / 'work'
    options = [*data_options(digits), 'val_dataloader.dataset.ann_file=annotations/none.json']
    with pytest.raises(ConfigError, match=r'^val_dataloader\.dataset\.ann_file: .*none\.json does not exist'):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', '--work-dir', work_dir, *options))
    assert not work_dir.exists()


@pytest.mark.parametrize('listed', [False, True])
def test_an_evaluators_own_annotation_file_is_looked_for(digits: Path, listed: bool) -> None:
    cfg = cli.read_config(str(MINI / 'faster_rcnn_student.py'), {'val_dataloader.dataset.data_root': f'{digits}/'})
    cfg.val_evaluator.ann_file = str(digits / 'annotations/instances_val.json')
    cli.check_data(cfg, ('val_dataloader',))
    cfg.val_evaluator.ann_file = 'data/none.json'
    cfg.val_evaluator = [cfg.val_evaluator] if listed else cfg.val_evaluator
    key = r'val_evaluator\[0\]' if listed else 'val_evaluator'
    with pytest.raises(
        ConfigError, match=rf'^{key}\.ann_file: data/none\.json does not exist .*this path does not follow'
    ):
        cli.check_data(cfg, ('val_dataloader',))
    (cfg.val_evaluator[0] if listed else cfg.val_evaluator).backend_args = dict(backend='petrel')
    cli.check_data(cfg, ('val_dataloader',))


def test_class_means_that_are_not_there_are_made_by_a_command_that_is_named(digits: Path, tmp_path: Path) -> None:
    path, config = tmp_path / 'means.safetensors', MINI / 'faster_rcnn_nd.py'
    options = [*data_options(digits), f'model.distiller.distill_losses.loss_nd.class_means={path}']
    with pytest.raises(ConfigError) as error:
        cli.train_config(arguments(config, *options))
    assert str(error.value).startswith('model.distiller.distill_losses.loss_nd.class_means: there is no')
    assert f'python -m mmkd_ext class_means {config} --out {path} and the same --cfg-options' in str(error.value)
    asked = cli.train_config(arguments(config, *options, 'make_class_means=True'))
    assert cli.missing_class_means(asked) == [('model.distiller.distill_losses.loss_nd.class_means', str(path))]
    path.touch()
    assert not cli.missing_class_means(asked)


def test_data_behind_a_storage_client_is_not_looked_for(digits: Path) -> None:
    backends = [f'{part}.backend_args.backend=petrel' for part in ('val_dataloader.dataset', 'val_evaluator')]
    options = [*data_options(digits), *backends, 'val_evaluator.ann_file=cluster/val.json']
    cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *options, 'val_dataloader.dataset.data_root=cluster/'))


def test_an_option_that_names_a_missing_file_is_refused_and_a_url_is_not(tmp_path: Path) -> None:
    (tmp_path / 'there.pth').touch()
    for path in (None, 'https://host/file.pth', str(tmp_path / 'there.pth')):
        cli.check_file('--checkpoint', path)
    with pytest.raises(ConfigError, match=r'^--checkpoint: there is no file nowhere\.pth'):
        cli.check_file('--checkpoint', 'nowhere.pth')


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (('0', '1', 'two'), r'^train_dataloader\.dataset\.metainfo: two are not among the categories of .*train\.json'),
        (None, r'^train_dataloader\.dataset\.metainfo: person, .* \(CocoDataset has them; set .*which are 0, 1, 2'),
    ],
)
def test_classes_that_the_annotation_file_lacks_are_named(digits: Path, classes: tuple | None, message: str) -> None:
    cfg = cli.read_config(str(MINI / 'faster_rcnn_student.py'), {'train_dataloader.dataset.data_root': f'{digits}/'})
    cli.check_data(cfg, ('train_dataloader',))
    if classes:
        cfg.train_dataloader.dataset.metainfo.classes = classes
    else:
        del cfg.train_dataloader.dataset['metainfo']
    with pytest.raises(ConfigError, match=message):
        cli.check_data(cfg, ('train_dataloader',))


def test_the_classes_of_a_subclass_are_its_own(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Digits(DATASETS.get('mmdet.CocoDataset')):
        METAINFO = dict(classes=('0', '1', 'two'))

    DATASETS.register_module('InputsDigits', module=Digits, force=True)
    cfg = cli.read_config(str(MINI / 'faster_rcnn_student.py'), {'train_dataloader.dataset.data_root': f'{digits}/'})
    cfg.train_dataloader.dataset.type = 'InputsDigits'
    del cfg.train_dataloader.dataset['metainfo']
    with pytest.raises(ConfigError, match=r'metainfo: two \(InputsDigits has them'):
        cli.check_data(cfg, ('train_dataloader',))
    monkeypatch.setitem(Digits.METAINFO, 'classes', ('0', '1'))
    cli.check_data(cfg, ('train_dataloader',))


def test_fewer_classes_than_the_annotation_file_has_are_fine(digits: Path) -> None:
    cfg = cli.read_config(str(MINI / 'faster_rcnn_student.py'), {'train_dataloader.dataset.data_root': f'{digits}/'})
    cfg.train_dataloader.dataset.metainfo.classes = ('3', '5')
    cli.check_data(cfg, ('train_dataloader',))


@pytest.mark.parametrize('content', ['{"images": [', '[]', '{"categories": [{"id": 1}]}'])
def test_an_annotation_file_of_another_format_is_named(content: str, digits: Path, tmp_path: Path) -> None:
    (tmp_path / 'broken.json').write_text(content)
    options = [*data_options(digits), f'train_dataloader.dataset.ann_file={tmp_path}/broken.json']
    with pytest.raises(ConfigError, match=r"^train_dataloader\.dataset\.ann_file: .*broken\.json does not have COCO's"):
        cli.train_config(arguments(MINI / 'faster_rcnn_student.py', *options))


def test_classes_in_one_text_are_refused(digits: Path) -> None:
    options = [*data_options(digits), 'train_dataloader.dataset.metainfo.classes=cat']
    with pytest.raises(ConfigError, match=r"metainfo\.classes='cat' is neither .*; for one class write \('cat',\)"):
        cli.train_config(arguments(MINI / 'faster_rcnn_student.py', *options))


def test_several_paths_are_left_to_the_data_set(digits: Path) -> None:
    cfg = cli.read_config(str(MINI / 'faster_rcnn_student.py'), {'train_dataloader.dataset.data_root': f'{digits}/'})
    cfg.train_dataloader.dataset |= dict(ann_file=['a.json', 'b.json'], data_prefix=['a', 'b'])
    cli.check_data(cfg, ('train_dataloader',))
