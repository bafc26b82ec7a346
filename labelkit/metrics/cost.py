"""What a training step holds in memory, counted exactly and on any device."""

from typing import Any

import torch
from torch import Tensor, nn


def step_memory(method: nn.Module, batch: Any) -> dict[str, float]:
    """Memory that one training step needs at its peak, by what it is for; the allocator's slack is not in it.

    Every tensor that autograd keeps for the backward pass is counted once, however often it is kept; the weights
    are not counted among them.

    Args:
        method: with ``training_step``; left with the gradients that it had.
        batch: what the step takes, on the method's device.

    Returns:
        MiB of ``activations`` (kept for the backward pass), of ``weights`` (parameters and buffers), and their sum
        ``total`` with one gradient a weight that has one.
    """
    weights = {value.untyped_storage().data_ptr() for value in [*method.parameters(), *method.buffers()]}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # or the same address could be given to a later tensor
        return tensor

    alive: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = method.training_step(batch)["loss"]
    learnt = torch.autograd.grad(loss, [p for p in method.parameters() if p.requires_grad], allow_unused=True)
    mib = 2**-20
    activations = sum(kept.values()) * mib
    held = sum(value.nbytes for value in [*method.parameters(), *method.buffers()]) * mib
    gradients = sum(value.nbytes for value in learnt if value is not None) * mib
    return {"activations": activations, "weights": held, "total": activations + held + gradients}
