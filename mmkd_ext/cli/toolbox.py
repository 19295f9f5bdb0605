"""The toolboxes' own commands."""

from importlib.util import find_spec
from pathlib import Path

from mmkd_ext.errors import ConfigError

TOOLBOXES = ('mmdet', 'mmpretrain', 'mmseg')


def stock_test(scope: str | None) -> Path:
    """The test.py in the wheel of the toolbox `scope`.

    Raises:
        ConfigError: If there is no such toolbox, or it is not installed.
    """
    if scope not in TOOLBOXES:
        raise ConfigError(f'default_scope must be one of {", ".join(TOOLBOXES)} to evaluate, got {scope!r}.')
    spec = find_spec(scope)
    if spec is None or spec.origin is None:
        raise ConfigError(f'default_scope={scope!r}, but {scope} is not installed.')
    return Path(spec.origin).parent / '.mim' / 'tools' / 'test.py'
