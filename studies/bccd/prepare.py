#!/usr/bin/env python
"""Prepare the data of this study: python studies/bccd/prepare.py --images DIR.

DIR is the folder BCCD of a checkout of https://github.com/Shenggan/BCCD_Dataset (folders JPEGImages, Annotations and
ImageSets/Main), or a folder in COCO's form (images, and annotations/instances_{train,val,test}.json). Images are halved
to 320 x 240 and written, with COCO annotations, to data/bccd in three parts: `student` is every other image of the
source's train, `teacher` the other ones and its val, `test` its test.
"""

import argparse
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import cv2

CLASSES = ('RBC', 'WBC', 'Platelets')
OUT = Path('data/bccd')
Image = tuple[Path, list[tuple[str, list[float]]]]


def read_voc(source: Path, part: str) -> Iterator[Image]:
    """The images of a part, with the class and the box (x, y, width, height) of each cell; VOC counts pixels from 1."""
    for name in sorted((source / 'ImageSets' / 'Main' / f'{part}.txt').read_text().split()):
        cells = []
        for cell in ET.parse(source / 'Annotations' / f'{name}.xml').iter('object'):
            corners = (cell.findtext(f'bndbox/{side}') for side in ('xmin', 'ymin', 'xmax', 'ymax'))
            left, top, right, bottom = (float(corner or 0) for corner in corners)
            cells.append((cell.findtext('name') or '', [left - 1, top - 1, right - left + 1, bottom - top + 1]))
        yield source / 'JPEGImages' / f'{name}.jpg', cells


def read_coco(source: Path, part: str) -> Iterator[Image]:
    """The same from COCO annotations."""
    content = json.loads((source / 'annotations' / f'instances_{part}.json').read_text())
    names = {category['id']: category['name'] for category in content['categories']}
    for image in sorted(content['images'], key=lambda image: image['file_name']):
        found = [cell for cell in content['annotations'] if cell['image_id'] == image['id']]
        yield source / 'images' / image['file_name'], [(names[cell['category_id']], cell['bbox']) for cell in found]


def write(images: list[Image], part: str) -> None:
    """Write images of half the size, and their annotations."""
    (OUT / part).mkdir(parents=True, exist_ok=True)
    entries, cells = [], []
    for number, (file, found) in enumerate(images):
        pixels = cv2.imread(str(file))
        if pixels is None:
            raise SystemExit(f'error: {file} cannot be read.')
        height, width = (side // 2 for side in pixels.shape[:2])
        cv2.imwrite(
            str(OUT / part / f'{file.stem}.png'), cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        )
        entries.append(dict(id=number, file_name=f'{file.stem}.png', width=width, height=height))
        for name, box in found:
            half = [side / 2 for side in box]
            cells.append(
                dict(
                    id=len(cells), image_id=number, category_id=CLASSES.index(name) + 1, bbox=half,
                    area=half[2] * half[3], iscrowd=0,
                )
            )  # fmt: skip
    categories = [dict(id=number, name=name) for number, name in enumerate(CLASSES, 1)]
    (OUT / f'{part}.json').write_text(json.dumps(dict(images=entries, annotations=cells, categories=categories)))


def main() -> None:
    """Read, split, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, required=True, help='folder of the source data')
    source = parser.parse_args().images
    read = read_voc if (source / 'ImageSets').is_dir() else read_coco
    train, val, test = (list(read(source, part)) for part in ('train', 'val', 'test'))
    write(train[::2], 'student')
    write(train[1::2] + val, 'teacher')
    write(test, 'test')


if __name__ == '__main__':
    main()
