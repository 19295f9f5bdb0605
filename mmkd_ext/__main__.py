"""The commands of tools/ by their names, from anywhere: `python -m mmkd_ext train CONFIG`, or `mmkd_ext train CONFIG`.

Without a name it lists them. They come with the package, so no checkout is needed.
"""

import ast
import os
import re
import runpy
import sys
from pathlib import Path

TOOLS = Path(__file__).parent / '.mim' / 'tools'
# Scripts that work on a checkout or on the environment, and are of no use in an installed package.
FOR_CHECKOUTS = {
    'benchmark_nd', 'build_docs', 'check_env', 'config_tables', 'demo', 'demo_pictures', 'missing_requirements',
    'mmrazor_table', 'run_tests', 'setup_env',
}  # fmt: skip


def commands() -> dict[str, Path]:
    """The scripts that can be called by name; a folder's are `dataset/digit_scenes`."""
    scripts = [path for path in sorted(TOOLS.rglob('*')) if path.suffix in ('.py', '.sh')]
    named = {path.relative_to(TOOLS).with_suffix('').as_posix(): path for path in scripts}
    return {name: path for name, path in named.items() if name not in FOR_CHECKOUTS}


def about(script: Path) -> str:
    """The first line of a script's docstring, up to the example."""
    text = script.read_text(encoding='utf-8')
    if script.suffix == '.py':
        first = (ast.get_docstring(ast.parse(text)) or '').partition('\n')[0]
    else:
        first = next((line[2:] for line in text.splitlines() if line.startswith('# ')), '')
    return re.split(r': tools/|\. |[.:]$', first)[0]


def main() -> None:
    """Run one command with the arguments that follow its name."""
    known = commands()
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
        width = max(map(len, known))
        print('usage: mmkd_ext COMMAND [arguments]; mmkd_ext COMMAND --help lists them.\n')
        print('\n'.join(f'  {name:{width}}  {about(script)}' for name, script in known.items()))
        return
    name, arguments = sys.argv[1], sys.argv[2:]
    if name not in known:
        print(f'error: there is no command {name!r}; one of: {", ".join(known)}.', file=sys.stderr)
        sys.exit(2)
    script = known[name]
    if script.suffix == '.sh':
        os.execvpe('bash', ['bash', str(script), *arguments], {'PYTHON': sys.executable, **os.environ})
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name='__main__')


if __name__ == '__main__':
    main()
