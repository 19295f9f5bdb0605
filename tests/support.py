"""Places that several tests name."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
MINI = ROOT / 'configs' / 'mini'


def stock_tool(package: str, name: str) -> Path:
    """A toolbox's own script of this name."""
    return Path(importlib.util.find_spec(package).origin).parent / '.mim' / 'tools' / name


def load_tool(name: str) -> ModuleType:
    """tools/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
