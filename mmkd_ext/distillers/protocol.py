"""The attributes and methods that the distiller may use on a loss."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn


class DistillLoss(Protocol):
    """A loss in `distill_losses`: any `nn.Module` with a `forward`; everything else is optional.

    Attributes:
        loss_weight: The factor on the result, for which a preflight suggests another value.
        takes_levels: Whether it is called once with the lists of all levels, not once for each level (False).
        by_class: Whether it compares class by class, so that student and teacher must have the same classes. Without
            it, the inputs decide: class logits of both sides are compared class by class.
        aliases: Other names that a config may use for arguments of `forward`, such as MMRazor's (none).
        file: Class means read from a file, whose `metadata` has the teacher's `fingerprint`.
        gathered: A tensor that this process gathers in training, to share with the others. In each step, `take_total`
            is called with its sum over all processes, even in a process that had nothing to compute.
    """

    loss_weight: float
    takes_levels: bool
    by_class: bool | None
    aliases: Mapping[str, str]
    file: Any
    gathered: Tensor

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The loss, a single number; `loss_forward_mappings` uses the names of the arguments.

        Raises:
            ValueError: If it cannot be computed from them; the distiller adds the config key.
        """

    def check_teacher(self, teacher: nn.Module) -> None:
        """Check the teacher before training, when its weights are loaded.

        Raises:
            ValueError: If the loss holds something (class means) that was made with another teacher.
        """

    def check_images(self, changes: str) -> None:
        """Check the teacher's images before training.

        Args:
            changes: How they differ from those that it would get on its own, in words; empty if they do not.

        Raises:
            ValueError: If the loss holds something that was made from other images.
        """

    def check_data(self, classes: Sequence[str]) -> None:
        """Check the classes of the data set when training begins.

        Raises:
            ValueError: If the loss holds something that is for other classes.
        """

    def take_total(self, total: Tensor) -> None:
        """Take the sum of all processes' `gathered`, which must then be reset."""
