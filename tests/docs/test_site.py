"""The pages: what they link and name exists, the site has them all, and it builds without a warning."""

import ast
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from support import ROOT

DOCS = ROOT / 'docs'
PAGES = sorted(DOCS.rglob('*.md'))
ALL = [*PAGES, ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'CHANGELOG.md', *ROOT.glob('.github/**/*.md')]
SITE = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())
PACKAGE = ROOT / 'mmkd_ext'
# Not in the reference: what no one outside imports. docs/commands.md describes the commands.
INTERNAL = {
    *('cli', 'compat', 'config_walk', 'distributed', 'downloads', 'files', 'markdown', 'old_names'),
    *('process_memory', 'version'),
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def nav(entry: object) -> Iterator[str]:
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from nav(part)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as the site makes them."""
    titles = re.findall(r'^#+ (.*)$', page.read_text(), re.MULTILINE)
    return {re.sub(r'[\s-]+', '-', re.sub(r'[^\w\s-]', '', title).strip().lower()) for title in titles}


def test_the_navigation_has_every_page_once() -> None:
    assert sorted(nav(SITE['nav'])) == [str(page.relative_to(DOCS)) for page in PAGES]


@pytest.mark.parametrize('page', ALL, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
        if '://' in target:
            continue
        file, _, anchor = target.partition('#')
        found = page.parent / file if file else page
        assert found.is_file(), target
        assert not anchor or anchor in anchors(found), target


def paths_in(text: str) -> Iterator[str]:
    """The files of this repository that a text names; a{b,c} is two. Those with a placeholder are left out."""
    for name in re.findall(r'(?<![\w/.-])(?:tools|docs|configs|tests|mmkd_ext)/(?:[\w/.-]|\{[\w,]+\})*\w\}?/?', text):
        head, _, rest = name.partition('{')
        choices, _, tail = rest.partition('}')
        for choice in choices.split(','):
            path = head + choice + tail
            if not re.search(r'[A-Z]{3}', path):
                yield path


@pytest.mark.parametrize('page', ALL, ids=name_of)
def test_every_file_and_config_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    assert [path for path in paths_in(text) if not (ROOT / path).exists()] == []
    for package, config in re.findall(r'(\w+)::([\w/.-]+\.py)', text):
        if not re.search('[A-Z]{3}', config):
            assert (Path(find_spec(package).origin).parent / '.mim' / 'configs' / config).is_file(), config


def in_the_reference(page: Path) -> set[str]:
    """The modules of which a page has the docstrings; `ROOM.*` is all of a room."""
    found = set()
    for name, star in re.findall(r'^::: mmkd_ext\.([\w.]+?)(\.\*)?$', page.read_text(), re.MULTILINE):
        files = PACKAGE.joinpath(*name.split('.')).glob('[!_]*.py')
        found |= {f'{name}.{file.stem}' for file in files} if star else {name}
    return found


def test_the_reference_has_every_module_once_but_the_internal_ones() -> None:
    modules = {
        '.'.join(path.relative_to(PACKAGE).with_suffix('').parts)
        for path in PACKAGE.rglob('*.py')
        if not path.stem.startswith('_') and '.mim' not in path.parts
    }
    listed = [module for page in (DOCS / 'api').glob('*.md') for module in in_the_reference(page)]
    assert {module.split('.')[0] for module in modules} >= INTERNAL
    assert sorted(listed) == sorted(module for module in modules if module.split('.')[0] not in INTERNAL)


def test_every_command_has_a_line_among_the_commands() -> None:
    listed = set(re.findall(r'^\| `tools/([\w/]+\.\w+)', (DOCS / 'commands.md').read_text(), re.MULTILINE))
    tools = {
        str(path.relative_to(ROOT / 'tools')) for path in (ROOT / 'tools').rglob('*') if path.suffix in ('.py', '.sh')
    }
    of_developers = {'benchmark_nd.py', 'check_env.py', 'demo_pictures.py', 'missing_requirements.py'}
    assert listed == tools - of_developers


def strings() -> str:
    """Every piece of text that the package and its commands can print."""
    found = []
    for path in [*(ROOT / 'mmkd_ext').rglob('*.py'), *(ROOT / 'tools').rglob('*.py')]:
        nodes = ast.walk(ast.parse(path.read_text()))
        found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return '\n'.join(found)


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_package() -> None:
    text = (DOCS / 'troubleshooting.md').read_text().partition('## The student is no better')[0]
    cells = [
        line.split(' | ')[0] for line in text.splitlines() if line.startswith('| ') and '`' in line.split(' | ')[0]
    ]
    messages = [quoted for cell in cells for quoted in re.findall(r'`([^`]+)`', cell)]
    assert len(messages) > 20
    printed = strings()
    pieces = [piece.strip() for message in messages for piece in message.split('…')]
    assert [piece for piece in pieces if piece not in printed] == []


def mkdocs() -> list[str] | None:
    """The program that builds the site: this environment's, or that of tools/build_docs.sh."""
    cache = Path(os.environ.get('XDG_CACHE_HOME', Path.home() / '.cache')) / 'mmkd_ext'
    places = [shutil.which('mkdocs'), *(str(ready.parent / 'bin' / 'mkdocs') for ready in cache.glob('docs-*/ready'))]
    return next(([place, 'build'] for place in places if place), None)


@pytest.mark.slow
def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    command = mkdocs()
    if command is None:
        pytest.skip('mkdocs is not installed; bash tools/build_docs.sh --tools installs it')
    words = [*command, '--quiet', '--strict', '--site-dir', str(tmp_path / 'site')]
    env = dict(os.environ, NO_MKDOCS_2_WARNING='1')  # the theme's news of its successor
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, '')
    for page in (DOCS / 'api').glob('*.md'):
        reference = (tmp_path / 'site' / 'api' / f'{page.stem}.html').read_text()
        assert {name for name in in_the_reference(page) if f'id="mmkd_ext.{name}' not in reference} == set()
