"""The options of the commands, and the configs that they name."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import arguments, data_options
from support import MINI

from mmkd_ext import cli
from mmkd_ext.build import model_config
from mmkd_ext.errors import ConfigError


def test_a_config_file_that_does_not_exist_or_parse_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='there is no config file nowhere.py'):
        cli.train_config(arguments('nowhere.py'))
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(\n')
    with pytest.raises(ConfigError, match=r'broken\.py cannot be read'):
        cli.train_config(arguments(broken))


@pytest.mark.parametrize(
    ('module', 'reason'),
    [
        ('', r"ModuleNotFoundError: No module named 'own_parts'"),
        ('import nothing_at_all', r"No module named 'nothing_at"),
    ],
)
def test_an_import_that_fails_is_named_with_its_reason(
    module: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / 'config.py'
    config.write_text("custom_imports = dict(imports=['own_parts'], allow_failed_imports=False)\n")
    if module:
        (tmp_path / 'own_parts.py').write_text(module)
        monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ConfigError, match=rf'config\.py: custom_imports fails \(.*{reason}.*\); the folder .*'
    ) as error:
        cli.read_config(str(config))
    assert '\n' not in str(error.value)
    with pytest.raises(ConfigError, match=r'^model\.teacher: .*config\.py: custom_imports fails'):
        model_config(str(config), 'model.teacher')


def test_a_config_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'schedule.py').write_text('train_cfg = dict(max_epochs=1)\n')
    with pytest.raises(ConfigError, match=r'^.*schedule\.py defines no `model`\.$'):
        cli.train_config(arguments(tmp_path / 'schedule.py'))


def test_an_option_that_nothing_reads_is_refused(digits: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--cfg-options: .*has no `trian_cfg`.*'train_cfg'"):
        cli.train_config(arguments(MINI / 'faster_rcnn_cwt.py', *data_options(digits), 'trian_cfg.max_epochs=3'))


@pytest.mark.parametrize(
    ('option', 'words'),
    [
        ('model', r'^--cfg-options model is not a setting; write KEY=VALUE\.$'),
        ('train_cfg.max_epochs.x=1', r'^--cfg-options: max_epochs=.* cannot inherit from base .*student\.py\)\.$'),
        ('param_scheduler.9.begin=1', r'^--cfg-options: Index 9 exceeds the length of list .*student\.py\)\.$'),
    ],
)
def test_an_option_that_cannot_be_applied_is_one_sentence(option: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        cli.train_config(arguments(MINI / 'faster_rcnn_student.py', '--cfg-options', option))


@pytest.mark.parametrize(
    ('option', 'fields'),
    [
        ({'max_epochs': 24}, r'train_cfg\.max_epochs'),
        ({'data_root': 'data/mine/'}, r'train_dataloader\.dataset\.data_root'),
        ({'base_lr': 1e-4}, r'optim_wrapper\.optimizer\.lr'),
        ({'backend_args.backend': 'petrel'}, 'set the fields that have its value'),
    ],
)
def test_a_variable_that_was_used_when_the_file_was_read_is_refused(option: dict, fields: str) -> None:
    (name,) = {key.split('.')[0] for key in option}
    with pytest.raises(ConfigError, match=rf'^--cfg-options {name}: this is a variable of mmdet::.*{fields}'):
        cli.read_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', option)


def test_a_pure_python_config_is_refused_with_the_way_to_write_it_as_text(tmp_path: Path) -> None:
    lazy, text = tmp_path / 'lazy.py', tmp_path / 'lazy_text.py'
    lazy.write_text(
        'from torch.optim import SGD\noptim_wrapper = dict(optimizer=dict(type=SGD, lr=0.1))\nmodel = dict()\n'
    )
    with pytest.raises(ConfigError, match=r'lazy\.py uses classes \(type=SGD\) instead of names') as error:
        cli.read_config(str(lazy))
    (code,) = re.findall(r'python -c "(.*)"', str(error.value))
    subprocess.run([sys.executable, '-c', code], cwd=tmp_path, check=True, capture_output=True)
    assert cli.read_config(str(text)).optim_wrapper.optimizer.type == 'torch.optim.SGD'


def test_a_config_may_be_a_package_path() -> None:
    cfg = cli.read_config('mmdet::retinanet/retinanet_r18_fpn_1x_coco.py', {'model.bbox_head.num_classes': 7})
    assert (cfg.model.type, cfg.model.bbox_head.num_classes) == ('RetinaNet', 7)
    with pytest.raises(ConfigError, match=r'^mmdet::no/such\.py cannot be read'):
        cli.read_config('mmdet::no/such.py')


def test_every_command_on_a_config_has_the_same_options() -> None:
    parser = cli.config_parser('About it.')
    cli.add_launcher(parser)
    args = parser.parse_args(['mmdet::a.py', '--cfg-options', 'a.b=1', 'c=x,y', '--launcher', 'slurm'])
    assert (args.config, args.cfg_options, args.launcher) == ('mmdet::a.py', {'a.b': 1, 'c': ['x', 'y']}, 'slurm')
    assert parser.description == 'About it.'


@pytest.mark.parametrize(
    'value', ["[dict(type='A', b=2)]", 'dict(type=A)', "{'type': 'A'}", "[{'a': 1}]", '(dict(a=1),)']
)
def test_a_dict_among_the_options_is_refused_with_the_way_to_say_it(value: str) -> None:
    """MMEngine takes it for text, or recurses until Python stops it."""
    with pytest.raises(ConfigError, match=r'^--cfg-options custom_hooks: a dict .*custom_hooks\.KEY=VALUE'):
        cli.config_parser('').parse_args(['a.py', '--cfg-options', f'custom_hooks={value}'])


def test_other_values_of_options_are_as_mmengine_reads_them() -> None:
    words = ['a=1', 'b=[1,2]', 'c=x,y', 'd=/tmp/predict(1).pth', 'e=(1,2)']
    found = cli.config_parser('').parse_args(['a.py', '--cfg-options', *words]).cfg_options
    assert found == dict(a=1, b=[1, 2], c=['x', 'y'], d='/tmp/predict(1).pth', e=(1, 2))


def test_pairs_are_read_as_the_option_is() -> None:
    pairs = ['a.b=1', 'c=[x,2.5]', 'd=None', 'e=f=g']
    found = {'a.b': 1, 'c': ['x', 2.5], 'd': None, 'e': 'f=g'}
    assert (
        cli.parse_options(pairs)
        == found
        == cli.config_parser('').parse_args(['x', '--cfg-options', *pairs]).cfg_options
    )
    assert cli.parse_options([]) == {}
    with pytest.raises(ConfigError, match=r'^seed is not a setting; write KEY=VALUE\.$'):
        cli.parse_options(['seed'])


def test_the_local_rank_is_the_launchers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('LOCAL_RANK', 'SLURM_LOCALID'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    monkeypatch.setenv('OMPI_COMM_WORLD_LOCAL_RANK', '3')
    parser = argparse.ArgumentParser()
    parser.add_argument('config')
    cli.add_cfg_options(parser)
    cli.add_launcher(parser)
    cli.read_launched(parser.parse_args([str(MINI / 'resnet_student.py'), '--launcher', 'mpi']))
    assert os.environ['LOCAL_RANK'] == '3'
