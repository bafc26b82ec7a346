"""Torch operations as in earnest, but for the costly ones: these give noise of the right shape.

A rehearsal on a machine that cannot train a network still goes through all that happens between two trainings: labels
are made, chosen, written and read, and what was trained is tested. Of that, convolutions and matrix products take
nearly all of the time. Everything else is computed, so that code which looks at numbers (thresholds, non-maximum
suppression, sampling) does what it does.
"""

import time
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

COSTLY = 100_000_000
"""Floating-point operations from which an operation is not computed: a few milliseconds."""
NOISE = 1 << 20


class OutOfTime(BaseException):
    """The time that was given is over; no ``except Exception`` of a method may swallow it."""


class Sketch(TorchDispatchMode):
    """Within the block costly operations on the CPU give noise, and `OutOfTime` is raised at the deadline.

    Args:
        on: whether costly operations are sketched; may be changed at any time.

    Attributes:
        deadline: in seconds of this process (``time.process_time()``); None for none.
    """

    def __init__(self, on: bool = True) -> None:
        super().__init__()
        self.on, self.deadline = on, None
        self._noise = torch.randn(NOISE, generator=torch.Generator().manual_seed(0))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.deadline is not None and time.process_time() > self.deadline:
            raise OutOfTime
        kwargs = kwargs or {}
        if not self.on or func._overloadpacket not in flop_registry or not _plain(args, kwargs):
            return func(*args, **kwargs)
        made = func(*tree_map_only(Tensor, _without_content, args), **tree_map_only(Tensor, _without_content, kwargs))
        if flop_registry[func._overloadpacket](*args, **kwargs, out_val=made) < COSTLY:
            return func(*args, **kwargs)
        return tree_map_only(Tensor, self._filled, made)

    def _filled(self, shaped: Tensor) -> Tensor:
        out = torch.empty_strided(shaped.size(), shaped.stride(), dtype=shaped.dtype, device="cpu")
        flat = out.as_strided((out.untyped_storage().nbytes() // out.element_size(),), (1,))
        noise = self._noise.to(shaped.dtype)
        for start in range(0, len(flat), NOISE):
            flat[start : start + NOISE] = noise[: len(flat) - start]
        return out


def _plain(args: Any, kwargs: Any) -> bool:
    """Whether all tensors are ordinary ones on the CPU."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    return all(type(each) in (Tensor, torch.nn.Parameter) and each.device.type == "cpu" for each in tensors)


def _without_content(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device="meta")


class AllTrue(TorchDispatchMode):
    """Within the block tensors without content answer how much of a mask is true: all of it.

    Losses on some of the pixels (OHEM) choose them by a mask and ask for their number. All of them is the most that
    such a loss can cost. Whatever else looks at numbers fails as before.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, aten = kwargs or {}, torch.ops.aten
        if func is aten._local_scalar_dense.default and hasattr(args[0], "true"):
            return args[0].true
        if func is aten.index.Tensor and len(args[1]) == 1 and args[1][0].dtype == torch.bool:
            mask = args[1][0]
            return args[0].reshape(mask.numel(), *args[0].shape[mask.dim() :])
        made = func(*args, **kwargs)
        if func is aten.sum.default and args[0].dtype == torch.bool:
            made.true = args[0].numel()
        return made
