"""The numbers of the pages are those of the studies' results."""

import re
from collections.abc import Iterator
from functools import cache
from statistics import mean, stdev
from typing import NamedTuple

import pytest
from support import ROOT

from mmkd_ext.studies import results, tables

METHODS = [str(page.relative_to(ROOT)) for page in sorted((ROOT / 'docs/methods').glob('*.md'))]
HALF_A_DIGIT = 0.05 + 0.006  # one decimal, rounded once more from the two of the studies' tables
STUDIES = {  # what a row or column is called, all words of it, in this order
    'cifar10': ('CIFAR-10',),
    'tiny_imagenet': ('Tiny-ImageNet',),
    'digits_resnet': ('single digits',),
    'bccd': ('blood cells',),
    'nuclei': ('nuclei',),
    'camvid': ('CamVid',),
    'digits': ('Faster R-CNN', 'scenes'),
    'digits_mask_rcnn': ('Mask R-CNN', 'scenes'),
    'digits_retinanet': ('RetinaNet',),
    'digits_rtmdet': ('RTMDet',),
    'digits_pspnet': ('PSPNet', 'scenes'),
}
ROWS = {  # names on the pages, and in the studies
    'alone, class loss x 2': 'alone, classes x 2',
    'KD x 0.5, class loss x 0.5': 'KD x 0.5, classes x 0.5',
    'NORM x 10, with KD': 'NORM x 10, KD',
    'NORM x 10 with KD': 'NORM x 10, KD',
    "NORM's transform without a teacher": 'NORM-transform',
    'the transform alone': 'NORM-transform',
}


class Row(NamedTuple):
    """One row of a table: its page and line, the text since the last table, and its cells by the table's head."""

    page: str
    line: int
    before: str
    cells: dict[str, str]

    @property
    def name(self) -> str:
        """The first cell, without links, and without a remark or a number of seeds behind it."""
        cell = next(iter(self.cells.values()))
        return re.sub(r'\[(.*?)\]\(.*?\)', r'\1', re.sub(r'(;.*|, \d seeds?)$', '', cell)).strip()


def rows(page: str) -> Iterator[Row]:
    before, head = '', []
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        if not line.startswith('|'):
            before = line if head else f'{before} {line}'
            head = []
            continue
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if not head:
            head = [f'{cell}{"" if cells.count(cell) == 1 else i}' for i, cell in enumerate(cells)]
        elif set(line) - set('|-: '):
            yield Row(page, number, before, dict(zip(head, cells, strict=True)))


@cache
def values(study: str, nth: int = 0) -> tables.Values:
    """The nth metric of a study, by row and seed."""
    lines = results.read(ROOT / 'studies' / study)
    return tables.values_of(lines, tables.metrics_of(lines)[nth])


def study_of(name: str) -> str:
    """The study that the name of a row or column tells."""
    found = [study for study, words in STUDIES.items() if re.search('.*'.join(words), name)]
    assert found, name
    return found[0]


def run_of(name: str) -> str:
    return ROWS.get(name, name)


def check(shown: str, value: float) -> None:
    assert float(shown) == pytest.approx(value, abs=HALF_A_DIGIT)


def check_mean(shown: str, own: dict) -> None:
    """`62.8` or `62.8 ± 0.4`."""
    numbers = shown.split(' ± ')
    check(numbers[0], mean(own.values()))
    if len(numbers) > 1:
        check(numbers[1], stdev(own.values()) / len(own) ** 0.5)


def check_difference(shown: str, found: tables.Difference) -> None:
    """`+1.7 ± 0.7`, also with the interval behind it, ` (-0.4 to 3.7)`."""
    number, error, *interval = re.findall(r'[-\d.]+\d', shown)
    check(number, found.mean)
    check(error, found.error)
    if interval:
        check(interval[0], found.mean - found.half)
        check(interval[1], found.mean + found.half)


@pytest.mark.parametrize(
    'row', [row for row in rows('docs/results.md') if 'mean ± standard error' in row.cells or 'each seed' in row.cells],
    ids=lambda row: f'{row.line}: {row.name}',
)  # fmt: skip
def test_a_table_of_results_is_that_of_the_study_named_in_front_of_it(row: Row) -> None:
    study = re.findall(r'`studies/(\w+)`', row.before)[-1]
    nth = 0
    for key, cell in list(row.cells.items())[1:]:
        nth += key == 'mask mAP'
        of = values(study, nth)
        own = of[run_of(row.name)]
        compared = tables.difference(of, run_of(row.name), 'alone')
        if key == 'seeds':
            assert cell in (str(len(own)), '-')
        elif not cell:
            assert row.name in ('alone', 'teacher')
        elif key.startswith('difference'):
            check_difference(cell, compared)
        elif key == '95 % interval':
            for shown, value in zip(cell.split(' to '), (-compared.half, compared.half), strict=True):
                check(shown, compared.mean + value)
        elif key == 'each seed':
            for shown, seed in zip(cell.split(', '), sorted(own), strict=True):
                check(shown, own[seed] - of['alone'][seed])
        else:
            assert key in ('mean ± standard error', 'box mAP', 'mask mAP')
            check_mean(cell, own)


def measured(page: str) -> Iterator[Row]:
    """The rows of the README's table, or of the one that a method's page has under the heading "Measured here"."""
    return (row for row in rows(page) if 'alone' in row.cells and (page == 'README.md' or 'Measured' in row.before))


@pytest.mark.parametrize(
    'row', [row for page in ('README.md', *METHODS) for row in measured(page)],
    ids=lambda row: f'{row.page}: {row.name}',
)  # fmt: skip
def test_a_table_of_means_is_that_of_the_studies(row: Row) -> None:
    of = values(study_of(row.name if 'the same' not in row.name else f'{row.name} scenes'))
    for head, cell in list(row.cells.items())[1:]:
        for name, shown in re.findall(r'(?:([A-Z][\w +,-]*?) )?(\d+\.\d(?: ± \d\.\d)?)', cell):
            check_mean(shown, of[run_of(name or head)])


@pytest.mark.parametrize(
    'row', [row for row in rows('docs/methods/index.md') if any(key.startswith('a step, ') for key in row.cells)],
    ids=lambda row: row.name,
)  # fmt: skip
def test_the_gains_in_the_guide_are_those_of_the_studies(row: Row) -> None:
    name = re.sub('( on the | of |, as released).*', '', row.name)
    names = [ROWS[name]] if name in ROWS else name.split(', ')
    for head, cell in list(row.cells.items())[1:]:
        if cell and not head.startswith('a step, '):
            of = values(study_of(head))
            for run, shown in zip(names, cell.split(', '), strict=True):
                if shown == '–':
                    assert run not in of
                else:
                    check(shown, tables.difference(of, run, 'alone').mean)


def test_every_study_is_on_the_page_of_results() -> None:
    text = (ROOT / 'docs/results.md').read_text()
    for study in (ROOT / 'studies').glob('*/study.py'):
        assert f'`{study.parent.name}`' in text, study
