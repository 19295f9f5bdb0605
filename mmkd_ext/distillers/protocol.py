"""What the distiller may ask of a loss, as one list."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn


class DistillLoss(Protocol):
    """A loss in `distill_losses`: any `nn.Module` with a `forward`; all else may be left out.

    Attributes:
        loss_weight: The factor on the result, for which a preflight suggests another value.
        takes_levels: Whether it is called once with the lists of all levels, not once for each level (False).
        by_class: Whether it compares class by class, so that student and teacher must have the same classes. Without it
            the inputs tell: class logits of both sides are compared so.
        aliases: Other names that a config may have for arguments of `forward`, such as MMRazor's (none).
        file: Class means that were read from a file, with `metadata` that has the teacher's `fingerprint`.
        gathered: What this process has gathered in training and the others have to know. In each step `take_total` is
            called with the sum of it over all processes, also in one that had nothing to compute the loss of.
    """

    loss_weight: float
    takes_levels: bool
    by_class: bool | None
    aliases: Mapping[str, str]
    file: Any
    gathered: Tensor

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The loss, one number; the names of the arguments are those that `loss_forward_mappings` maps.

        Raises:
            ValueError: If it cannot be computed of these; the distiller adds the config key.
        """

    def check_teacher(self, teacher: nn.Module) -> None:
        """Look at the teacher before training, when its weights are loaded.

        Raises:
            ValueError: If what the loss holds (class means) was made with another.
        """

    def check_images(self, changes: str) -> None:
        """Look at the teacher's images before training.

        Args:
            changes: How they differ from those that it would be given by itself, in words; empty where they do not.

        Raises:
            ValueError: If what the loss holds was made of other images.
        """

    def check_data(self, classes: Sequence[str]) -> None:
        """Look at the classes of the data set when training begins.

        Raises:
            ValueError: If what the loss holds is of other classes.
        """

    def take_total(self, total: Tensor) -> None:
        """Take the sum of all processes' `gathered`, which is then to be empty."""
