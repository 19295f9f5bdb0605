#!/usr/bin/env python
"""Draw detections of several models side by side: tools/demo_pictures.py ANN_FILE IMAGE_DIR NAME=FILE... --out PNG.

FILE is what mmdet's test.py writes with --out; masks are drawn where all models have them. The scenes are the first of
the data set with 4 to 6 objects.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import mmengine
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError

mpl.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402


class Found(NamedTuple):
    """An object; `box` is x, y, width, height, `mask` is (H, W) of 0 and 1."""

    box: tuple[float, float, float, float]
    label: int
    score: float
    mask: np.ndarray | None


def ground_truth(coco: COCO, image_id: int) -> list[Found]:
    """The objects of an image, score 1."""
    classes = {cat: i for i, cat in enumerate(sorted(coco.cats))}
    return [
        Found(tuple(a['bbox']), classes[a['category_id']], 1.0, coco.annToMask(a) if a.get('segmentation') else None)
        for a in coco.loadAnns(coco.getAnnIds(image_id))
    ]


def predicted(results: list[dict], image_id: int, threshold: float) -> list[Found]:
    """The objects that a model is sure enough of."""
    found = next(r for r in results if r['img_id'] == image_id)['pred_instances']
    masks = [rle.decode(mask) for mask in found['masks']] if 'masks' in found else [None] * len(found['labels'])
    objects = zip(found['bboxes'].tolist(), found['labels'].tolist(), found['scores'].tolist(), masks, strict=True)
    return [
        Found((x1, y1, x2 - x1, y2 - y1), label, score, mask)
        for (x1, y1, x2, y2), label, score, mask in objects
        if score >= threshold
    ]


def draw(axis: plt.Axes, image: Image.Image, objects: list[Found], names: list[str], masks: bool) -> None:
    """One scene with boxes or masks, class and score."""
    axis.imshow(image)
    axis.set_axis_off()
    for (x, y, width, height), label, score, mask in objects:
        colour = f'C{label}'
        if masks and mask is not None:
            axis.imshow(np.dstack([np.broadcast_to(to_rgb(colour), (*mask.shape, 3)), 0.7 * mask]))
            axis.contour(mask, levels=[0.5], colors='white', linewidths=0.8)
        else:
            axis.add_patch(plt.Rectangle((x, y), width, height, fill=False, color=colour, linewidth=1.5))
        text = names[label] if score == 1.0 else f'{names[label]} {score:.2f}'
        style = dict(facecolor=colour, edgecolor='none', pad=0.8, alpha=0.85)
        axis.text(x, y, text, color='white', fontsize=7, va='bottom', bbox=style)


def main() -> None:
    """Read the annotations and predictions and draw a grid: a scene a row, a model a column."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann_file', type=Path)
    parser.add_argument('image_dir', type=Path)
    parser.add_argument('predictions', nargs='+', metavar='NAME=FILE')
    parser.add_argument('--out', type=Path, default=Path('detections.png'))
    parser.add_argument('--scenes', type=int, default=4)
    parser.add_argument('--score', type=float, default=0.5, help='smallest score shown')
    args = parser.parse_args()
    models = {}
    for entry in args.predictions:
        name, _, file = entry.partition('=')
        if not Path(file).is_file():
            raise ConfigError(f'{entry}: there is no file {file!r}; expected NAME=FILE.')
        models[name] = mmengine.load(file)
    masks = all('masks' in result['pred_instances'] for results in models.values() for result in results)
    coco = COCO(args.ann_file)
    names = [coco.cats[cat]['name'] for cat in sorted(coco.cats)]
    chosen = [i for i in sorted(coco.imgs) if 4 <= len(coco.getAnnIds(i)) <= 6][: args.scenes]
    columns = ['ground truth', *models]
    figure, axes = plt.subplots(
        len(chosen), len(columns), figsize=(3 * len(columns), 3 * len(chosen)), squeeze=False, layout='constrained'
    )
    for row, image_id in zip(axes, chosen, strict=True):
        with Image.open(args.image_dir / coco.imgs[image_id]['file_name']) as image:
            picture = image.convert('RGB')
        found = [
            ground_truth(coco, image_id),
            *(predicted(results, image_id, args.score) for results in models.values()),
        ]
        for axis, objects in zip(row, found, strict=True):
            draw(axis, picture, objects, names, masks)
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title(column)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=110)
    print(f'detections: {args.out}')


if __name__ == '__main__':
    cli.run(main)
