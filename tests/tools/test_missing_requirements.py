"""In an active environment set-up adds what is missing and leaves its owner's builds alone."""

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from support import ROOT, load_tool


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in an environment of old own builds: torch 1.9 imports, mmcv has no ops, torchvision is not there."""
    module = load_tool('missing_requirements')
    installed = {'torch': '1.9', 'mmcv': '2.1.0', 'numpy': '1.21', 'setuptools': '65.5', 'tqdm': '4.66'}

    def version(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    def import_module(name: str) -> None:
        if name != 'torch':
            raise ImportError(name)

    packages = [SimpleNamespace(metadata={'Name': name}, version=number) for name, number in installed.items()]
    monkeypatch.setattr(module, 'version', version)
    monkeypatch.setattr(module, 'distributions', lambda: packages)
    monkeypatch.setattr(module.importlib, 'import_module', import_module)
    return module


def run(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> str:
    (tmp_path / 'requirements.txt').write_text('\n'.join(('# a comment', '', *lines)))
    files = ['--constraints', str(tmp_path / 'keep.txt'), '--reference', str(ROOT / 'constraints.txt')]
    monkeypatch.setattr(sys, 'argv', ['x', str(tmp_path / 'requirements.txt'), '--extra', 'ruff', *files])
    script.main()
    return (tmp_path / 'keep.txt').read_text()


def test_what_imports_stays_whatever_its_version(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    lines = ['torch>=2.6,<2.15  # a bound', 'mmcv>=2.1.0', 'setuptools>=77,<82', 'numpy', 'tqdm']
    kept = run(script, tmp_path, monkeypatch, *lines)
    assert capsys.readouterr().out.split() == ['mmcv>=2.1.0', 'setuptools>=77,<82', 'ruff']
    assert kept.split() == ['torch==1.9', 'numpy==1.21']


def test_nothing_missing_prints_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(script, 'is_missing', lambda line: False)
    run(script, tmp_path, monkeypatch, 'tqdm')
    assert capsys.readouterr().out == ''


def test_a_missing_torch_is_the_reference_one(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, 'is_missing', lambda line: line.startswith('torch'))
    kept = run(script, tmp_path, monkeypatch, 'torch>=2.6', 'torchvision>=0.21').split()
    assert {'torch==2.11.0', 'torchvision==0.26.0'} <= set(kept)
