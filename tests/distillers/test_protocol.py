"""The list of what a distiller may ask of a loss is whole, and the losses of this package answer as it says."""

import ast
import inspect
import re
from collections.abc import Iterator

import pytest
from support import ROOT

from mmkd_ext import losses
from mmkd_ext.distillers.protocol import DistillLoss

NAMES = (*DistillLoss.__annotations__, *vars(DistillLoss))
OPTIONAL = {name for name in NAMES if not name.startswith('_')} - {'forward'}
KINDS = [kind for kind in vars(losses).values() if isinstance(kind, type)]
# What is looked for on other things than losses: models, modules, connectors, errors.
OF_OTHERS = {'add_note', 'init_margin', 'num_classes', 'variable', 'with_cp'}


def asked() -> Iterator[str]:
    """The names that the distillers look for on something that may lack them."""
    for path in (ROOT / 'mmkd_ext' / 'distillers').glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ('getattr', 'hasattr'):
                name = node.args[1]
                if isinstance(name, ast.Constant):
                    yield name.value


def test_the_list_is_whole() -> None:
    assert set(asked()) - OF_OTHERS <= OPTIONAL


def test_the_page_on_own_methods_has_it() -> None:
    page = (ROOT / 'docs' / 'own_method.md').read_text()
    assert {*re.findall(r'`(\w+)', page)} >= OPTIONAL


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_a_loss_answers_with_the_arguments_of_the_list(kind: type) -> None:
    for name in OPTIONAL & {*dir(kind)}:
        theirs = getattr(DistillLoss, name, None)
        if inspect.isfunction(theirs):
            assert inspect.signature(getattr(kind, name)) == inspect.signature(theirs), name
