"""The toolboxes' own commands."""

import pytest

from mmkd_ext import cli
from mmkd_ext.errors import ConfigError


@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain', 'mmseg'])
def test_a_toolboxs_own_test_script_is_found(scope: str) -> None:
    script = cli.stock_test(scope)
    assert script.is_file()
    assert script.parts[-4:] == (scope, '.mim', 'tools', 'test.py')


@pytest.mark.parametrize('scope', [None, 'mmrazor'])
def test_what_is_no_toolbox_is_refused(scope: str | None) -> None:
    with pytest.raises(ConfigError, match=r'^default_scope must be one of mmdet, mmpretrain, mmseg to evaluate'):
        cli.stock_test(scope)
