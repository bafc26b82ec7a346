"""Weights of the head, drawn apart from those of the backbone."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def initialise_head(network: nn.Module, seed: int) -> nn.Module:
    """Re-draw every weight outside `network.backbone`, in place, from its own seed.

    Cross pseudo supervision needs two networks with one backbone and two heads. As in its authors' code, convolution
    weights are Kaiming normal (fan-in, ReLU gain) and normalisation layers are reset; biases are uniform as in
    PyTorch's default. The numbers are drawn on the CPU: they depend on the seed and on nothing else.

    Args:
        network: module with a submodule `backbone`; all other submodules are its head.
        seed: of the generator; the global random state is neither read nor changed.

    Returns:
        The same network.

    Raises:
        ValueError: the network has no submodule `backbone`.
    """
    if not isinstance(getattr(network, "backbone", None), nn.Module):
        raise ValueError(f"{type(network).__name__} has no submodule 'backbone'; cannot tell what its head is.")
    generator = torch.Generator().manual_seed(seed)
    backbone = set(network.backbone.modules())
    with torch.no_grad():
        for module in network.modules():
            if module in backbone:
                continue
            if isinstance(module, _BatchNorm):
                module.reset_running_stats()
                if module.affine:
                    module.weight.fill_(1.0)
                    module.bias.fill_(0.0)
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                fan_in = module.weight[0].numel()
                draw = torch.randn(module.weight.shape, generator=generator) * (2.0 / fan_in) ** 0.5
                module.weight.copy_(draw)
                if module.bias is not None:
                    module.bias.copy_((torch.rand(module.bias.shape, generator=generator) * 2 - 1) * fan_in**-0.5)
    return network
