"""Batch normalisation over the batch of all processes.

torch's own :class:`torch.nn.SyncBatchNorm` works on GPUs alone. On CPUs the layer here takes its place, so that what is
said of several processes can be tested anywhere: they train as one process does on the joined batch.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from labelkit.distributed import place


def synchronise(method: nn.Module, device: torch.device) -> None:
    """Let every batch normalisation of a method use the batch of all processes, in place.

    Parameters, running statistics and their names stay what they are. Layers that were replaced before, frozen ones
    (torchvision's ``FrozenBatchNorm2d``) and normalisation that knows no batch are left alone.

    Args:
        method: whose layers are replaced.
        device: where it is trained.

    Raises:
        TypeError: a layer is more than a plain batch normalisation, so that another cannot take its place; names it.
    """
    made: dict[_BatchNorm, _BatchNorm] = {}  # one layer may stand in several places
    for name, layer in list(method.named_modules(remove_duplicate=False)):
        if not isinstance(layer, _BatchNorm) or isinstance(layer, SynchronisedBatchNorm | nn.SyncBatchNorm):
            continue
        if type(layer) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            raise TypeError(f"{name} is a {type(layer).__name__}; expected a plain batch normalisation to synchronise")
        parent = method.get_submodule(name.rpartition(".")[0])
        kind = nn.SyncBatchNorm if device.type == "cuda" else SynchronisedBatchNorm
        if layer not in made:
            made[layer] = _as(kind, layer)
        setattr(parent, name.rpartition(".")[2], made[layer])


def _as(kind: type[_BatchNorm], layer: _BatchNorm) -> _BatchNorm:
    """A layer of another kind with the very parameters and buffers of the given one."""
    made = kind(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    made._parameters, made._buffers = layer._parameters, layer._buffers
    return made.train(layer.training)


class SynchronisedBatchNorm(_BatchNorm):
    """Batch normalisation of (N, C, ...) whose batch is that of all processes; shares may differ in size.

    With one process, and in evaluation, this is torch's. In training without running statistics it records nothing, as
    torch's does while ``track_running_stats`` is off.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"expected at least 2 dimensions (N, C, ...), got {x.dim()}")

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same shape and type.

        Raises:
            ValueError: all processes together have but one value of a channel.
        """
        if not self.training or place()[1] == 1:
            return super().forward(x)
        self._check_input_dim(x)
        y, mean, variance, count = _Normalise.apply(x, self.weight, self.bias, self.eps)
        if self.track_running_stats and self.running_mean is not None:
            self._record(mean, variance * count / (count - 1))
        return y

    @torch.no_grad()
    def _record(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        for kept, value in ((self.running_mean, mean), (self.running_var, variance)):
            kept.mul_(1 - share).add_(value.to(kept.dtype), alpha=share)


class _Normalise(torch.autograd.Function):
    """Normalise by the statistics of all processes. Sums travel in float64, so that adding squares loses nothing."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, ...]:
        channels, wide = x.shape[1], _wide(x)
        sums = torch.zeros(2 * channels + 1, dtype=torch.float64, device=x.device)
        if x.numel():
            variance, mean = (value.double() for value in torch.var_mean(wide, _others(x), correction=0))
            own = x.numel() // channels
            sums[:channels], sums[channels:-1], sums[-1] = own * mean, own * (variance + mean.square()), own
        torch.distributed.all_reduce(sums)
        count = sums[-1]
        if count < 2:
            raise ValueError(f"{int(count)} value of each channel in all processes; training needs more than one")
        mean = sums[:channels] / count
        variance = (sums[channels:-1] / count - mean.square()).clamp(min=0)
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean.to(wide.dtype), scale.to(wide.dtype), count)
        y = F.batch_norm(wide, mean.to(wide.dtype), variance.to(wide.dtype), _as_wide(weight, wide),
                         _as_wide(bias, wide), eps=eps)  # fmt: skip
        ctx.mark_non_differentiable(mean, variance, count)
        return y.to(x.dtype), mean, variance, count

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        view = (1, -1, *[1] * (x.dim() - 2))
        wide = gradient.to(mean.dtype)
        normal = (x.to(mean.dtype) - mean.view(view)) * scale.view(view)
        of_bias, of_weight = wide.sum(_others(x)), (wide * normal).sum(_others(x))
        # What other processes' losses owe to this process's values, through mean and variance, comes with the sums.
        sums = torch.cat([of_bias, of_weight]).double()
        torch.distributed.all_reduce(sums)
        shift, tilt = (sums / count).to(mean.dtype).chunk(2)
        back = (wide - shift.view(view) - normal * tilt.view(view)) * scale.view(view)
        if weight is None:
            return back.to(x.dtype), None, None, None
        back = back * weight.to(mean.dtype).view(view)
        return back.to(x.dtype), of_weight.to(weight.dtype), of_bias.to(weight.dtype), None


def _wide(x: Tensor) -> Tensor:
    """At least single precision: under autocast values arrive as bfloat16."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _as_wide(parameter: Tensor | None, x: Tensor) -> Tensor | None:
    return None if parameter is None else parameter.to(x.dtype)


def _others(x: Tensor) -> list[int]:
    """All dimensions but that of the channels."""
    return [dimension for dimension in range(x.dim()) if dimension != 1]
