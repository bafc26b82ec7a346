"""Two optimisers as one, for methods whose networks are trained by different rules."""

from collections.abc import Sequence
from typing import Any

import torch


class SideBySide(torch.optim.Optimizer):
    """Several optimisers over different parameters that step together.

    A GAN that shares its segmentation network with other methods needs it: that network is trained by stochastic
    gradient descent as everywhere, its generator and discriminators by Adam.

    Args:
        optimizers: each over parameters of its own.

    Raises:
        ValueError: a parameter belongs to two of them.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        owned = [id(p) for each in optimizers for group in each.param_groups for p in group["params"]]
        if len(set(owned)) < len(owned):
            raise ValueError("a parameter belongs to two optimisers; expected each to have one")
        self.optimizers = list(optimizers)
        super().__init__([group for each in optimizers for group in each.param_groups], {})
        # The very groups of the parts, so that a schedule that writes into them reaches the parts.
        self.param_groups = [group for each in optimizers for group in each.param_groups]

    @property
    def state(self) -> dict[Any, Any]:
        """The state of all parameters; tensors may be replaced in place, entry by entry."""
        return {parameter: state for each in self.optimizers for parameter, state in each.state.items()}

    @state.setter
    def state(self, value: Any) -> None:
        """Ignored: each optimiser holds its own."""

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of each."""
        for each in self.optimizers:
            each.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for each in self.optimizers:
            each.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]
        """Of each, in order."""
        return {"optimizers": [each.state_dict() for each in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:  # type: ignore[override]
        """Into each, in order."""
        for each, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            each.load_state_dict(state)
        self.param_groups = [group for each in self.optimizers for group in each.param_groups]
