"""Overhaul of feature distillation: the teacher's maps before the ReLU, clipped at a margin from its batch norms.

Source: Heo et al., "A Comprehensive Overhaul of Feature Distillation", arXiv:1904.01866; loss and connectors are
MMRazor's.

    margin of a channel = E[x | x < 0], where x is normal with the batch norm's bias as mean and |weight| as deviation
"""

import math
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_ext.distillers.configurable import ConfigurableDistiller
from mmkd_ext.distillers.mapping import DISTILLER_KEY, sources_of
from mmkd_ext.errors import ConfigError
from mmkd_ext.registry import MODELS


@MODELS.register_module()
class OFDDistiller(ConfigurableDistiller):
    """Sets the margins of connectors that have one (`mmrazor.OFDTeacherConnector`) from the teacher's batch norms.

    The recorder of such a connector must be on a batch norm.
    """

    def check_teacher(self, teacher: nn.Module, recorders: Collection[str] | None = None) -> None:
        """Same as `ConfigurableDistiller`; also sets the margins.

        Raises:
            ConfigError: If the input of a connector with a margin is not the output of a batch norm.
        """
        super().check_teacher(teacher, recorders)
        for source in sources_of(self.wiring):
            connector: Any = self.connectors[source.connector] if source.connector else None
            others = source.from_student or (recorders is not None and source.recorder not in recorders)
            if others or not hasattr(connector, 'init_margin'):
                continue
            module = teacher.get_submodule(self.teacher_recorders[source.recorder].source)
            if not isinstance(module, nn.modules.batchnorm._BatchNorm) or not module.affine:
                raise ConfigError(
                    f'{DISTILLER_KEY}.teacher_recorders.{source.recorder}.source must be an affine batch norm, whose '
                    f'parameters give the margin of connector {source.connector!r}, got {type(module).__name__}.'
                )
            connector.init_margin(ofd_margin(module.weight, module.bias))


def ofd_margin(weight: Tensor, bias: Tensor) -> Tensor:
    """The mean of the values that the ReLU cuts off; minus three deviations if it cuts off almost nothing.

    Args:
        weight: The batch norm's weight, (C,).
        bias: Its bias, (C,).

    Returns:
        (1, C, 1, 1).
    """
    std, mean = weight.detach().double().abs(), bias.detach().double()
    ratio = mean / std
    below = torch.special.ndtr(-ratio)
    expected = mean - std * torch.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi) / below
    return torch.where(below > 0.001, expected, -3 * std).float()[None, :, None, None]
