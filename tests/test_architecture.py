"""Which room may import which, as a table."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.registry import Registry

import mmkd_ext
from mmkd_ext import models, registry

PACKAGE = Path(mmkd_ext.__file__).parent
TESTS = Path(__file__).parent
TOOLBOXES = {'mmcv', 'mmdet', 'mmpretrain', 'mmseg', 'mmrazor'}

# Room: the rooms that it imports, besides its own. From the ground up: a room imports only rooms that are above it
# here.
ROOMS: dict[str, set[str]] = {
    'version': set(),
    'errors': set(),
    'functional': set(),
    'registry': set(),
    'old_names': set(),
    'distributed': set(),
    'files': {'errors'},
    'config_walk': set(),
    'markdown': set(),
    'process_memory': set(),
    'class_means': {'errors', 'files'},
    'downloads': {'errors', 'distributed', 'files'},
    'checkpoints': {'errors', 'files', 'downloads'},
    'compat': {'errors', 'old_names', 'checkpoints'},
    'build': {'errors', 'compat', 'old_names'},
    'identity': {'errors', 'files', 'config_walk', 'checkpoints', 'build'},
    'losses': {'registry', 'functional', 'class_means'},
    'connectors': {'registry', 'functional'},
    'models': {'errors', 'registry'},
    'mdistiller': {'errors', 'registry'},
    'datasets': {'errors', 'registry'},
    'recorders': {'errors', 'registry', 'build'},
    'distillers': {'errors', 'registry', 'build', 'recorders'},
    'algorithms': {'errors', 'registry', 'files', 'build', 'checkpoints', 'recorders', 'distillers'},
    'hooks': {'errors', 'registry', 'distributed', 'distillers'},
    'loops': {'registry', 'distributed'},
    'extraction': {
        'errors', 'version', 'distributed', 'files', 'config_walk', 'markdown', 'checkpoints', 'build', 'identity',
        'class_means', 'losses', 'recorders', 'distillers', 'algorithms',
    },
    'export': {'errors', 'registry', 'files', 'config_walk', 'checkpoints', 'compat', 'build', 'models'},
    'checks': {'errors', 'distributed', 'config_walk', 'checkpoints', 'build'},
    'benchmark': {'errors', 'registry', 'markdown', 'process_memory', 'compat', 'build', 'class_means', 'recorders'},
    'preflight': {
        'errors', 'config_walk', 'process_memory', 'recorders', 'distillers', 'algorithms', 'extraction', 'checks',
    },
    'recipes': {'errors', 'files', 'build', 'recorders', 'extraction'},
    'cli': {
        'errors', 'old_names', 'distributed', 'files', 'config_walk', 'checkpoints', 'build', 'algorithms',
        'extraction', 'export', 'identity', 'checks', 'recipes',
    },
    'studies': {'errors', 'distributed', 'files', 'markdown', 'process_memory', 'export', 'identity', 'cli'},
    '__main__': set(),
    '__init__': {'version', 'compat', 'class_means', 'distillers', 'algorithms'},  # what the package exports by name
}  # fmt: skip
ALONE = {'losses', 'connectors'}  # rooms whose files do not import each other; only the room's exports do
FREE_OF_TOOLBOXES = {
    'errors', 'functional', 'class_means', 'registry', 'losses', 'connectors', 'models', 'recorders', 'distillers',
    'extraction', 'datasets',
}  # fmt: skip
# By contract its parts are mmcv's ConvModules, imported when one is built; test_registry.py sees that none is before.
NEEDS_MMCV = {'models/norm_neck.py'}


# Modules without a test file of their name, and why.
UNTESTED_ALONE = {'version': 'one number'}
# Folders of tests that do not belong to a room: whole runs, and files outside the package.
OTHER_TESTS = {'runs', 'configs', 'docs', 'tools'}

# The files that are copied unchanged with an exported student.
BACKBONES = {Path(inspect.getfile(kind)) for kind in models.BACKBONES}


def room_of(path: Path) -> str:
    """`losses` for losses/kd.py, `functional` for functional.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file, by statement or by `import_module` of a literal."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or path in BACKBONES, f'{path} imports relatively'
            module = f'mmkd_ext.models.{node.module}' if node.level else node.module
            yield from (f'{module}.{alias.name}' for alias in node.names)
        elif isinstance(node, ast.Call) and 'import' in ast.unparse(node.func) and node.args:
            name = node.args[0]
            if isinstance(name, ast.JoinedStr):
                name = name.values[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value


FILES = sorted(PACKAGE.rglob('*.py'))


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_every_room_has_its_floor_and_imports_run_downwards() -> None:
    unlisted = {room_of(path) for path in FILES} ^ set(ROOMS)
    assert not unlisted, f'say in ROOMS where {unlisted} stands'
    below: set[str] = set()
    for room, allowed in ROOMS.items():
        assert allowed <= below, room
        below.add(room)


def rooms_of(path: Path) -> set[str]:
    return {name.split('.')[1] for name in imports(path) if name.startswith('mmkd_ext.')}


@pytest.mark.parametrize('path', FILES, ids=name_of)
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    own = set() if room in ALONE and path.name != '__init__.py' else {room}
    assert rooms_of(path) <= ROOMS[room] | own


@pytest.mark.parametrize('room', ROOMS)
def test_the_table_allows_no_import_that_is_not_there(room: str) -> None:
    used = set().union(*(rooms_of(path) for path in FILES if room_of(path) == room))
    assert ROOMS[room] <= used


@pytest.mark.parametrize('path', [path for path in FILES if room_of(path) in FREE_OF_TOOLBOXES], ids=name_of)
def test_what_defines_a_method_needs_no_toolbox(path: Path) -> None:
    allowed = {'mmcv'} if name_of(path) in NEEDS_MMCV else set()
    assert {name.split('.')[0] for name in imports(path)} & TOOLBOXES == allowed


@pytest.mark.parametrize(('name', 'allowed'), [('functional', {'torch'}), ('class_means', {'torch', 'safetensors'})])
def test_what_stands_on_the_ground_needs_torch_and_little_else(name: str, allowed: set[str]) -> None:
    roots = {name.split('.')[0] for name in imports(PACKAGE / f'{name}.py')}
    assert 'torch' in roots
    assert roots - set(sys.stdlib_module_names) - {'mmkd_ext'} <= allowed


@pytest.mark.parametrize('path', sorted(BACKBONES), ids=name_of)
def test_a_backbone_needs_torch_mmengine_and_the_file_beside_it(path: Path) -> None:
    found = {name for name in imports(path) if name.split('.')[0] not in sys.stdlib_module_names}
    assert {name.split('.')[0] for name in found} <= {'torch', 'mmengine', 'mmkd_ext'}
    assert all(name.startswith('mmkd_ext.models.base.') for name in found if name.startswith('mmkd_ext'))


def test_the_errors_need_nothing() -> None:
    assert {name.split('.')[0] for name in imports(PACKAGE / 'errors.py')} <= set(sys.stdlib_module_names)


def test_only_compat_imports_mmrazor() -> None:
    importers = {name_of(path) for path in FILES if any(name.split('.')[0] == 'mmrazor' for name in imports(path))}
    assert importers == {'compat.py'}


def test_nothing_in_the_package_imports_the_tests_or_tools() -> None:
    roots = {name.split('.')[0] for path in FILES for name in imports(path)}
    assert not roots & {'tests', 'tools', 'testers', 'toys', 'support', 'commands'}


@pytest.mark.parametrize('path', FILES, ids=name_of)
def test_no_message_names_a_file_that_only_a_checkout_has(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docstrings]
    assert not [text.value for text in texts if re.search(r'\b(docs|tools|tests)/\w', str(text.value))]


MODULES = {path.relative_to(PACKAGE).with_suffix('') for path in FILES if path.name != '__init__.py'}


@pytest.mark.parametrize('module', sorted(MODULES), ids=str)
def test_every_module_has_the_test_file_of_its_name(module: Path) -> None:
    expected = TESTS / module.parent / f'test_{module.name.strip("_")}.py'
    assert expected.is_file() != (str(module) in UNTESTED_ALONE), f'{module}.py is tested in {expected}'


def test_the_tests_of_a_room_are_named_after_its_modules() -> None:
    names = {(module.parent, f'test_{module.name.strip("_")}.py') for module in MODULES}
    rooms = [path for path in TESTS.iterdir() if path.is_dir() and path.name not in OTHER_TESTS]
    found = {(path.parent.relative_to(TESTS), path.name) for room in rooms for path in room.glob('test_*.py')}
    assert found <= names


def registered() -> Iterator[tuple[str, type]]:
    """Every type of this package, once, whatever other names it has."""
    for value in vars(registry).values():
        if isinstance(value, Registry) and value.scope == 'mmkd_ext':
            value.import_from_location()
            yield from sorted({kind.__name__: kind for kind in value.module_dict.values()}.items())


@pytest.mark.parametrize('kind', [kind for _, kind in registered()], ids=lambda kind: kind.__name__)
def test_every_registered_type_has_its_test(kind: type) -> None:
    """A loss, a connector, a hook has a file of its own; of the others the name is found in some test."""
    room, *rest = kind.__module__.removeprefix('mmkd_ext.').split('.')
    if room in ('losses', 'connectors', 'hooks'):
        expected = TESTS / room / f'test_{rest[0]}.py'
        assert expected.is_file(), f'{kind.__name__} has no {expected}'
        assert kind.__name__ in expected.read_text(encoding='utf-8')
    else:
        short = kind.__name__.removesuffix('Recorder')
        general = {Path(__file__).name, 'test_registry.py'}
        files = [path for path in TESTS.rglob('test_*.py') if path.name not in general]
        assert any(short in path.read_text(encoding='utf-8') for path in files), f'no test names {short}'


def test_every_loss_is_built_and_kept_to_the_promises_of_the_testers() -> None:
    for path in sorted((TESTS / 'losses').glob('test_*.py')):
        assert 'LossTester' in path.read_text(encoding='utf-8'), path
    for path in sorted((TESTS / 'connectors').glob('test_*.py')):
        assert 'ConnectorTester' in path.read_text(encoding='utf-8'), path
