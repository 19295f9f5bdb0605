"""For pairs with a shipped config, the recipe of the same two models says the same."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from support import ROOT, load_tool

from mmkd_ext import recipes
from mmkd_ext.build import model_config
from mmkd_ext.cli import read_config
from mmkd_ext.recipes.kinds import DENSE
from mmkd_ext.recipes.methods import METHODS

IN1K = [
    ('cwt', 'cwt/resnet34_resnet18_in1k'),
    ('kd', 'baselines/resnet34_resnet18_in1k_kd'),
    ('dkd', 'baselines/resnet34_resnet18_in1k_dkd'),
    ('dist', 'baselines/resnet34_resnet18_in1k_dist'),
    ('nd', 'nd/resnet34_resnet18_in1k'),
    ('norm', 'norm/resnet34_resnet18_in1k'),
    ('kd', 'baselines/vit_s_resnet18_in1k_kd'),
]
CIFAR = [
    ('kd', 'baselines/resnet32x4_resnet8x4_cifar100_kd'),
    ('dist', 'baselines/resnet32x4_resnet8x4_cifar100_dist'),
    ('nd', 'nd/resnet32x4_resnet8x4_cifar100'),
    ('norm', 'norm/wrn40_2_wrn40_1_cifar100'),
]
ALONE = [
    ('tfd', 'tfd/resnet18_in1k_tfd'),
    ('tffd', 'tfd/resnet8x4_cifar100_tffd'),
    ('tfd', 'tfd/faster_rcnn_r50_coco_tfd'),
    ('tffd', 'tfd/pspnet_r18_cityscapes_tffd'),
]
LARGE = [
    *(('cwt', f'cwt/{name}') for name in ('faster_rcnn_r101_r50_coco', 'pspnet_r101_r18_cityscapes')),
    ('cwt', 'cwt/retinanet_x101_r50_coco'),
    *((name, f'baselines/faster_rcnn_r101_r50_2x_coco_{name}') for name in ('cwd', 'pkd', 'mgd', 'fitnet')),
    *((name, f'baselines/faster_rcnn_r101_r50_1x_coco_{name}') for name in ('kd', 'dkd', 'reviewkd')),
    *((name, f'baselines/pspnet_r101_r18_cityscapes_{name}') for name in ('cwd', 'pkd', 'mgd', 'fitnet')),
    ('nd', 'nd/faster_rcnn_r101_r50_coco'),
]
PAIRS = [
    *(pytest.param(*pair, id=pair[1]) for pair in (*IN1K, *CIFAR)),
    *(pytest.param(*pair, id=pair[1], marks=pytest.mark.slow) for pair in (*ALONE, *LARGE)),
]


@cache
def look(source: str, who: str) -> recipes.Look:
    return recipes.look(model_config(source, who), who)


def same(name: str, record: dict, data_idx: Any) -> tuple:
    """A record's place, whichever way it is named: a ResNet's last output is its last stage's."""
    if record['source'] == 'backbone' and isinstance(data_idx, int):
        stage = 4 if data_idx == -1 else data_idx + 1
        return record['type'], f'backbone.layer{stage}', None
    return record['type'], record['source'], data_idx


def connector(cfg: dict | None) -> dict | None:
    """A connector, FitNet's whichever class it is of: a 1x1 convolution."""
    cfg = dict(cfg) if cfg else None
    if cfg and cfg['type'] == 'mmrazor.ConvModuleConnector':
        assert cfg.pop('act_cfg') is None
        cfg = dict(cfg, type='Conv1x1Connector', in_channels=cfg.pop('in_channel'), out_channels=cfg.pop('out_channel'))
    return cfg


def wiring(distiller: dict) -> dict:
    """What a distiller does, whatever its parts are called: for each argument of a loss its places and connector."""
    found = {}
    for loss, arguments in distiller['loss_forward_mappings'].items():
        for argument, entry in arguments.items():
            recorders = distiller['student_recorders' if entry['from_student'] else 'teacher_recorders']
            names, items = entry['recorder'], entry.get('data_idx')
            lists = [part for part in (names, items) if isinstance(part, (list, tuple))]
            count = len(lists[0]) if lists else 1
            names = names if isinstance(names, (list, tuple)) else [names] * count
            items = items if isinstance(items, (list, tuple)) else [items] * count
            places = [same(name, recorders[name], item) for name, item in zip(names, items, strict=True)]
            through = connector((distiller.get('connectors') or {}).get(entry.get('connector')))
            found[f'{loss}.{argument}'] = (places, through)
    return found


def losses(distiller: dict) -> dict:
    return {
        name: {
            key: value for key, value in loss.items() if key != 'class_means' and (key, value) != ('loss_weight', 1.0)
        }
        for name, loss in distiller['distill_losses'].items()
    }


def hooks(cfg: Config) -> list:
    return [{k: v for k, v in hook.items() if (k, v) != ('begin', 0)} for hook in cfg.get('custom_hooks') or []]


@pytest.mark.parametrize(('method', 'name'), PAIRS)
def test_the_recipe_is_the_shipped_config(method: str, name: str, tmp_path: Path) -> None:
    path = ROOT / 'configs' / f'{name}.py'
    shipped = Config.fromfile(path)
    student = str(load_tool('config_tables').bases(path)[0])
    teacher = shipped.model.get('teacher', '')
    cfg = read_config(student)
    looks = look(student, 'student'), look(teacher, 'teacher') if teacher else None
    names = recipes.Names(method, student, teacher, shipped.model.get('teacher_ckpt') or '')
    recipe = recipes.choose(method, *looks, cfg)
    written = tmp_path / 'written.py'
    written.write_text(recipes.recipe_text(recipe, names, *looks, cfg, 'written', False))
    made = Config.fromfile(written)
    a, b = (dict(c.model) for c in (made, shipped))
    ours, theirs = (model.pop('distiller') for model in (a, b))
    assert a == b
    assert losses(ours) == losses(theirs)
    assert wiring(ours) == wiring(theirs)
    assert made.optim_wrapper == shipped.optim_wrapper
    if 'max_epochs' in cfg.train_cfg and cfg.train_cfg.max_epochs > 12:  # a hook's numbers are epochs then
        assert hooks(made) == hooks(shipped)
    assert made.custom_imports == shipped.custom_imports


def test_pkd_weighs_the_maps_of_a_dense_detector_as_its_configs_do() -> None:
    """The levels differ: the configs leave out the coarsest, which a recipe compares."""
    shipped = Config.fromfile(ROOT / 'configs/baselines/retinanet_r101_r50_2x_coco_pkd.py')
    assert METHODS['pkd'].on[DENSE].losses == shipped.model.distiller.distill_losses
