#!/usr/bin/env python
"""Make the digit scenes, a small data set for detection, segmentation, classification and distillation.

The scenes are handwritten digits (scikit-learn's 1,797 scans of 8x8 pixels) painted over crops of two darkened
photographs (its samples), so nothing is downloaded. The digits are light and differ in size, slant, rotation and
colour, hide parts of each other, and are blurred and noisy. The same options give the same files, byte for byte.

There are three parts, which share no scene, no digit scan and no pixel of a photograph:

    teacher    what teachers are trained on: many scenes
    train      what students are trained on, alone or distilled: few scenes, none of which the teacher has seen
    val        what both are tested on

The teacher has a separate part because it overfits the scenes that it is trained on: there it only repeats the labels,
and a student learns nothing more from it. On new scenes its answers show which digits look alike, and how certain one
can be.

    OUT/images/PART/*.jpg                   scenes of 2 to 5 digits
    OUT/annotations/instances_PART.json     COCO boxes and masks of the visible parts, category ids 1 to 10
    OUT/semantic/PART/*.png                 one label per pixel: 0 for background, otherwise the category id
    OUT/classification/PART/DIGIT/*.png     single digits, 32x32
    OUT/contact_sheet.png                   some samples of all parts with their labels
    OUT/meta.json                           the options and this generator's version
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

VERSION = 2  # increase it with every change that affects the files
PARTS = ('teacher', 'train', 'val')
SHARES = (0.5, 0.25, 0.25)  # of each class's scans and of each photograph's width
CLASSES = tuple('0123456789')
MIN_DIGITS, MAX_DIGITS = 2, 5
MIN_VISIBLE = 0.7  # fraction of a digit's area that must stay visible
MIN_AREA = 40 / 96**2  # fraction of the scene
SINGLE_SIZE = 32
GLYPH_SIZE = 80  # side of an upscaled scan with its margin of one scan pixel all around
SHEET_TILE = 200


@dataclass(frozen=True)
class Settings:
    """The settings that determine every byte of the data set.

    Attributes:
        seed: Seed of all random choices.
        teacher: Number of scenes for teachers.
        train: Number of scenes for students.
        val: Number of validation scenes.
        size: Side of a scene in pixels.
        singles_teacher: Number of single digits for teachers.
        singles_train: Number of single digits for students.
        singles_val: Number of single validation digits.
    """

    seed: int = 0
    teacher: int = 5000
    train: int = 200
    val: int = 300
    size: int = 96
    singles_teacher: int = 16_000
    singles_train: int = 2000
    singles_val: int = 1000


class Pool(NamedTuple):
    """The material of a part: scans (N, 8, 8) from 0 to 1, their classes, and parts of photographs (BGR)."""

    digits: np.ndarray
    classes: np.ndarray
    photos: list[np.ndarray]


class Scene(NamedTuple):
    """An image, its map of instance numbers (0 where there is none) and the class of instance 1, 2, ..."""

    image: np.ndarray
    owner: np.ndarray
    classes: list[int]


def split(count: int) -> dict[str, slice]:
    """Divide a sequence into the parts, in the order of `PARTS`, by `SHARES`."""
    cuts = [0, *(round(count * share) for share in np.cumsum(SHARES))]
    return {part: slice(*cuts[i : i + 2]) for i, part in enumerate(PARTS)}


def split_digits(classes: np.ndarray) -> dict[str, np.ndarray]:
    """Divide scans by index, those of every class in the same shares."""
    indices = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    return {part: np.sort(np.concatenate([i[split(len(i))[part]] for i in indices])) for part in PARTS}


def load_pools() -> dict[str, Pool]:
    """Read scikit-learn's digits and photographs, divided into the parts."""
    try:
        from sklearn.datasets import load_digits, load_sample_images
    except ImportError:
        raise SystemExit(
            'digit_scenes: scikit-learn, where the digits come from, is not installed; '
            'run: pip install "mmkd-ext[demo]"'
        ) from None
    digits = load_digits()
    photos = [photo[..., ::-1] for photo in load_sample_images().images]
    indices = split_digits(digits.target)
    return {
        part: Pool(
            digits.images[indices[part]] / 16,
            digits.target[indices[part]],
            [photo[:, split(photo.shape[1])[part]] for photo in photos],
        )
        for part in PARTS
    }


def crop_background(rng: np.random.Generator, photos: list[np.ndarray], size: int) -> np.ndarray:
    """Cut a random square out of a random photograph, turn, mirror, tint and darken it."""
    photo = photos[rng.integers(len(photos))]
    side = int(rng.uniform(0.4, 1) * min(photo.shape[:2]))
    y, x = (rng.integers(length - side + 1) for length in photo.shape[:2])
    crop = np.rot90(photo[y : y + side, x : x + side], rng.integers(4))[:, :: rng.choice([-1, 1])]
    crop = cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(crop * rng.uniform(0.25, 0.6) * rng.uniform(0.8, 1.2, 3), 0, 255)


def warp_digit(
    rng: np.random.Generator, digit: np.ndarray, height: float, centre: np.ndarray, size: int
) -> tuple[np.ndarray, float]:
    """Place a scan in an empty scene.

    Args:
        rng: Source of the rotation, slant and proportions.
        digit: Scan (8, 8) from 0 to 1.
        height: Height of the scan in the scene, before the rotation.
        centre: Its x and y there.
        size: Side of the scene.

    Returns:
        Opacity (size, size) from 0 to 1, and the area that the digit would have in an endless scene.
    """
    glyph = cv2.resize(np.pad(digit, 1), (GLYPH_SIZE, GLYPH_SIZE), interpolation=cv2.INTER_CUBIC)
    glyph = np.clip((glyph - 0.25) / 0.4, 0, 1)
    angle, slant, aspect = rng.uniform((-0.5, -0.3, 0.8), (0.5, 0.3, 1.25))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[aspect, slant], [0, 1]]) * height / (GLYPH_SIZE * 0.8)
    matrix = np.column_stack([linear, centre - linear @ np.full(2, (GLYPH_SIZE - 1) / 2)])
    opacity = cv2.warpAffine(glyph, matrix, (size, size), flags=cv2.INTER_AREA)
    return opacity, float((glyph >= 0.5).sum() * np.linalg.det(linear))


def paint(rng: np.random.Generator, image: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Blend a digit into an image, in a random light colour."""
    weight = opacity[..., None] * rng.uniform(0.8, 1)
    return image * (1 - weight) + rng.uniform(150, 255, 3) * weight


def degrade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Lower the contrast, blur, and add noise, each by a random amount."""
    mean = image.mean()
    image = (image - mean) * rng.uniform(0.6, 1) + mean
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.2, 0.9))
    image = image + rng.normal(0, rng.uniform(0, 10), image.shape)
    return np.clip(image, 0, 255).round().astype(np.uint8)


def make_scene(rng: np.random.Generator, pool: Pool, size: int) -> Scene:
    """Paint 2 to 5 digits over a background, leaving out any that would hide too much or be hardly visible."""
    image = crop_background(rng, pool.photos, size)
    owner = np.zeros((size, size), np.uint8)
    classes: list[int] = []
    areas: list[float] = []
    wanted = rng.integers(MIN_DIGITS, MAX_DIGITS, endpoint=True)
    tries = 8 * MAX_DIGITS
    while len(classes) < wanted and (tries > 0 or len(classes) < MIN_DIGITS):
        tries -= 1
        index = rng.integers(len(pool.digits))
        height = size * np.exp(rng.uniform(np.log(0.2), np.log(0.42)))
        opacity, area = warp_digit(rng, pool.digits[index], height, rng.uniform(0, size, 2), size)
        covered = np.where(opacity >= 0.5, len(classes) + 1, owner).astype(np.uint8)
        visible = np.bincount(covered.ravel(), minlength=len(classes) + 2)[1:]
        needed = np.maximum(MIN_VISIBLE * np.array([*areas, area]), MIN_AREA * size**2)
        if (visible < needed).any():
            continue
        image, owner = paint(rng, image, opacity), covered
        classes.append(int(pool.classes[index]))
        areas.append(area)
    return Scene(degrade(rng, image), owner, classes)


def make_single(rng: np.random.Generator, pool: Pool, digit_class: int) -> np.ndarray:
    """Paint one digit of a class in the middle of a small background."""
    digit = pool.digits[rng.choice(np.flatnonzero(pool.classes == digit_class))]
    image = crop_background(rng, pool.photos, SINGLE_SIZE)
    centre = SINGLE_SIZE / 2 + rng.uniform(-3, 3, 2)
    opacity, _ = warp_digit(rng, digit, SINGLE_SIZE * rng.uniform(0.55, 0.95), centre, SINGLE_SIZE)
    return degrade(rng, paint(rng, image, opacity))


def coco_annotations(scene: Scene) -> Iterator[dict]:
    """Describe the visible part of each instance of a scene, without ids."""
    for number, digit_class in enumerate(scene.classes, 1):
        rle = coco_mask.encode(np.asfortranarray(scene.owner == number, np.uint8))
        yield {
            'category_id': digit_class + 1,
            'bbox': coco_mask.toBbox(rle).tolist(),
            'area': int(coco_mask.area(rle)),
            'segmentation': {'size': list(rle['size']), 'counts': rle['counts'].decode('ascii')},
            'iscrowd': 0,
        }


def write_image(path: Path, image: np.ndarray) -> None:
    """Encode an image by its file's suffix; raises OSError if the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


def write_scenes(root: Path, part: str, pool: Pool, settings: Settings, bar: tqdm) -> None:
    """Write the scenes of a part, their COCO file and their semantic labels."""
    images, annotations = [], []
    for index in range(getattr(settings, part)):
        rng = np.random.default_rng([settings.seed, PARTS.index(part), 0, index])
        scene = make_scene(rng, pool, settings.size)
        stem = f'{index:06d}'
        write_image(root / 'images' / part / f'{stem}.jpg', scene.image)
        semantic = np.array([0, *(c + 1 for c in scene.classes)], np.uint8)[scene.owner]
        write_image(root / 'semantic' / part / f'{stem}.png', semantic)
        image = {'id': index + 1, 'file_name': f'{stem}.jpg', 'width': settings.size, 'height': settings.size}
        images.append(image)
        for annotation in coco_annotations(scene):
            annotations.append({'id': len(annotations) + 1, 'image_id': image['id'], **annotation})
        bar.update()
    coco = {
        'info': {'description': f'digit_scenes {part}', 'version': str(VERSION)},
        'images': images,
        'annotations': annotations,
        'categories': [{'id': int(name) + 1, 'name': name, 'supercategory': 'digit'} for name in CLASSES],
    }
    (root / 'annotations').mkdir(exist_ok=True)
    (root / 'annotations' / f'instances_{part}.json').write_text(json.dumps(coco))


def write_singles(root: Path, part: str, pool: Pool, settings: Settings, bar: tqdm) -> None:
    """Write the single digits of a part, the classes in turn."""
    for index in range(getattr(settings, f'singles_{part}')):
        digit_class = index % len(CLASSES)
        rng = np.random.default_rng([settings.seed, PARTS.index(part), 1, index])
        folder = root / 'classification' / part / CLASSES[digit_class]
        write_image(folder / f'{index:06d}.png', make_single(rng, pool, digit_class))
        bar.update()


def class_colours() -> np.ndarray:
    """Choose a colour (BGR) for the background, black, and for each class."""
    hues = np.arange(len(CLASSES)) * 180 // len(CLASSES)
    hsv = np.stack([hues, np.full_like(hues, 200), np.full_like(hues, 255)], -1).astype(np.uint8)
    return np.concatenate([np.zeros((1, 3), np.uint8), cv2.cvtColor(hsv[None], cv2.COLOR_HSV2BGR)[0]])


def write_text(image: np.ndarray, text: str, x: float, y: float) -> None:
    """Write text on a dark background into an image, with its lower left corner at (x, y)."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    (width, height), _ = cv2.getTextSize(text, font, scale, 1)
    x, y = int(x), int(y)
    image[max(y - height - 3, 0) : y + 3, max(x - 2, 0) : x + width + 2] = 40
    cv2.putText(image, text, (x, y), font, scale, (255, 255, 255), 1, cv2.LINE_AA)


def scene_tiles(root: Path, part: str, image: dict, annotations: list[dict]) -> list[np.ndarray]:
    """Show a scene of the data set on disk: the image, its boxes, its masks, its semantic labels."""
    colours = class_colours()
    path = root / 'images' / part / image['file_name']
    plain, boxes, masks = (cv2.imread(str(path)) for _ in range(3))
    scale = SHEET_TILE / plain.shape[0]
    for number, annotation in enumerate(annotations, 1):
        inside = coco_mask.decode(annotation['segmentation']).astype(bool)
        # Neighbours of one class must differ: the masks are coloured by instance.
        masks[inside] = 0.35 * masks[inside] + 0.65 * colours[1 + number * 3 % len(CLASSES)]
    labels = cv2.imread(str(root / 'semantic' / part / f'{path.stem}.png'), cv2.IMREAD_GRAYSCALE)
    tiles = [
        cv2.resize(tile, (SHEET_TILE, SHEET_TILE), interpolation=cv2.INTER_NEAREST)
        for tile in (plain, boxes, masks, colours[labels])
    ]
    for annotation in annotations:
        x, y, width, height = (scale * value for value in annotation['bbox'])
        colour = colours[annotation['category_id']].tolist()
        cv2.rectangle(tiles[1], (int(x), int(y)), (int(x + width), int(y + height)), colour, 1)
        write_text(tiles[1], CLASSES[annotation['category_id'] - 1], x + 3, max(y - 4, 14))
    return tiles


def sheet_block(root: Path, part: str) -> np.ndarray:
    """Draw one part's share of the contact sheet."""
    coco = json.loads((root / 'annotations' / f'instances_{part}.json').read_text())
    rows = []
    scenes = [(i, [a for a in coco['annotations'] if a['image_id'] == i['id']]) for i in coco['images'][:12]]
    for image, annotations in sorted(scenes, key=lambda scene: len(scene[1]))[2::3]:
        rows.append(np.hstack(scene_tiles(root, part, image, annotations)))
    side = 4 * SHEET_TILE // len(CLASSES)
    columns = []
    for name in CLASSES:
        paths = sorted((root / 'classification' / part / name).iterdir())[:4]
        tiles = [cv2.resize(cv2.imread(str(p)), (side, side), interpolation=cv2.INTER_NEAREST) for p in paths]
        tiles += [np.zeros((side, side, 3), np.uint8)] * (4 - len(tiles))
        columns.append(np.vstack(tiles))
    header = np.full((24, 4 * SHEET_TILE, 3), 40, np.uint8)
    for column, title in enumerate((part, 'boxes', 'masks (by instance)', 'semantic (by class)')):
        write_text(header, title, column * SHEET_TILE + 6, 17)
    footer = np.full_like(header, 40)
    write_text(footer, f'classification/{part}/0 ... 9', 6, 17)
    return np.vstack([header, *rows, footer, np.hstack(columns)])


def write_contact_sheet(root: Path) -> None:
    """Draw a few samples of all parts, from the files on disk."""
    blocks = [sheet_block(root, part) for part in PARTS]
    height = max(block.shape[0] for block in blocks)
    blocks = [np.pad(b, ((0, height - b.shape[0]), (6, 6), (0, 0)), constant_values=255) for b in blocks]
    write_image(root / 'contact_sheet.png', np.hstack(blocks))


def describe(settings: Settings) -> dict:
    """Give the content of `meta.json`."""
    return {'generator': 'digit_scenes', 'version': VERSION, 'settings': asdict(settings)}


def read_meta(folder: Path) -> dict:
    """Read the `meta.json` of a folder; {} if this generator did not write it."""
    try:
        meta = json.loads((folder / 'meta.json').read_text())
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) and meta.get('generator') == 'digit_scenes' else {}


def holds(out: Path, settings: Settings, force: bool = False) -> bool:
    """Whether a folder already has the data set and there is nothing to do.

    Args:
        out: The folder for the data set.
        settings: Its settings.
        force: Whether to replace any existing data set.

    Raises:
        SystemExit: If the content of the folder must not be replaced.
    """
    if not out.is_dir():
        if out.exists():
            raise SystemExit(f'digit_scenes: --out {out} is a file; name a folder.')
        return False
    meta = read_meta(out)
    if not meta and any(out.iterdir()):
        raise SystemExit(
            f'digit_scenes: --out {out} holds files that this tool did not make; name a new or empty folder.'
        )
    if meta and not force and meta.get('version') != VERSION:
        raise SystemExit(
            f'digit_scenes: --out {out} holds scenes of another version of this tool, which do not fit its configs and '
            'teachers; give --force to replace them or name another folder.'
        )
    if meta and not force and meta != describe(settings):
        raise SystemExit(
            f'digit_scenes: --out {out} holds a data set made with other settings (see its meta.json); '
            'give --force to replace it or name another folder.'
        )
    return bool(meta) and not force


def build(root: Path, settings: Settings) -> None:
    """Write the whole data set into a folder."""
    pools = load_pools()
    root.mkdir()
    total = sum(getattr(settings, f'{kind}{part}') for part in PARTS for kind in ('', 'singles_'))
    with tqdm(total=total, desc='digit_scenes', unit='image') as bar:
        for part in PARTS:
            write_scenes(root, part, pools[part], settings, bar)
            write_singles(root, part, pools[part], settings, bar)
    write_contact_sheet(root)
    (root / 'meta.json').write_text(json.dumps(describe(settings), indent=2) + '\n')


def make(out: Path, settings: Settings, force: bool = False) -> bool:
    """Make the data set next to its final place and move it there when it is complete.

    Args:
        out: The folder for the data set.
        settings: Its settings.
        force: Replace an existing data set.

    Returns:
        False if it already existed.
    """
    out = out.resolve()
    if holds(out, settings, force):
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f'.{out.name}-') as folder:
        new = Path(folder) / 'new'
        build(new, settings)
        if holds(out, settings, force):  # another process was faster
            return False
        if out.exists():
            out.rename(Path(folder) / 'old')
        new.rename(out)
    return True


def at_least(minimum: int) -> type[int]:
    """Make a type for argparse: an integer with a lower bound."""

    class Bounded(int):
        """An integer of at least `minimum`."""

        def __new__(cls, text: str) -> int:
            """Read the option's value."""
            try:
                value = int(text)
            except ValueError:
                value = minimum - 1
            if value < minimum:
                raise argparse.ArgumentTypeError(f'{text!r} is not an integer of at least {minimum}')
            return value

    return Bounded


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Settings()

    def add(name: str, minimum: int, text: str) -> None:
        value = getattr(default, name.replace('-', '_'))
        parser.add_argument(
            f'--{name}', type=at_least(minimum), default=value, metavar='N', help=f'{text} (default: {value})'
        )

    parser.add_argument(
        '--out', type=Path, default=Path('data/digit_scenes'), help='folder to make (default: %(default)s)'
    )
    add('seed', 0, 'seed of every random choice')
    add('teacher', 1, 'scenes that teachers are trained on')
    add('train', 1, 'scenes that students are trained on')
    add('val', 1, 'validation scenes')
    add('size', 64, 'side of a scene in pixels')
    add('singles-teacher', 10, 'single digits that teachers are trained on')
    add('singles-train', 10, 'single digits that students are trained on')
    add('singles-val', 10, 'single validation digits')
    parser.add_argument('--force', action='store_true', help='replace an existing data set')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Make the data set that the command line asks for."""
    args = parse_args(argv)
    settings = Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the temporary folder is removed
    try:
        made = make(args.out, settings, args.force)
    except OSError as error:
        raise SystemExit(f'digit_scenes: cannot write --out {args.out}: {error.strerror or error}.') from None
    if made:
        print(f'digit_scenes: made {args.out}; see {args.out / "contact_sheet.png"}')
    else:
        print(f'digit_scenes: {args.out} already has this data set, nothing to do.')


if __name__ == '__main__':
    main()
