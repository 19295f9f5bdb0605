"""Speed up mmengine's configs, which would take seconds of each test."""

from functools import cache

from mmengine.config import config, utils


def quicken() -> None:
    """Write configs as they are, unformatted, and read the metafiles of a package once.

    mmengine reads all of them for each `package::config` that a config is based on. That its formatter writes configs
    that read back is seen by `config_checks.check_dump`.
    """
    config.FormatCode = lambda text, **_: (text, True)
    utils.load = cache(utils.load)
    config.is_installed = cache(config.is_installed)
