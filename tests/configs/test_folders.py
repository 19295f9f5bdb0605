"""All config folders: how deep a config stands, what its header says, and that metafiles and READMEs speak of it."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from config_checks import listed, shapes
from mmengine.config import Config
from support import MINI, ROOT, load_tool

CONFIGS = ROOT / 'configs'
tables = load_tool('config_tables')
LEAVES = [path for method in tables.METHODS for path in sorted((CONFIGS / method).glob('*.py'))]
SMALL = sorted(MINI.glob('*.py'))
STUDENTS = sorted((CONFIGS / 'students').rglob('*.py'))
TEACHERS = sorted((CONFIGS / 'teachers').glob('*.py'))
FRAGMENTS = sorted((CONFIGS / '_base_' / 'teachers').glob('*.py'))
MODELS = {method: tables.read_models(method) for method in tables.METHODS}
EVERY_MODEL = [model for models in MODELS.values() for model in models]


@cache
def hops(path: Path | str) -> int:
    """How many files further the last is that a config inherits from, a toolbox's file taken whole."""
    return 0 if isinstance(path, str) else max((1 + hops(base) for base in tables.bases(path)), default=0)


def named(leaf: Path, folder: str) -> list[Path]:
    """Those of its bases that stand in a folder of configs/."""
    return [base for base in tables.bases(leaf) if isinstance(base, Path) and base.is_relative_to(CONFIGS / folder)]


@cache
def fragment(path: Path) -> dict:
    """What a file of _base_/teachers says."""
    return Config.fromfile(path).teacher


def test_hops_count_the_longest_way(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text("_base_ = ['b.py', 'mmdet::x.py']\n")
    (tmp_path / 'b.py').write_text("_base_ = 'mmdet::x.py'\n")
    assert [hops(tmp_path / name) for name in ('a.py', 'b.py')] == [2, 1]


def test_no_config_is_more_than_three_hops_from_the_last_file_it_inherits_from() -> None:
    assert len(LEAVES) > 200
    assert [path for path in (*LEAVES, *SMALL, *STUDENTS, *TEACHERS) if hops(path) > 3] == []


def test_a_leaf_is_one_student_and_at_most_one_teacher_and_inherits_from_no_other_leaf() -> None:
    for leaf in LEAVES:
        assert len(named(leaf, 'students')) == 1, leaf
        assert len(named(leaf, '_base_/teachers')) == ('teacher,' in leaf.read_text()), leaf
        assert set(tables.bases(leaf)).isdisjoint(LEAVES), leaf


def test_a_mini_config_inherits_from_no_other_but_one_student_and_its_header_has_at_most_two_lines() -> None:
    for path in SMALL:
        others = set(tables.bases(path)) & set(SMALL)
        distils = 'Distill' in path.read_text()
        assert [other.stem.endswith('_student') for other in others] == [True] * len(others), path
        assert len(others) == (distils or path.stem == 'resnet_norm_alone'), path
        header = path.read_text().split('_base_ = ')[0].splitlines()
        assert 1 <= len(header) <= 2, path
        assert all(line.startswith('# ') for line in header), path


def test_every_student_and_every_teacher_is_used() -> None:
    students = {base for path in (*LEAVES, *STUDENTS) for base in tables.bases(path)}
    assert set(STUDENTS) <= students
    assert {Path(fragment(path).teacher).resolve() for path in FRAGMENTS if '::' not in fragment(path).teacher} == {
        *TEACHERS
    }
    assert {base for leaf in LEAVES for base in named(leaf, '_base_/teachers')} == set(FRAGMENTS)


def test_a_header_has_at_most_two_lines() -> None:
    for path in LEAVES:
        header = path.read_text().split('_base_ = ')[0].splitlines()
        assert 1 <= len(header) <= 2, path


def rows(page: Path) -> dict[str, list[str]]:
    """The cells of a page's tables behind a first one that links a config, by that config's name."""
    found = [line.strip('| ').split(' | ') for line in page.read_text().splitlines() if line.startswith('| [')]
    names = [re.fullmatch(r'\[(\w+)\]\(([\w./]+/)?\1\.py\)', first).group(1) for first, *_ in found]
    assert len(set(names)) == len(names)
    return {name: cells for name, (_, *cells) in zip(names, found, strict=True)}


def test_the_readme_of_the_teachers_has_each_once_with_its_weights_or_its_number_in_the_zoo() -> None:
    found = rows(CONFIGS / 'teachers' / 'README.md')
    assert set(found) == {path.stem for path in FRAGMENTS} - {'regnety_16gf_in1k'}
    for path in FRAGMENTS:
        teacher = fragment(path)
        if '::' in teacher.teacher:
            zoo = listed(teacher.teacher, teacher.teacher_ckpt)
            names = {'Top 1 Accuracy': 'top-1'}
            numbers = dict(reversed(number.split(' ', 1)) for number in found[path.stem][1].split(', ') if zoo)
            assert {name: float(number) for name, number in numbers.items()}.items() <= {
                (names.get(metric, metric), number) for metric, number in zoo.items()
            }, path
            assert bool(numbers) == bool(zoo), path
        elif path.stem in found:
            assert found[path.stem][2] == f'`{teacher.teacher_ckpt}`'


@pytest.mark.parametrize('path', [p for p in FRAGMENTS if p.stem.endswith('_cifar100')], ids=lambda path: path.stem)
def test_a_teacher_of_mdistiller_is_the_one_that_is_converted(path: Path) -> None:
    """The architecture in the README's table is the config's."""
    arch = rows(CONFIGS / 'teachers' / 'README.md')[path.stem][3].strip('`')
    assert shapes(fragment(path).teacher) == shapes(arch)


@pytest.mark.parametrize('method', tables.METHODS)
def test_a_readme_says_how_each_file_that_a_config_needs_is_made(method: str) -> None:
    text = (CONFIGS / method / 'README.md').read_text()
    leaves = [leaf for leaf in LEAVES if leaf.parent.name == method]
    weights = {fragment(base).teacher_ckpt for leaf in leaves for base in named(leaf, '_base_/teachers')}
    if any('://' not in file for file in weights):
        assert '(../teachers/README.md)' in text
    if any('class_means=' in leaf.read_text() for leaf in leaves):
        assert f'class_means configs/{method}/' in text


def test_every_config_has_one_entry_in_its_metafile() -> None:
    assert sorted(model['Config'] for model in EVERY_MODEL) == sorted(
        path.relative_to(ROOT).as_posix() for path in LEAVES
    )
    names = [model['Name'] for model in EVERY_MODEL]
    assert len(set(names)) == len(names)


def test_results_are_those_of_a_config_that_was_run_here() -> None:
    """As OpenMMLab's tools read them. What others published of a pair is `Published`, with its source."""
    for model in EVERY_MODEL:
        about = model['Metadata'].get('Published', {})
        assert bool(about) == ('Source' in about), model['Name']
        for metrics in [about.get('Metrics', {}), *(result['Metrics'] for result in model.get('Results', []))]:
            assert metrics.keys() <= {'Top 1 Accuracy', 'box AP', 'mask AP', 'mIoU'}, model['Name']
        if 'Results' in model:
            assert (ROOT / model['Metadata']['Study'] / 'results.jsonl').is_file(), model['Name']


@pytest.mark.parametrize('method', tables.METHODS)
def test_the_index_leads_to_the_metafile_and_that_to_collections_and_readme(method: str) -> None:
    assert f'configs/{method}/metafile.yml' in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    collections = yaml.safe_load((CONFIGS / method / 'metafile.yml').read_text())['Collections']
    assert {model['In Collection'] for model in MODELS[method]} == {entry['Name'] for entry in collections}
    for entry in collections:
        assert (ROOT / entry['README']).is_file()
        assert entry['Paper'].keys() == {'Title', 'URL'}


def test_entries_name_the_student_and_the_teacher_of_their_config() -> None:
    for model in EVERY_MODEL:
        leaf, about = ROOT / model['Config'], model['Metadata']
        assert named(leaf, 'students') == [ROOT / about['Student']['Config']], leaf
        teachers = [fragment(base) for base in named(leaf, '_base_/teachers')]
        assert bool(teachers) == ('Teacher' in about), leaf
        for teacher in teachers:
            config, weights = about['Teacher']['Config'], about['Teacher']['Weights']
            assert weights == teacher.teacher_ckpt
            assert config == teacher.teacher or ROOT / config == Path(teacher.teacher).resolve()
            zoo = listed(config, weights) if '::' in config else {}
            for metric, number in about['Teacher'].get('Metrics', {}).items():
                assert zoo[metric] == number, leaf


def test_a_number_of_a_student_alone_is_that_of_its_zoo() -> None:
    """For students that are a toolbox's own configs; others have what was published, or nothing."""
    entries = {model['Metadata']['Student']['Config']: model['Metadata']['Student'] for model in EVERY_MODEL}
    entries |= {
        student['Config']: student for model in EVERY_MODEL if 'Metrics' in (student := model['Metadata']['Student'])
    }
    with_numbers = {config: student for config, student in entries.items() if 'Metrics' in student}
    assert len(with_numbers) >= 7
    for config, student in with_numbers.items():
        ((scope, name),) = (base.split('::') for base in tables.bases(ROOT / config))
        folder = (Path(find_spec(scope).origin).parent / '.mim' / 'configs' / name).parent
        (metafile,) = folder.glob('metafile.y*ml')
        (found,) = (m for m in yaml.safe_load(metafile.read_text())['Models'] if m['Config'] == f'configs/{name}')
        results = found['Results'] if isinstance(found['Results'], list) else [found['Results']]
        zoo = {metric: number for result in results for metric, number in result['Metrics'].items()}
        assert {metric: zoo[metric] for metric in student['Metrics']} == student['Metrics']


@pytest.mark.parametrize('method', tables.METHODS)
def test_the_table_of_a_readme_is_that_of_its_configs(method: str) -> None:
    """`tools/config_tables.py` writes it."""
    text = (CONFIGS / method / 'README.md').read_text()
    assert tables.with_table(method, text) == text


def measured(study: Path) -> dict[str, list[str]]:
    """Number, seeds and link of each config that a study's `table.md` has, which `tools/study.py` writes."""
    table = [[cell.strip() for cell in line.split('|')[1:4]] for line in (study / 'table.md').read_text().splitlines()]
    numbers = {name: [number, seeds] for name, seeds, number in filter(None, table)}
    runs = {name: run for name, run in Config.fromfile(study / 'study.py').study.runs.items() if isinstance(run, str)}
    link = f'[{study.name}](../../studies/{study.name}/README.md)'
    return {Path(run).stem: [*numbers[name], link] for name, run in runs.items() if name in numbers}


def test_the_readme_of_the_mini_configs_has_each_once_with_the_number_of_its_study() -> None:
    found = rows(MINI / 'README.md')
    assert sorted(found) == [path.stem for path in SMALL]
    made = sorted((ROOT / 'studies').glob('digits*/table.md'))
    numbers: dict[str, list[str]] = {}
    for table in made:  # a row that a later study repeats is the first one's
        numbers = measured(table.parent) | numbers
    assert len(numbers) > 8
    for name, cells in found.items():
        if not name.endswith('_teacher'):
            assert cells[2:] == numbers.get(name, ['—'] * 3), name


@pytest.mark.parametrize('readme', sorted(CONFIGS.rglob('README.md')), ids=lambda path: path.parent.name)
def test_every_file_that_a_readme_links_or_names_exists(readme: Path) -> None:
    text = readme.read_text()
    for link in re.findall(r'\]\((?!http)([^)#]+)', text):
        assert (readme.parent / link).exists(), link
    for name in re.findall(r'(?:configs|tools)/[\w/.]+\w', text):
        assert re.search('[A-Z]{3}', name) or (ROOT / name).exists(), name


def test_a_readme_without_the_place_for_its_table_is_named() -> None:
    with pytest.raises(ValueError, match=r'configs/nd/README.md must have one line <!-- table -->'):
        tables.with_table('nd', '# ND\n')


def test_numbers_of_a_row() -> None:
    about = dict(Published=dict(Source='README', Metrics={'Top 1 Accuracy': 72.53}, Student=69.06, KD=70.7))
    model = dict(Metadata=about, Results=[dict(Metrics={'Top 1 Accuracy': 71.5})])
    assert tables.published(model) == '72.53 (alone 69.06, KD 70.70)'
    assert tables.measured(model) == '71.5'
    assert tables.published(dict(Metadata=dict(Published=dict(Gain={'box AP': 3.9})))) == '+3.9 box AP'
    nothing = dict(Metadata={})
    assert (tables.published(nothing), tables.measured(nothing)) == ('—', '—')
