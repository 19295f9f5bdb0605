from pathlib import Path

import pytest
from matplotlib.axes import Axes
from scipy import stats

from mmkd_ext.studies.tables import BEGIN, END, difference, draw, table, values_of, write


def lines(**runs: list[float]) -> list[dict]:
    return [
        dict(run=name, seed=seed, metrics={'accuracy/top1': value}, seconds_per_step=0.25, peak_memory_mib=100 + seed)
        for name, values in runs.items()
        for seed, value in enumerate(values)
    ]


def test_a_difference_is_paired_by_seed() -> None:
    made = lines(alone=[60.0, 64.0, 70.0], kd=[61.0, 66.0, 71.5])
    # differences 1, 2, 1.5: mean 1.5, deviation 0.5
    found = difference(values_of(made, 'accuracy/top1'), 'kd', 'alone')
    assert found.mean == pytest.approx(1.5)
    assert found.error == pytest.approx(0.5 / 3**0.5)
    assert found.half == pytest.approx(4.302653 * 0.5 / 3**0.5, rel=1e-6)
    expected = stats.ttest_rel([61, 66, 71.5], [60, 64, 70]).confidence_interval(0.95)
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx(tuple(expected))


def test_only_seeds_that_both_have_count() -> None:
    made = lines(alone=[60.0, 64.0], kd=[61.0, 66.0, 99.0])
    made[3]['seed'] = 7
    found = difference(values_of(made, 'accuracy/top1'), 'kd', 'alone')
    assert (found.mean, found.error, found.seeds) == (1.0, None, 1)
    assert difference(values_of(made, 'accuracy/top1'), 'kd', 'cwt') is None


def test_the_table_has_means_differences_intervals_and_pairs() -> None:
    made = lines(alone=[60.0, 64.0, 70.0], kd=[61.0, 66.0, 71.5], nd=[61.0, 66.0, 74.5])
    made.append(dict(run='teacher', seed=None, metrics={'accuracy/top1': 80.0}))
    rows = [[cell.strip() for cell in row.strip('|').split('|')] for row in table(made, [('nd', 'kd')]).splitlines()]
    assert rows[0] == ['run', 'seeds', 'top1', 'difference', '95 % interval', 's/step', 'MiB']
    assert rows[2] == ['alone', '3', '64.67 ± 2.91', '-', '-', '0.250', '101']
    assert rows[3] == ['kd', '3', '66.17 ± 3.03', '+1.50 ± 0.29', '+0.26 to +2.74', '0.250', '101']
    assert rows[5] == ['teacher', '-', '80.00', '-', '-', '-', '-']
    assert rows[-1] == ['nd - kd', 'top1', '+1.00 ± 1.00', '-3.30 to +5.30']


def test_fractions_are_percent_and_a_missing_metric_is_a_dash() -> None:
    made = [
        dict(run='box', seed=0, metrics={'coco/bbox_mAP': 0.25}),
        dict(run='mask', seed=0, metrics={'coco/bbox_mAP': 0.5, 'coco/segm_mAP': 0.125}),
    ]
    rows = [[cell.strip() for cell in row.strip('|').split('|')] for row in table(made).splitlines()]
    assert rows[2] == ['box', '1', '25.00', '-', '-', '-', '-', '-', '-', '-']
    assert rows[3] == ['mask', '1', '50.00', '+25.00', '-', '12.50', '-', '-', '-', '-']


def test_other_metrics_stand_behind_the_usual_ones_and_without_any_nothing_is_drawn(tmp_path: Path) -> None:
    made = [
        dict(run='voc', seed=0, metrics={'pascal_voc/mAP': 0.25}),
        dict(run='coco', seed=0, metrics={'coco/bbox_mAP': 0.5}),
    ]
    head = [cell.strip() for cell in table(made).splitlines()[0].strip('|').split('|')]
    assert [head[2], head[5]] == ['bbox mAP', 'mAP']
    write(tmp_path, [dict(run='a', seed=0, metrics={}), dict(run='b', seed=0, metrics={})])
    assert not (tmp_path / 'gains.png').exists()


def test_the_page_gets_the_table_between_its_marks(tmp_path: Path) -> None:
    (tmp_path / 'README.md').write_text(f'# A study\n\n{BEGIN}\nold\n{END}\n\nText with a \\1.\n')
    made = write(tmp_path, lines(alone=[60.0, 64.0], kd=[61.0, 66.0]))
    page = (tmp_path / 'README.md').read_text()
    assert page == f'# A study\n\n{BEGIN}\n\n{made}\n\n{END}\n\nText with a \\1.\n'
    assert (tmp_path / 'table.md').read_text() == made + '\n'
    assert (tmp_path / 'gains.png').stat().st_size > 5000


def test_an_interval_is_drawn_from_three_seeds_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(Axes, 'errorbar', lambda axis, x, y, xerr, **kwargs: drawn.append(xerr))
    draw(lines(alone=[60.0, 64.0, 70.0], two=[61.0, 66.0], three=[61.0, 66.0, 71.5]), tmp_path / 'gains.png')
    assert drawn == [0.0, pytest.approx(4.302653 * 0.5 / 3**0.5, rel=1e-6)]
