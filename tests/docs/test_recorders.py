"""The table of docs/recorders.md, row by row, on the models that it names."""

import re
from functools import cache
from importlib import import_module

import pytest
import torch
from mmengine.registry import DefaultScope
from support import ROOT
from torch import nn

from mmkd_ext.build import build_model, model_config
from mmkd_ext.recipes import KINDS, METHODS
from mmkd_ext.registry import TASK_UTILS

PAGE = (ROOT / 'docs' / 'recorders.md').read_text()
ROW = re.compile(r'\| ([^|]+) \| `(\w+)` `(\S+)` \| (\d*) ?\| (\d*) ?\| ([\d, ]+) \|')
# Below the name of each config is the table of its model.
ROWS = [
    (config, *row)
    for config, text in re.findall(r'^`(\w+::\S+)`$(.*?)(?=^#)', PAGE, re.MULTILINE | re.DOTALL)
    for row in ROW.findall(text)
]


@cache
def model(config: str) -> nn.Module:
    return build_model(model_config(config, 'model.architecture'), 'model.architecture').eval()


@pytest.mark.slow
@pytest.mark.parametrize('row', ROWS, ids=lambda row: f'{row[0].rpartition("/")[2]}-{row[1]}')
def test_what_the_table_names_is_recorded(row: tuple) -> None:
    config, _, kind, source, record_idx, data_idx, shape = row
    recorder = TASK_UTILS.build(dict(type=f'mmkd_ext.{kind}', source=source))
    recorder.initialize(model(config))
    inputs = dict(inputs=torch.randn(1, 3, 128, 128))
    if config.startswith('mmdet'):
        batch = import_module('mmdet.testing').demo_mm_inputs(1, [[3, 128, 128]])
        inputs = model(config).data_preprocessor(batch)
    with recorder, torch.no_grad(), DefaultScope.overwrite_default_scope(config.partition('::')[0]):
        model(config)(**inputs, mode='tensor')
    record = recorder.get(int(record_idx or 0), int(data_idx) if data_idx else None)
    assert tuple(record.shape[1:]) == tuple(map(int, shape.split(',')))


def test_every_row_is_read() -> None:
    tables = PAGE.partition('## By kind of model')[2].partition('## Dense heads')[0]
    assert len(ROWS) == tables.count('\n| ') - tables.count('| what |')


@pytest.mark.parametrize('name', KINDS)
def test_the_table_of_kinds_is_that_of_the_recipes(name: str) -> None:
    (row,) = re.findall(rf'^\| {name} \| (.*) \|$', PAGE, re.MULTILINE)
    kind, cells = KINDS[name], row.split(' | ')
    bases, maps, scores, embedding, labels, methods = (cell.strip() for cell in cells)
    assert re.findall('`(mm.*?)`', bases) == [*kind.bases]
    assert re.findall('`(.*?)`', maps) == [kind.maps]
    assert re.findall('`([a-z_.]+)`', scores) == [part for part in (kind.logits, kind.scores, kind.pixels) if part]
    assert bool(embedding) == bool(kind.logits)
    assert labels.strip('`') == kind.labels
    assert methods.split(', ') == [method for method, about in METHODS.items() if name in about.on]
