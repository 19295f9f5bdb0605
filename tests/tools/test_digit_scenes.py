import hashlib
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from tools.dataset import digit_scenes

pytest.importorskip('sklearn')
SMALL = digit_scenes.Settings(teacher=8, train=6, val=4, singles_teacher=30, singles_train=20, singles_val=10)
OPTIONS = ['--teacher', '8', '--train', '6', '--val', '4']
OPTIONS += ['--singles-teacher', '30', '--singles-train', '20', '--singles-val', '10']


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('data') / 'digit_scenes'
    assert digit_scenes.make(out, SMALL)
    return out


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob('*')
        if path.is_file()
    }


def test_same_seed_same_bytes(data: Path, tmp_path: Path) -> None:
    digit_scenes.make(tmp_path / 'again', SMALL)
    assert digests(tmp_path / 'again') == digests(data)


def test_other_seed_other_scenes(data: Path, tmp_path: Path) -> None:
    digit_scenes.make(tmp_path / 'other', replace(SMALL, seed=1))
    here, there = digests(data), digests(tmp_path / 'other')
    assert here.keys() == there.keys()
    assert not {here[name] for name in here if name.endswith('.jpg')} & set(there.values())


def test_more_scenes_keep_the_first(data: Path, tmp_path: Path) -> None:
    digit_scenes.make(tmp_path / 'more', replace(SMALL, train=7))
    here, there = digests(data), digests(tmp_path / 'more')
    images = [name for name in here if name.startswith('images')]
    assert {name: here[name] for name in images} == {name: there[name] for name in images}


def test_split_digits_is_stratified_and_disjoint() -> None:
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 40))
    parts = digit_scenes.split_digits(classes)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(400))
    assert {part: np.bincount(classes[indices]).tolist() for part, indices in parts.items()} == {
        'teacher': [20] * 10,
        'train': [10] * 10,
        'val': [10] * 10,
    }


@pytest.mark.parametrize('count', [8, 177, 640])
def test_split_is_disjoint_and_leaves_nothing_out(count: int) -> None:
    parts = digit_scenes.split(count)
    assert [i for part in digit_scenes.PARTS for i in range(count)[parts[part]]] == list(range(count))
    assert all(range(count)[part] for part in parts.values())


def test_pools_share_no_pixel_and_no_scan() -> None:
    pools = digit_scenes.load_pools()
    scans = {part: {scan.tobytes() for scan in pool.digits} for part, pool in pools.items()}
    for one, other in itertools.combinations(digit_scenes.PARTS, 2):
        assert not scans[one] & scans[other]
        for ours, theirs in zip(pools[one].photos, pools[other].photos, strict=True):
            assert not np.shares_memory(ours, theirs)
    assert sum(pool.photos[0].shape[1] for pool in pools.values()) == 640
    assert all(set(pool.classes) == set(range(10)) for pool in pools.values())


@pytest.mark.parametrize('part', digit_scenes.PARTS)
def test_coco_file(data: Path, part: str) -> None:
    coco = COCO(data / 'annotations' / f'instances_{part}.json')
    assert [(c['id'], c['name']) for c in coco.loadCats(coco.getCatIds())] == [(i + 1, str(i)) for i in range(10)]
    assert len(coco.getImgIds()) == getattr(SMALL, part)
    for image in coco.loadImgs(coco.getImgIds()):
        pixels = cv2.imread(str(data / 'images' / part / image['file_name']))
        assert pixels.shape == (image['height'], image['width'], 3) == (96, 96, 3)
        assert 2 <= len(coco.getAnnIds(image['id'])) <= 5


@pytest.mark.parametrize('part', digit_scenes.PARTS)
def test_masks_boxes_and_semantic_labels_agree(data: Path, part: str) -> None:
    coco = COCO(data / 'annotations' / f'instances_{part}.json')
    for image in coco.loadImgs(coco.getImgIds()):
        stem = Path(image['file_name']).stem
        semantic = cv2.imread(str(data / 'semantic' / part / f'{stem}.png'), cv2.IMREAD_UNCHANGED)
        expected = np.zeros((96, 96), np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(image['id'])):
            mask = coco.annToMask(annotation).astype(bool)
            rows, columns = np.nonzero(mask)
            x, y = columns.min(), rows.min()
            assert annotation['bbox'] == [x, y, columns.max() - x + 1, rows.max() - y + 1]
            assert annotation['area'] == mask.sum() >= digit_scenes.MIN_AREA * 96**2
            assert annotation['iscrowd'] == 0
            assert not expected[mask].any()
            expected[mask] = annotation['category_id']
        assert semantic.dtype == np.uint8
        assert np.array_equal(semantic, expected)


def test_most_of_each_digit_is_in_sight() -> None:
    pool = digit_scenes.load_pools()['val']
    for seed in range(20):
        scene = digit_scenes.make_scene(np.random.default_rng(seed), pool, 96)
        assert scene.image.shape == (96, 96, 3)
        assert set(np.unique(scene.owner)) == set(range(len(scene.classes) + 1))


def test_visible_area_of_a_whole_digit_is_the_area_told() -> None:
    digit = digit_scenes.load_pools()['val'].digits[0]
    rng = np.random.default_rng(0)
    opacity, area = digit_scenes.warp_digit(rng, digit, 60, np.array([80, 80]), 160)
    assert (opacity >= 0.5).sum() == pytest.approx(area, rel=0.03)


@pytest.mark.parametrize(('part', 'count'), [('teacher', 3), ('train', 2), ('val', 1)])
def test_single_digits(data: Path, part: str, count: int) -> None:
    for name in digit_scenes.CLASSES:
        paths = list((data / 'classification' / part / name).iterdir())
        assert len(paths) == count
        assert all(cv2.imread(str(path)).shape == (32, 32, 3) for path in paths)


def test_sheet_and_meta(data: Path) -> None:
    assert cv2.imread(str(data / 'contact_sheet.png')).shape[1] > 1600
    meta = json.loads((data / 'meta.json').read_text())
    assert meta['version'] == digit_scenes.VERSION
    assert meta['settings']['seed'] == 0
    assert not [path for path in data.parent.iterdir() if path != data]


def test_command_line_makes_it_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ['--out', str(tmp_path / 'new' / 'set'), *OPTIONS]
    digit_scenes.main(command)
    assert 'made' in capsys.readouterr().out
    digit_scenes.main(command)
    assert 'nothing to do' in capsys.readouterr().out


def test_other_settings_are_refused_unless_forced(tmp_path: Path) -> None:
    command = ['--out', str(tmp_path / 'set'), *OPTIONS]
    digit_scenes.main(command)
    with pytest.raises(SystemExit, match='made with other settings'):
        digit_scenes.main([*command, '--seed', '5'])
    digit_scenes.main([*command, '--seed', '5', '--force'])
    assert json.loads((tmp_path / 'set' / 'meta.json').read_text())['settings']['seed'] == 5
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_scenes_of_another_version_are_refused_and_said_to_be_so(tmp_path: Path) -> None:
    command = ['--out', str(tmp_path / 'set'), *OPTIONS]
    digit_scenes.main(command)
    meta = tmp_path / 'set' / 'meta.json'
    meta.write_text(json.dumps({**json.loads(meta.read_text()), 'version': digit_scenes.VERSION - 1}))
    with pytest.raises(SystemExit, match='another version of this tool.*--force'):
        digit_scenes.main(command)
    digit_scenes.main([*command, '--force'])
    assert json.loads(meta.read_text())['version'] == digit_scenes.VERSION


@pytest.mark.parametrize('force', [[], ['--force']])
def test_foreign_files_are_never_replaced(tmp_path: Path, force: list[str]) -> None:
    (tmp_path / 'thesis.txt').touch()
    with pytest.raises(SystemExit, match='did not make'):
        digit_scenes.main(['--out', str(tmp_path), *OPTIONS, *force])
    with pytest.raises(SystemExit, match='is a file'):
        digit_scenes.main(['--out', str(tmp_path / 'thesis.txt'), *OPTIONS, *force])
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.txt']


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    assert digit_scenes.make(tmp_path, SMALL)
    assert (tmp_path / 'meta.json').exists()


def test_a_stopped_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(digit_scenes, 'write_contact_sheet', stop)
    with pytest.raises(KeyboardInterrupt):
        digit_scenes.make(tmp_path / 'set', SMALL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('--teacher', '0'),
        ('--train', '0'),
        ('--val', '-3'),
        ('--size', '63'),
        ('--singles-val', '9'),
        ('--seed', '-1'),
        ('--seed', 'x'),
    ],
)
def test_bad_numbers(option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        digit_scenes.main(['--out', str(tmp_path / 'set'), option, value])
    assert f'{option}: {value!r} is not an integer of at least' in capsys.readouterr().err


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(SystemExit, match='cannot write --out'):
        digit_scenes.main(['--out', str(tmp_path / 'file' / 'set'), *OPTIONS])


def test_without_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(SystemExit, match=r'pip install "mmkd-ext\[demo\]"'):
        digit_scenes.main(['--out', str(tmp_path / 'set'), *OPTIONS])
    assert not list(tmp_path.iterdir())
