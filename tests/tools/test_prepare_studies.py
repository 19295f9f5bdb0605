"""The data of the shipped studies, made of a few images in the layout of their public sources."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.models import EfficientNet
from pycocotools.coco import COCO

from studies import efficientnet_lite0
from studies.bccd import prepare as bccd
from studies.camvid import prepare as camvid
from studies.nuclei import prepare as nuclei

BOX = '<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>'


def run(module: object, folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr('sys.argv', ['prepare.py', '--images', str(source)])
    module.main()  # type: ignore[attr-defined]


def blank(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 12, 3), value, np.uint8))


def voc(root: Path) -> Path:
    for part, names in dict(train='abcde', val='f', test='g').items():
        sets = root / 'ImageSets' / 'Main'
        sets.mkdir(parents=True, exist_ok=True)
        (sets / f'{part}.txt').write_text('\n'.join(names) + '\n')
        for name in names:
            blank(root / 'JPEGImages' / f'{name}.jpg')
            (root / 'Annotations').mkdir(exist_ok=True)
            (root / 'Annotations' / f'{name}.xml').write_text(
                f'<annotation>{BOX.format("RBC", 1, 1, 12, 8)}{BOX.format("Platelets", 3, 5, 4, 8)}</annotation>'
            )
    return root


def coco(root: Path) -> Path:
    (root / 'annotations').mkdir(parents=True)
    boxes = [(3, [0.0, 0.0, 12.0, 8.0]), (7, [2.0, 4.0, 2.0, 4.0])]
    for part, names in dict(train='ecabd', val='f', test='g').items():
        for name in names:
            blank(root / 'images' / f'{name}.jpg')
        content = dict(
            images=[dict(id=i, file_name=f'{name}.jpg') for i, name in enumerate(names)],
            annotations=[
                dict(image_id=i, category_id=kind, bbox=box) for i in range(len(names)) for kind, box in boxes
            ],
            categories=[dict(id=3, name='RBC'), dict(id=7, name='Platelets')],
        )
        (root / 'annotations' / f'instances_{part}.json').write_text(json.dumps(content))
    return root


@pytest.mark.parametrize('layout', [voc, coco])
def test_blood_cells_are_halved_and_split(layout: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(bccd, tmp_path, layout(tmp_path / 'source'), monkeypatch)  # type: ignore[operator]
    found = {
        part: json.loads((tmp_path / f'data/bccd/{part}.json').read_text()) for part in ('student', 'teacher', 'test')
    }
    files = {part: [image['file_name'][0] for image in content['images']] for part, content in found.items()}
    assert files == dict(student=['a', 'c', 'e'], teacher=['b', 'd', 'f'], test=['g'])
    for part, content in found.items():
        names = {category['id']: category['name'] for category in content['categories']}
        assert [(names[cell['category_id']], cell['bbox']) for cell in content['annotations']][:2] == [
            ('RBC', [0, 0, 6, 4]), ('Platelets', [1, 2, 1, 2]),
        ]  # fmt: skip
        for image in content['images']:
            assert cv2.imread(str(tmp_path / 'data/bccd' / part / image['file_name'])).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ('images', 'labels', 'suffix'), [('{}', '{}annot', 'png'), ('img_dir/{}', 'ann_dir/{}', 'jpg')]
)
def test_street_scenes_are_halved_and_split_by_video(
    images: str, labels: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / 'source'
    for part, frames in dict(train=['x_1', 'x_2', 'x_3', 'y_1', 'y_2', 'y_3'], val=['y_4'], test=['z_1']).items():
        for frame in frames:
            blank(source / images.format(part) / f'{frame}.{suffix}')
            (source / labels.format(part)).mkdir(parents=True, exist_ok=True)
            label = np.full((8, 12), 10, np.uint8)
            label[:, 6:] = 11  # what nobody labelled
            cv2.imwrite(str(source / labels.format(part) / f'{frame}.png'), label)
    run(camvid, tmp_path, source, monkeypatch)
    for folder in ('images', 'labels'):
        root = tmp_path / 'data/camvid' / folder
        found = {part.name: sorted(file.stem for file in part.iterdir()) for part in root.iterdir()}
        assert found == dict(
            teacher=['x_1', 'x_2', 'y_1', 'y_2'], student=['x_3', 'y_3'], held_out=['y_4'], test=['z_1']
        )
    label = cv2.imread(str(tmp_path / 'data/camvid/labels/student/x_3.png'), cv2.IMREAD_UNCHANGED)
    assert label.shape == (4, 6)
    assert label[:, :3].tolist() == [[10] * 3] * 4
    assert label[:, 3:].tolist() == [[255] * 3] * 4


def nucleus_images(root: Path) -> Path:
    """An image for each part, a stained one and a bright one; one of them larger than the others."""
    square = {0: (slice(130, 150), slice(110, 140)), 1: (slice(0, 4), slice(0, 4)), 2: (slice(0, 2), slice(0, 3))}
    for digits, shape, colour in [
        ('00000005', (256, 256), (20, 20, 20)),
        ('00000006', (256, 256), (20, 20, 20)),
        ('0000000e', (1024, 1024), (20, 20, 20)),
        ('0000000a', (256, 256), (200, 120, 90)),
        ('0000000b', (256, 256), (220, 220, 220)),
    ]:
        name, scale = digits * 8, shape[0] // 256
        (root / name / 'images').mkdir(parents=True)
        (root / name / 'masks').mkdir()
        cv2.imwrite(str(root / name / 'images' / f'{name}.png'), np.full((*shape, 3), colour, np.uint8))
        for number, where in square.items():
            mask = np.zeros((256, 256), np.uint8)
            mask[where] = 255
            mask = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(root / name / 'masks' / f'{number}.png'), mask)
    return root


def test_nuclei_are_cut_out_and_split_by_the_image_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(nuclei, tmp_path, nucleus_images(tmp_path / 'source'), monkeypatch)
    for part, digits in dict(test='00000005', student='00000006', teacher='0000000e').items():
        content = COCO(str(tmp_path / f'data/nuclei/{part}.json'))
        (image,) = content.dataset['images']
        assert image['file_name'] == f'{digits * 2}.png'
        assert cv2.imread(str(tmp_path / 'data/nuclei' / part / image['file_name'])).shape == (256, 256, 3)
        # Of the image of 1024 pixels, the middle half at half the size; its corner is cut off.
        boxes = [[92, 132, 60, 40]] if part == 'teacher' else [[110, 130, 30, 20], [0, 0, 4, 4]]
        assert [nucleus['bbox'] for nucleus in content.dataset['annotations']] == boxes
        nucleus = content.dataset['annotations'][0]
        left, top, width, height = boxes[0]
        mask = content.annToMask(nucleus)
        assert mask[top : top + height, left : left + width].all()
        assert mask.sum() == nucleus['area'] == width * height


def published() -> dict[str, torch.Tensor]:
    """Weights with the names and shapes of the published file, all of them random."""
    names = {ours: theirs for theirs, ours in efficientnet_lite0.PARTS.items()}
    ends = {ours: theirs for theirs, ours in efficientnet_lite0.ENDS.items()}
    places = [f'layers.{stage}.{i}' for stage, blocks in enumerate(efficientnet_lite0.STAGES, 1) for i in range(blocks)]
    found = {'_fc.weight': torch.zeros(1000, 1280), '_fc.bias': torch.zeros(1000)}
    for key, value in EfficientNet('b0').state_dict().items():
        place, part = '.'.join(key.split('.')[:3]), '.'.join(key.split('.')[3:-1])
        name = key.rpartition('.')[2]
        if part in names:
            found[f'_blocks.{places.index(place)}.{names[part]}.{name}'] = torch.rand_like(value.float())
        elif '.se.' not in key:
            found[f'{ends[place]}.{name}'] = torch.rand_like(value.float())
    return found


def test_lite_weights_fit_the_backbone_and_leave_its_gates_open() -> None:
    weights = published()
    model = EfficientNet('b0', act_cfg=dict(type='ReLU6'))
    model.load_state_dict(efficientnet_lite0.rename(weights), strict=True)
    assert torch.equal(model.layers[4][5].linear_conv.conv.weight, weights['_blocks.10._project_conv.weight'])
    gate = model.layers[4][5].se
    x = torch.randn(2, 672, 3, 3)
    assert torch.equal(gate(x), x)
