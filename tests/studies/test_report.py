"""The report reads what training and testing wrote."""

import json
from pathlib import Path

import pytest

from mmkd_ext.errors import ConfigError
from mmkd_ext.studies import report


def write_run(work_dir: Path, stamp: str, records: list[dict]) -> Path:
    path = work_dir / stamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(record) + '\n' for record in records))
    return work_dir


def test_seeds_are_one_row_with_mean_and_standard_error(tmp_path: Path) -> None:
    runs = []
    for seed, value in enumerate((0.20, 0.24, 0.25)):
        path = write_run(
            tmp_path / f'cwt_seed{seed}', 'a', [{'coco/bbox_mAP': 0.1, 'step': 2}, {'coco/bbox_mAP': value, 'step': 4}]
        )
        runs.append(report.read_run(path))
    # mean 23, standard deviation sqrt((9 + 1 + 4) / 2) = 2.6458, / sqrt(3) = 1.5275
    assert report.table(runs).splitlines()[2] == '| cwt | 3     | 23.00 ± 1.53 |'


def test_other_metrics_of_the_test_are_taken_where_a_study_wants_them(tmp_path: Path) -> None:
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'a.json').write_text(json.dumps({'coco/bbox_mAP': 0.2, 'coco/bbox_mAP_75': 0.1, 'time': 1.0}))
    assert report.read_run(tmp_path).final == {'coco/bbox_mAP': 0.2}
    assert report.read_run(tmp_path, ['coco/bbox_mAP_75']).final == {'coco/bbox_mAP_75': 0.1}
    assert report.percent('coco/bbox_mAP_75') == 100
    assert report.percent('accuracy/top1') == 1
    with pytest.raises(ConfigError, match=r'study\.metrics: the test has no coco/bbox_mAP_57; .*coco/bbox_mAP_75'):
        report.read_run(tmp_path, ['coco/bbox_mAP_57'])
    (tmp_path / 'a' / 'a.json').write_text(json.dumps({'coco/bbox_mAP_s': -1.0}))
    with pytest.raises(ConfigError, match=r'coco/bbox_mAP_s is -1: the test set has no such objects'):
        report.read_run(tmp_path, ['coco/bbox_mAP_s'])


def test_a_metric_that_one_run_has_is_not_of_three_seeds(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f'cwt_seed{i}', 'a', [{'coco/bbox_mAP': 0.2, 'step': 1}]) for i in range(3)]
    write_run(tmp_path / 'cwt_seed1', 'b', [{'coco/segm_mAP': 0.1, 'step': 1}])
    table = report.table(report.read_runs(runs)).splitlines()
    assert table[2].split('|')[1:-1] == [' cwt ', ' 3     ', ' 20.00 ± 0.00 ', ' 10.00 (1 of 3) ']


def test_folders_of_one_name_are_rows_of_their_own_and_one_folder_is_one_run(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / name, 'a', [{'mIoU': 1.0, 'step': 1}]) for name in ('nd/r18', 'cwt/r18', 'cwt/r50')]
    assert [run.name for run in report.read_runs([*paths, paths[0]])] == ['nd/r18', 'cwt/r18', 'r50']


def test_an_interrupted_run_is_joined_and_the_last_evaluation_counts(tmp_path: Path) -> None:
    write_run(
        tmp_path, '1', [{'loss': 3.0, 'time': 0.2, 'step': 1, 'distill.loss_cwt': 5.0}, {'mIoU': 40.0, 'step': 1}]
    )
    write_run(
        tmp_path, '2', [{'loss': 2.0, 'time': 0.4, 'step': 2, 'distill.loss_cwt': 4.0}, {'mIoU': 50.0, 'step': 2}]
    )
    run = report.read_run(tmp_path)
    assert run.curves['distill.loss_cwt'] == {1: 5.0, 2: 4.0}
    assert run.final == {'mIoU': 50.0}
    (tmp_path / '3').mkdir()
    (tmp_path / '3' / '3.json').write_text(json.dumps({'mIoU': 49.0, 'aAcc': 90.0}))
    assert report.read_run(tmp_path).final == {'mIoU': 49.0}
    report.draw([report.read_run(tmp_path)], tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').stat().st_size > 5000
    write_run(tmp_path, '4', [{'loss': 2.0, 'step': 3}, {'mIoU': 51.0, 'step': 3}])
    assert report.read_run(tmp_path).final == {'mIoU': 51.0}
    write_run(tmp_path, '5', [{'loss': 9.0, 'step': 1}, {'mIoU': 11.0, 'step': 1}])  # from the beginning
    again = report.read_run(tmp_path)
    assert (again.final, again.curves['mIoU'], again.curves['distill.loss_cwt']) == ({'mIoU': 11.0}, {1: 11.0}, {})


def test_metrics_that_are_not_the_usual_ones_are_all_kept(tmp_path: Path) -> None:
    (tmp_path / '1').mkdir()
    found = {'pascal_voc/mAP': 0.5, 'own/AP50': 0.75, 'each': [1, 2], 'time': 0.1, 'data_time': 0.1}
    (tmp_path / '1' / '1.json').write_text(json.dumps(found))
    run = report.read_run(tmp_path)
    assert run.final == {'pascal_voc/mAP': 0.5, 'own/AP50': 0.75}
    assert report.table([run]).splitlines()[0].split() == ['|', 'run', '|', 'seeds', '|', 'mAP', '|', 'AP50', '|']


def test_a_test_in_the_middle_of_a_training_is_older_than_its_end(tmp_path: Path) -> None:
    write_run(tmp_path, '20260101_100000', [{'loss': 1.0, 'step': 1}, {'mIoU': 50.0, 'step': 2}])
    (tmp_path / '20260101_100000' / 'a.log').write_text('Config:\n2026/01/01 12:00:00 - mmengine - INFO - Iter(val)\n')
    (tmp_path / '20260101_110000').mkdir()
    (tmp_path / '20260101_110000' / 'b.json').write_text('{"mIoU": 40.0}')
    assert report.read_run(tmp_path).final == {'mIoU': 50.0}


def test_a_training_alone_that_never_validates_is_a_run_with_nothing_to_draw(tmp_path: Path) -> None:
    alone = write_run(tmp_path / 'alone_seed0', 'a', [{'loss': 1.0, 'step': 1}])
    report.draw(report.read_runs([alone]), tmp_path / 'curves.png')
    assert not (tmp_path / 'curves.png').exists()
    taught = write_run(tmp_path / 'cwt_seed0', 'a', [{'loss': 1.0, 'distill.loss_cwt': 2.0, 'step': 1}])
    report.draw(report.read_runs([alone, taught]), tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').exists()


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='holds no run'):
        report.read_run(tmp_path)
