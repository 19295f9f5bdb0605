"""`python -m mmkd_ext COMMAND`."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from mmkd_ext import __main__ as dispatcher


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, 'argv', ['mmkd_ext', *words])
    dispatcher.main()


def test_every_tool_is_a_command_or_known_to_need_a_checkout() -> None:
    tools = {path.stem for path in (ROOT / 'tools').rglob('*') if path.suffix in ('.py', '.sh')}
    assert tools >= dispatcher.FOR_CHECKOUTS
    assert {name.rpartition('/')[2] for name in dispatcher.commands()} == tools - dispatcher.FOR_CHECKOUTS


@pytest.mark.parametrize('words', [(), ('--help',)])
def test_without_a_name_it_lists_them_a_line_each(
    words: tuple, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    call(monkeypatch, *words)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[2:]]
    assert {name for name, _ in lines} == set(dispatcher.commands())
    assert all(text[0].isupper() and 'tools/' not in text for _, text in lines)


def test_a_slip_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        call(monkeypatch, 'trian', 'config.py')
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no command 'trian'; one of: ")
    assert error.count('\n') == 1


def test_a_command_gets_its_arguments_and_runs_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / 'group').mkdir()
    (tmp_path / 'group' / 'echo.py').write_text("import sys\nif __name__ == '__main__':\n    print(*sys.argv)\n")
    monkeypatch.setattr(dispatcher, 'TOOLS', tmp_path)
    call(monkeypatch, 'group/echo', 'a', '--b')
    assert capsys.readouterr().out == f'{tmp_path}/group/echo.py a --b\n'


@pytest.mark.slow
def test_a_shell_script_runs_with_this_python(tmp_path: Path) -> None:
    (tmp_path / 'say.sh').write_text('# Says.\necho "$PYTHON $1"\n')
    program = (
        'import pathlib, sys\nfrom mmkd_ext import __main__ as m\n'
        f"m.TOOLS = pathlib.Path({str(tmp_path)!r})\nsys.argv = ['mmkd_ext', 'say', 'x']\nm.main()"
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == f'{sys.executable} x\n'
