"""The wheel: what it carries, and that it works where there is no checkout."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support import ROOT

SOURCES = ('pyproject.toml', 'setup.py', 'requirements.txt', 'README.md', 'LICENSE', 'model-index.yml')
CARRIED = ('configs', 'tools')


def files_of(folder: Path) -> set[str]:
    """What git keeps of a folder: all but what running it leaves."""
    found = (path for path in folder.rglob('*') if path.is_file() and '__pycache__' not in path.parts)
    return {str(path.relative_to(ROOT)) for path in found}


def test_the_index_names_every_metafile() -> None:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert index['Import'] == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('configs/*/metafile.yml'))


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network from a copy of the sources, unpacked."""
    tmp = tmp_path_factory.mktemp('wheel')
    source = tmp / 'source'
    source.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    for name in ('mmkd_ext', *CARRIED):
        shutil.copytree(ROOT / name, source / name, symlinks=True)
    for name in CARRIED:
        (source / name / '__pycache__').mkdir(exist_ok=True)
        (source / name / '__pycache__' / 'left.pyc').touch()
    words = [
        'wheel',
        '--quiet',
        '--no-deps',
        '--no-index',
        '--no-build-isolation',
        '--wheel-dir',
        str(tmp),
        str(source),
    ]
    subprocess.run([sys.executable, '-m', 'pip', *words], check=True, cwd=tmp)
    (wheel,) = tmp.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp / 'site')
    return tmp / 'site'


def test_it_carries_configs_tools_and_the_index(site: Path) -> None:
    mim = site / 'mmkd_ext' / '.mim'
    carried = {str(path.relative_to(mim)) for path in mim.rglob('*') if path.is_file()}
    assert carried == {'model-index.yml'}.union(*(files_of(ROOT / name) for name in CARRIED))


def test_it_has_one_package_its_commands_and_no_tests(site: Path) -> None:
    assert {path.name.split('-')[0] for path in site.iterdir()} == {'mmkd_ext'}
    (info,) = site.glob('*.dist-info')
    assert 'mmkd_ext = mmkd_ext.__main__:main' in (info / 'entry_points.txt').read_text()
    assert 'mmkd_ext contributors' in (info / 'METADATA').read_text()


def test_getting_started_names_configs_to_mim_as_mim_finds_them(site: Path) -> None:
    """mim 0.3.9 takes a path that exists, else the one file of the package with that name; two are an error."""
    text = ' '.join((ROOT / 'docs' / 'getting_started.md').read_text().split())
    found = Counter(name for _, _, names in os.walk(site / 'mmkd_ext', followlinks=True) for name in names)
    (once,) = re.findall(r'mim train mmkd_ext (\w+\.py)', text)
    assert found[once] == 1
    (path,) = re.findall(r'mim train mmkd_ext "\$configs/(\S+)"', text)
    assert (site / 'mmkd_ext' / '.mim' / 'configs' / path).is_file()
    (twice,) = re.findall(r'refuses a name that occurs twice, such as `(\w+\.py)`', text)
    assert found[twice] > 1
    unique = re.findall(r'`configs/(\w+)`', re.search(r'The names of (.*?) all occur once', text).group(1))
    assert {found[file.name] for folder in unique for file in (ROOT / 'configs' / folder).glob('*.py')} == {1}


def test_training_by_mim_passes_options_that_the_command_has(command: Callable) -> None:
    """mim adds `--launcher none`, and `--gpus` where the help has that word."""
    done = command('tools/train.py', '--help')
    assert '--launcher {none,' in done.stdout
    assert '--gpus' not in done.stdout


@pytest.mark.slow
def test_a_package_path_is_read_from_an_unpacked_wheel_up_to_the_data_set_that_is_not_there(
    site: Path, tmp_path: Path
) -> None:
    words = [sys.executable, '-m', 'mmkd_ext', 'train', 'mmkd_ext::cwt/faster_rcnn_r101_r50_coco.py']
    env = dict(os.environ, PYTHONPATH=str(site))
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith('error: train_dataloader.dataset.'), done.stderr
    assert f'(looked from {tmp_path})' in done.stderr
    assert not list(tmp_path.iterdir())
