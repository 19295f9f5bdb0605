"""The losses without a toolbox: the page's program as it stands, and what its imports bring in."""

import inspect
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest
from support import ROOT

from mmkd_ext import losses

PAGE = (ROOT / 'docs' / 'plain_pytorch.md').read_text()
(PROGRAM,) = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)
NEEDED = ('torch', 'mmengine', 'safetensors')  # as the page says
IMPORTED = """
import sys
print(*sorted({name.split('.')[0] for name, module in sys.modules.items() if getattr(module, '__file__', None)}))
print(*sorted(name for name in sys.modules if name.startswith('mmkd_ext.')))
"""


def canonical(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def with_requirements(names: tuple[str, ...]) -> set[str]:
    """Packages, and all that they require."""
    found: set[str] = set()
    ahead = [canonical(name) for name in names]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            try:
                needed = requires(name) or []
            except PackageNotFoundError:  # of another platform
                continue
            ahead += [canonical(re.split(r'[^\w.-]', text)[0]) for text in needed if 'extra ==' not in text]
    return found


def others() -> list[str]:
    """The modules of the installed packages that the page does not ask for."""
    kept = with_requirements(NEEDED) | {'mmkd-ext'}
    packages = packages_distributions().items()
    return sorted(name for name, homes in packages if not {canonical(home) for home in homes} & kept)


@pytest.fixture(scope='module')
def lines() -> list[str]:
    assert 'tqdm' in others()
    blocked = f'import sys; sys.modules.update(dict.fromkeys({others()}))\n'
    done = subprocess.run(
        [sys.executable, '-c', blocked + PROGRAM + IMPORTED], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_program_runs_as_it_stands_and_learns(lines: list[str]) -> None:
    values = [float(line.split()[-1]) for line in lines if line.startswith('step')]
    assert len(values) == 20
    assert values[-1] < values[0] - 0.5


@pytest.mark.slow
def test_it_imports_no_toolbox_and_nothing_above_the_losses(lines: list[str]) -> None:
    imported, ours = (set(line.split()) for line in lines[-2:])
    assert {'torch', 'mmengine'} <= imported
    assert not {'mmcv', 'mmdet', 'mmpretrain', 'mmseg', 'mmrazor', 'matplotlib'} & imported
    rooms = {name.split('.')[1] for name in ours}
    ground = {
        'checkpoints', 'class_means', 'compat', 'distributed', 'downloads', 'errors', 'files', 'functional',
        'old_names', 'registry', 'version',
    }  # fmt: skip
    assert rooms == {*ground, 'losses'}


def test_the_table_names_every_function_with_its_arguments() -> None:
    functions = {name for name in losses.__all__ if name.endswith('_loss')}
    rows = dict(re.findall(r'^\| (`\w+`(?:, `\w+`)*) \| `(.*?)` \|', PAGE, re.MULTILINE))
    named = {name: arguments for names, arguments in rows.items() for name in re.findall(r'\w+', names)}
    assert set(named) == functions
    for name, arguments in named.items():
        parameters = list(inspect.signature(getattr(losses, name)).parameters)
        assert parameters[: arguments.count(',') + 1] == arguments.split(', '), name
