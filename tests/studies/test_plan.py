from pathlib import Path

import pytest
from support import MINI

from mmkd_ext.errors import ConfigError
from mmkd_ext.studies.plan import is_study, names_of, read_study, study_of_configs

STUDENT, KD = MINI / 'resnet_student.py', MINI / 'resnet_kd.py'


def study(folder: Path, text: str) -> str:
    path = folder / 'study.py'
    path.write_text(f'study = dict({text})\n')
    return str(path)


def test_a_study_file_gives_rows_seeds_options_and_pairs(tmp_path: Path) -> None:
    path = study(
        tmp_path,
        f"seeds=2, options={{'train_cfg.max_epochs': 4}}, pairs=[('hot', 'kd')], runs={{'alone': '{STUDENT}', "
        f"'kd': '{KD}', 'hot': dict(config='{KD}', options={{'model.distiller.distill_losses.loss_kd.tau': 8.0}})}}",
    )
    assert is_study(path)
    assert not is_study(str(STUDENT))
    made = read_study(path)
    assert [run.name for run in made.runs()] == [
        'alone_seed0', 'kd_seed0', 'hot_seed0', 'alone_seed1', 'kd_seed1', 'hot_seed1'
    ]  # fmt: skip
    taus = [entry.cfg.model.distiller.distill_losses.loss_kd.tau for entry in made.entries[1:]]
    assert taus == [4.0, 8.0]
    assert {entry.cfg.train_cfg.max_epochs for entry in made.entries} == {4}
    assert (made.folder, made.work_dirs) == (tmp_path, Path('work_dirs/studies') / tmp_path.name)
    assert made.pairs == [('hot', 'kd')]
    few = read_study(path, seeds=1, only=['hot'], options={'train_cfg.max_epochs': 1})
    assert [run.name for run in few.runs()] == ['hot_seed0']
    assert few.entries[0].cfg.train_cfg.max_epochs == 1


def test_the_seed_in_an_option_is_that_of_the_run(tmp_path: Path) -> None:
    fold, data = 'train_dataloader.dataset.data_prefix', 'train_dataloader.dataset.data_root'
    made = read_study(
        study(
            tmp_path,
            f"seeds=2, options={{'{data}': 'part_{{seed}}/', 'train_cfg.max_epochs': 1}}, "
            f"runs={{'alone': dict(config='{STUDENT}', options={{'{fold}': 'fold_{{seed}}'}})}}",
        )
    )
    first, second = (run.config().train_dataloader.dataset for run in made.runs())
    assert (first.data_root, first.data_prefix) == ('part_0/', 'fold_0')
    assert (second.data_root, second.data_prefix) == ('part_1/', 'fold_1')
    first_run, second_run = made.runs()
    assert first_run.options == {data: 'part_0/', fold: 'fold_0', 'train_cfg.max_epochs': 1}
    assert second_run.cfg().train_dataloader.dataset.data_prefix == 'fold_1'


def test_metrics_are_a_list_of_names(tmp_path: Path) -> None:
    runs = f"runs=dict(alone='{STUDENT}')"
    assert read_study(study(tmp_path, f"{runs}, metrics=['mIoU']")).metrics == ['mIoU']
    with pytest.raises(ConfigError, match=r'study\.metrics must be a list of names'):
        read_study(study(tmp_path, f"{runs}, metrics='mIoU'"))


def test_the_name_of_a_row_need_not_be_that_of_a_file(tmp_path: Path) -> None:
    made = read_study(study(tmp_path, f"seeds=1, runs={{'KD++, tau 1/2': '{STUDENT}'}}"))
    assert [run.name for run in made.runs()] == ['KD++_tau_1_2_seed0']


def test_runs_of_one_study_have_one_budget(tmp_path: Path) -> None:
    runs = f"runs=dict(alone='{STUDENT}', long=dict(config='{KD}', options={{'train_cfg.max_epochs': 20}}))"
    with pytest.raises(ConfigError, match=r'alone .* and long .* train_cfg.max_epochs is 10 there and 20 here'):
        read_study(study(tmp_path, runs))
    read_study(study(tmp_path, f"{runs}, may_differ=['train_cfg.max']"))


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('seeds=3', 'study.runs must be a dict'),
        ("runs=dict(alone=dict(file='a.py'))", r"study.runs\['alone'\] must be a config's path"),
        (f"runs=dict(alone='{STUDENT}'), seed=3", r'study.seed is unknown; .*`?seeds'),
        ("runs=dict(alone='nowhere.py')", 'there is no config file .*nowhere.py'),
        ('runs=dict(alone=5)', r"study.runs\['alone'\] must be a config's path"),
        (f"runs=dict(alone='{STUDENT}'), seeds='3'", r"study.seeds must be a number from 1, got '3'"),
        (f"runs=dict(alone='{STUDENT}'), options=['x']", r"study.options must be a dict, got \['x'\]"),
        (f"runs=dict(alone='{STUDENT}'), teachers=dict(t='t.py')", r"study.teachers\['t'\] must be dict\(config="),
        (f"runs=dict(alone='{STUDENT}'), pairs=[('alone', 'kd')]", r"study.pairs must be .*, got \('alone', 'kd'\)"),
    ],
)
def test_a_wrong_study_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_study(study(tmp_path, text))


def test_a_teacher_may_have_a_config_of_a_package(tmp_path: Path) -> None:
    teacher = "dict(config='mmpretrain::resnet/resnet34_8xb16_cifar10.py', checkpoint='t.pth')"
    made = read_study(study(tmp_path, f"runs=dict(alone='{STUDENT}'), teachers=dict(t={teacher})"))
    assert made.teachers['t'][0].model.backbone.depth == 34


def test_only_names_rows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='--only: .* has no run allone; .*alone'):
        read_study(study(tmp_path, f"runs=dict(alone='{STUDENT}')"), only=['allone'])


def test_configs_are_rows_and_their_teacher_too(tmp_path: Path) -> None:
    made = study_of_configs([str(STUDENT), str(KD)], 2, tmp_path, {'train_cfg.max_epochs': 1}, None)
    assert [entry.name for entry in made.entries] == ['resnet_student', 'resnet_kd']
    assert list(made.teachers) == ['resnet_teacher']
    other = study_of_configs([str(STUDENT), str(KD)], 2, tmp_path, None, 'other.pth')
    assert [entry.options for entry in other.entries] == [{}, {'model.teacher_ckpt': 'other.pth'}]


def test_configs_of_one_name_are_told_apart_by_their_folder() -> None:
    assert names_of(['a/x.py', 'b/x.py', 'b/y.py']) == ['a_x', 'b_x', 'y']
    with pytest.raises(ConfigError, match='two configs would be the row a_x'):
        names_of(['1/a/x.py', '2/a/x.py'])
