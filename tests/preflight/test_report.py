"""The screen and the JSON of a report."""

import json

from mmkd_ext.preflight.report import Cost, Record, Report, Score, Term

FULL = Report(
    'a.py: 2 batches of 8 images, on cpu',
    records=[
        Record('student', 'fpn[0]', [8, 32, 24, 24], 'float32', 1.4142, True),
        Record('teacher', 'labels', [8], 'int64', None, None),
    ],
    terms=[Term('task', 3.0, 10.0), Term('distill.loss_cwt', 2.0, 0.5, 0.05, 1.0, True)],
    settings=dict(pixels='student: as they are'),
    scores=[Score('teacher', {'coco/bbox_mAP': 0.68712}, 'coco/bbox_mAP', 0.0, False, 32)],
    cost=Cost(0.5, 0.1, 2, 7200, 3 * 2**30),
    warnings=['this may be meant.'],
    errors=['this cannot be.'],
)


def test_the_screen_has_all_of_it_and_fits() -> None:
    lines = FULL.text().splitlines()
    assert lines[0] == FULL.title
    assert max(map(len, lines)) < 132
    for expected in (
        ['student', 'fpn[0]', '8 x 32 x 24 x 24', 'float32', '1.41', 'yes'],
        ['teacher', 'labels', '8', 'int64', '-', '-'],
        ['distill.loss_cwt', '2', '0.5', '5 %', '1', 'at factor 1; a LossWeightHook changes it'],
        ['pixels', 'student: as they are'],
        ['teacher', 'coco/bbox_mAP 0.687 (chance: 0) on 32 images of the validation set'],
    ):
        assert expected in [[cell.strip() for cell in line.split('  ') if cell.strip()] for line in lines], expected
    assert '7200 steps of 0.5 s' in FULL.text()
    assert '1.0 h without evaluation, 3 GiB' in FULL.text()
    assert lines[-2:] == ['warning: this may be meant.', 'error: this cannot be.']


def test_a_report_without_a_fault_says_so() -> None:
    assert Report('a').text() == 'a\n\nnothing wrong was found'


def test_json_has_all_of_it() -> None:
    found = json.loads(json.dumps(FULL.json()))
    assert found['records'][0]['shape'] == [8, 32, 24, 24]
    assert found['terms'][1]['share'] == 0.05
    assert found['scores'][0]['metrics'] == {'coco/bbox_mAP': 0.68712}
    assert found['cost']['seconds'] == 3600
    assert found['errors'] == ['this cannot be.']
