#!/usr/bin/env python
"""Prepare the data of this study: python studies/tiny_imagenet/prepare.py --images DIR.

DIR is tiny-imagenet-200, unpacked from http://cs231n.stanford.edu/tiny-imagenet-200.zip. Of every other class, in the
order of their names, the first 200 training images are shrunk to 32 x 32 and written to data/tiny_imagenet_32: 50 for
students, 20 for choosing weights (held_out), and 130 for the teacher; and the 50 validation images, for results (val).
"""

import argparse
from collections import defaultdict
from pathlib import Path

import cv2

SIDE = 32
PARTS = (('student', 0, 50), ('held_out', 50, 70), ('teacher', 70, 200))
OUT = Path('data/tiny_imagenet_32')


def write(images: list[Path], part: str, name: str) -> None:
    """Shrink images and write them to a class's folder."""
    folder = OUT / part / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in images:
        pixels = cv2.imread(str(file))
        if pixels is None:
            raise SystemExit(f'error: {file} is not an image.')
        cv2.imwrite(str(folder / f'{file.stem}.png'), cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def main() -> None:
    """Choose, shrink, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, required=True, help='folder tiny-imagenet-200')
    source = parser.parse_args().images
    validation = defaultdict(list)
    for line in (source / 'val' / 'val_annotations.txt').read_text().splitlines():
        file, name = line.split()[:2]
        validation[name].append(source / 'val' / 'images' / file)
    for name in sorted(folder.name for folder in (source / 'train').iterdir())[::2]:
        images = sorted((source / 'train' / name / 'images').iterdir(), key=lambda file: int(file.stem.split('_')[1]))
        for part, begin, end in PARTS:
            write(images[begin:end], part, name)
        write(sorted(validation[name]), 'val', name)


if __name__ == '__main__':
    main()
