import json
import re
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config

from mmkd_ext.errors import ConfigError
from mmkd_ext.studies import results
from mmkd_ext.studies.results import append, data_of, find, hash_of, provenance, read


def config(folder: Path, **changes: dict) -> Config:
    folder.mkdir(exist_ok=True)
    teacher = folder / 'teacher.py'
    if not teacher.exists():
        teacher.write_text("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))\n")
        (folder / 'teacher.pth').write_bytes(b'weights')
    model = dict(type='mmkd_ext.SingleTeacherDistill', teacher=str(teacher), teacher_ckpt=str(folder / 'teacher.pth'))
    return Config(dict(dict(model=model, train_cfg=dict(max_epochs=2), randomness=dict(seed=1)), **changes))


def test_the_hash_is_of_settings_and_of_what_files_hold_not_of_where_they_lie(tmp_path: Path) -> None:
    here = hash_of(config(tmp_path / 'a'))
    assert hash_of(config(tmp_path / 'b')) == here
    assert hash_of(config(tmp_path / 'a', randomness=dict(seed=2))) == here
    assert hash_of(config(tmp_path / 'a', train_cfg=dict(max_epochs=3))) != here
    tests = [
        hash_of(
            config(
                tmp_path / 'a', test_dataloader=dict(batch_size=size, dataset=dict(data_root=root, data_prefix=part))
            )
        )
        for size, root, part in ((2, 'x', 'val'), (4, 'y', 'val'), (2, 'x', 'held_out'))
    ]
    assert here != tests[0] == tests[1] != tests[2]
    (tmp_path / 'b' / 'teacher.pth').write_bytes(b'others')
    assert hash_of(config(tmp_path / 'b')) != here
    (tmp_path / 'a' / 'teacher.py').write_text(
        "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=34))\n"
    )
    assert hash_of(config(tmp_path / 'a')) != here


def test_lines_are_found_again_and_other_settings_are_refused(tmp_path: Path) -> None:
    assert read(tmp_path / 'new') == []
    line = dict(run='kd', seed=1, metrics={'mIoU': 40.5}, settings='abc', **provenance())
    append(tmp_path / 'new', line)
    append(tmp_path / 'new', dict(line, seed=2))
    lines = read(tmp_path / 'new')
    assert lines == json.loads(json.dumps([line, dict(line, seed=2)]))
    assert find(lines, 'kd', 2, 'abc', tmp_path) == lines[1]
    assert find(lines, 'kd', 3, 'abc', tmp_path) is None
    with pytest.raises(ConfigError, match=r'results.jsonl has kd, seed 1, with other settings \(hash abc, now xyz\)'):
        find(lines, 'kd', 1, 'xyz', tmp_path)
    (tmp_path / 'new' / 'results.jsonl').open('a').write('{"half":')
    with pytest.raises(ConfigError, match='line 3 is not JSON'):
        read(tmp_path / 'new')


def test_the_data_of_a_run_is_what_its_annotations_hold(tmp_path: Path) -> None:
    def digest(train: str, test: str) -> str | None:
        for name, content in (('train', train), ('test', test)):
            (tmp_path / f'{name}.json').write_text(content)
        loaders = {
            f'{name}_dataloader': dict(dataset=dict(data_root=str(tmp_path), ann_file=f'{name}.json'))
            for name in ('train', 'test')
        }
        return data_of(config(tmp_path / 'a', **loaders))

    first = digest('a', 'b')
    assert first == digest('a', 'b')
    assert len({first, digest('c', 'b'), digest('a', 'c')}) == 3
    assert data_of(config(tmp_path / 'a')) is None

    lines = [dict(run='kd', seed=1, settings='abc', data=first), dict(run='old', seed=1, settings='abc')]
    assert find(lines, 'kd', 1, 'abc', tmp_path, first) == find(lines, 'kd', 1, 'abc', tmp_path) == lines[0]
    assert find(lines, 'old', 1, 'abc', tmp_path, first) == lines[1]
    with pytest.raises(ConfigError, match=rf'kd, seed 1, with other annotations \(digest {first}, now xyz\)'):
        find(lines, 'kd', 1, 'abc', tmp_path, 'xyz')


def test_a_number_says_what_made_it() -> None:
    found = provenance()
    assert {'python', 'torch', 'mmengine'} <= found['versions'].keys()
    assert found['device']


def test_the_revision_is_marked_where_code_differs_and_not_for_results(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ['-c', 'user.name=a', '-c', 'user.email=a@b']
        subprocess.run(['git', '-C', str(tmp_path), *who, *words], check=True, capture_output=True)

    assert results._revision(tmp_path) is None
    code, lines = tmp_path / 'package' / 'code.py', tmp_path / 'results.jsonl'
    code.parent.mkdir()
    code.write_text('a = 1')
    lines.write_text('')
    git('init')
    git('add', '.')
    git('commit', '-m', 'first')
    name = results._revision(code.parent)
    assert re.fullmatch('[0-9a-f]{12}', name)
    lines.write_text('{}')
    assert results._revision(code.parent) == name
    code.write_text('a = 2')
    assert results._revision(code.parent) == f'{name}-dirty'
