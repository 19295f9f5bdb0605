"""MMRazor's distillation without data, refused by name."""

from typing import Any, NoReturn

from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


@MODELS.register_module(name=['DataFreeDistillation', 'DAFLDataFreeDistillation'])
def data_free_distillation(**_: Any) -> NoReturn:
    """Raise ConfigError: it trains a generator of images beside the student, with an optimiser of its own."""
    raise ConfigError(
        "model.type: distillation without data is not offered here; leave model._scope_='mmrazor' and add "
        "custom_imports=dict(imports=['mmkd_ext']), with which MMRazor's own engine runs it."
    )
