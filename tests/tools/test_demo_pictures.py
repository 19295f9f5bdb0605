"""The pictures of the demo: whose scenes they show, and how good a model is on each."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from support import load_tool

demo_pictures = load_tool('demo_pictures')


@pytest.fixture
def coco(digits: Path) -> COCO:
    return COCO(digits / 'annotations' / 'instances_val.json')


def answers(coco: COCO, right: set[int]) -> list[dict]:
    """Predictions as mmdet's test.py writes them: the objects on some images, and one box in a corner on the others."""
    results = []
    for image_id in sorted(coco.imgs):
        objects = coco.loadAnns(coco.getAnnIds(image_id))
        boxes = np.array([o['bbox'] for o in objects]) if image_id in right else np.array([[0.0, 0.0, 2.0, 2.0]])
        labels = [o['category_id'] - 1 for o in objects] if image_id in right else [0]
        found = dict(
            bboxes=torch.tensor(np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])),
            labels=torch.tensor(labels),
            scores=torch.full((len(labels),), 0.9),
        )
        results.append(dict(img_id=image_id, pred_instances=found))
    return results


def test_ap_of_an_image_is_of_that_image_alone(coco: COCO) -> None:
    aps = demo_pictures.image_ap(coco, answers(coco, {1, 3}))
    assert aps == pytest.approx({image: float(image in {1, 3}) for image in coco.imgs})


def test_scenes_shown_are_those_with_the_largest_gain() -> None:
    alone, distilled = {1: 0.5, 2: 0.1, 3: 0.2}, {1: 0.6, 2: 0.9, 3: 0.0}
    assert demo_pictures.choose([alone, distilled, alone], 2) == [2, 1]
    assert demo_pictures.choose([distilled], 2) == [1, 2]


def test_an_object_is_right_with_its_class_and_half_of_its_place() -> None:
    truth = [demo_pictures.Found((0.0, 0.0, 10.0, 10.0), 3, 1.0, None)]
    for box, label, right in (
        ((0.0, 0.0, 10.0, 6.0), 3, True),
        ((0.0, 0.0, 10.0, 4.0), 3, False),
        ((0.0, 0.0, 10.0, 10.0), 4, False),
    ):
        assert demo_pictures.is_right(demo_pictures.Found(box, label, 0.9, None), truth) == right
