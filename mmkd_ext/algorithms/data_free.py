"""MMRazor's distillation without data, refused by name."""

from typing import Any, NoReturn

from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


@MODELS.register_module(name=['DataFreeDistillation', 'DAFLDataFreeDistillation'])
def data_free_distillation(**_: Any) -> NoReturn:
    """Raise ConfigError: this trains an image generator next to the student, with its own optimiser."""
    raise ConfigError(
        "model.type: distillation without data is not offered here; leave model._scope_='mmrazor' and add "
        "custom_imports=dict(imports=['mmkd_ext']), with which MMRazor's own engine runs it."
    )
