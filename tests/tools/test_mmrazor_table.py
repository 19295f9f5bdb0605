import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from support import ROOT, load_tool


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    return load_tool('mmrazor_table')


def test_differences_are_relative_of_each_loss_and_of_all_gradients_together(tool: ModuleType) -> None:
    expected = dict(a=torch.tensor(2.0), b=torch.tensor([3.0, 4.0]), zero=torch.tensor(0.0))
    found = dict(expected, a=torch.tensor(2.2))
    assert tool.difference(expected, expected, together=False) == 0
    assert tool.difference(expected, found, together=False) == pytest.approx(0.1)
    assert tool.difference(expected, found, together=True) == pytest.approx(0.2 / 29**0.5)
    assert tool.difference(expected, dict(a=expected['a']), together=True) == float('inf')
    assert tool.difference(expected, dict(expected, zero=torch.tensor(1e-3)), together=False) > 1


def test_nothing_that_is_fetched_stays_in_a_model(tool: ModuleType) -> None:
    init = dict(type='Pretrained', checkpoint='torchvision://resnet18')
    model = dict(
        architecture=dict(cfg_path='mmdet::a/b.py', pretrained=True),
        parts=[dict(type='ResNet', init_cfg=init, depth=18)],
        neck=dict(init_cfg=dict(type='Xavier')),
        teacher_ckpt='https://files/x.pth',
        init_cfg=init,
    )
    assert tool.offline(model) == dict(
        architecture=dict(cfg_path='mmdet::a/b.py', pretrained=False),
        parts=[dict(type='ResNet', depth=18)],
        neck=dict(init_cfg=dict(type='Xavier')),
    )


def test_the_table_says_what_ran_where_and_how_far_apart(tool: ModuleType, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        dict(config='a', there=True, here=True, renamed=True, losses=1e-7, gradients=2e-4),
        dict(config='b', there=False, here=True, renamed=False, reason='it | breaks'),
        dict(config='c', there=True, here=False, reason_here='not offered'),
    ]
    page = tmp_path / 'page.md'
    page.write_text(f'before\n\n{tool.MARKS[0]}\nold\n{tool.MARKS[1]}\n\nafter\n')
    for _ in range(2):
        tool.write(page, tool.table(rows))
    assert page.read_text().splitlines() == [
        'before',
        '',
        tool.MARKS[0],
        '',
        '| config | in MMRazor | here | losses | gradients | |',
        '|---|---|---|---|---|---|',
        '| `a` | yes | yes, names corrected | same | 2.0e-04 apart |  |',
        '| `b` | no | yes |  |  | not in MMRazor: it / breaks |',
        '| `c` | yes | no |  |  | not offered |',
        '',
        tool.MARKS[1],
        '',
        'after',
    ]


def test_what_has_a_result_is_not_run_again(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    results = tmp_path / 'results.jsonl'
    names = [path.stem for path in tool.configs() if 'wsld' in path.stem]
    results.write_text(''.join(json.dumps(dict(config=name, there=True, here=True)) + '\n' for name in names))
    monkeypatch.setattr('subprocess.run', lambda *_, **__: pytest.fail('it was run'))
    tool.run_all(['wsld'], results)
    assert len(names) == 1
    assert [row['config'] for row in tool.read(results)] == names


def test_the_page_has_a_row_for_each_config_of_the_wheel(tool: ModuleType) -> None:
    page = (ROOT / 'docs/from_mmrazor.md').read_text()
    names = [path.stem for path in tool.configs()]
    assert len(names) == 33
    assert all(f'| `{name}` |' in page for name in names)
