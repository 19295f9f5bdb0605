#!/usr/bin/env python
"""Draw detections of several models side by side: tools/demo_pictures.py ANN_FILE IMAGE_DIR NAME=FILE... --out PNG.

FILE is the output of mmdet's test.py with --out; masks are drawn if all models have them. Boxes are green if class and
place (IoU of 0.5) are right, otherwise red. The scenes are those where the second model is furthest ahead of the first
in box AP, computed per image and on the shown detections: the best cases, not typical ones. With one model, the first
scenes of the data set are drawn.
"""

import argparse
import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import mmengine
import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

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
    """The detections of a model with a sufficient score."""
    found = next(r for r in results if r['img_id'] == image_id)['pred_instances']
    masks = [rle.decode(mask) for mask in found['masks']] if 'masks' in found else [None] * len(found['labels'])
    objects = zip(found['bboxes'].tolist(), found['labels'].tolist(), found['scores'].tolist(), masks, strict=True)
    return [
        Found((x1, y1, x2 - x1, y2 - y1), label, score, mask)
        for (x1, y1, x2, y2), label, score, mask in objects
        if score >= threshold
    ]


def image_ap(coco: COCO, results: list[dict], threshold: float = 0.0) -> dict[int, float]:
    """Box AP, 0 to 1, of each image that has objects, by image id: COCO's metric on a data set of one image.

    Args:
        coco: The annotations.
        results: A model's predictions.
        threshold: Smallest score that counts.
    """
    categories = sorted(coco.cats)
    boxes = []
    for result in results:
        found = result['pred_instances']
        for (x1, y1, x2, y2), label, score in zip(
            found['bboxes'].tolist(), found['labels'].tolist(), found['scores'].tolist(), strict=True
        ):
            if score < threshold:
                continue
            box = {'image_id': result['img_id'], 'bbox': [x1, y1, x2 - x1, y2 - y1], 'score': score}
            boxes.append({**box, 'category_id': categories[label]})
    aps = {}
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(boxes) if boxes else COCO(), 'bbox')
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ['all']
        evaluation.params.maxDets = [100]
        for image_id in (i for i in sorted(coco.imgs) if coco.getAnnIds(i)):
            evaluation.params.imgIds = [image_id]
            evaluation.evaluate()
            evaluation.accumulate()
            precision = evaluation.eval['precision']
            aps[image_id] = float(precision[precision > -1].mean())
    return aps


def choose(aps: list[dict[int, float]], count: int) -> list[int]:
    """The images where the second model gains most over the first, largest gain first; with one model, the first ones.

    Args:
        aps: AP of each image, by image id, for each model.
        count: How many images.
    """
    images = list(aps[0])
    if len(aps) > 1:
        images.sort(key=lambda image: aps[0][image] - aps[1][image])
    return images[:count]


def is_right(found: Found, truth: list[Found]) -> bool:
    """Whether there is an object of this class whose box overlaps with an IoU of 0.5 or more."""
    boxes = [t.box for t in truth if t.label == found.label]
    return bool(boxes) and rle.iou(np.array([found.box]), np.array(boxes), [0] * len(boxes)).max() >= 0.5


def draw(
    axis: plt.Axes, image: Image.Image, objects: list[Found], truth: list[Found], names: list[str], masks: bool
) -> None:
    """One scene with boxes or masks, class and score; right ones in green, wrong ones in red."""
    axis.imshow(image)
    axis.set_axis_off()
    for found in objects:
        (x, y, width, height), label, score, mask = found
        colour = 'tab:green' if is_right(found, truth) else 'tab:red'
        if masks and mask is not None:
            axis.imshow(np.dstack([np.broadcast_to(to_rgb(colour), (*mask.shape, 3)), 0.7 * mask]))
            axis.contour(mask, levels=[0.5], colors='white', linewidths=0.8)
        else:
            axis.add_patch(plt.Rectangle((x, y), width, height, fill=False, color=colour, linewidth=1.5))
        text = names[label] if score == 1.0 else f'{names[label]} {score:.2f}'
        style = dict(facecolor=colour, edgecolor='none', pad=0.8, alpha=0.85)
        axis.text(x, max(y, 6), text, color='white', fontsize=7, va='bottom', bbox=style)


def main() -> None:
    """Read the annotations and predictions and draw a grid: one row per scene, one column per model."""
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
    aps = [image_ap(coco, results, args.score) for results in models.values()]
    chosen = choose(aps, args.scenes)
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
            draw(axis, picture, objects, found[0], names, masks)
        for axis, ap in zip(row[1:], aps, strict=True):
            axis.set_title(f'AP {100 * ap[image_id]:.0f}', fontsize=9)
    for axis, column in zip(axes[0], columns, strict=True):
        axis.set_title('\n'.join(filter(None, [column, axis.get_title()])), fontsize=11)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=110)
    print(f'detections: {args.out}')


if __name__ == '__main__':
    cli.run(main)
