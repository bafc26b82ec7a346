"""HRNetV2-W48 for segmentation: timm's network with the fusion of the authors' segmentation code.

timm's HRNet is the classification one: between branches it enlarges by nearest neighbour and needs sizes that are
multiples of 32. The segmentation code resizes bilinearly to the other branch's size, whatever that is. Weights and
their names are the same in both. Import this file only where the network is built: it imports timm.
"""

import timm
import torch.nn.functional as F
from timm.models.hrnet import HighResolutionModule
from torch import Tensor, nn

from labelkit.models.layers import upsample

CHANNELS = (48, 96, 192, 384)


class BilinearFusion(HighResolutionModule):
    """Exchange between branches with bilinear resizing (aligned corners) to the size of the receiving branch."""

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """Branch maps, finest first -> as many fused maps of the same sizes."""
        x = [branch(features) for branch, features in zip(self.branches, x, strict=True)]
        fused = []
        for i, layers in enumerate(self.fuse_layers):
            size = x[i].shape[-2:]
            fused.append(F.relu(sum(upsample(layer(features), size) for layer, features in zip(layers, x))))
        return fused


def hrnet_w48() -> nn.Module:
    """Build the backbone with random weights.

    Returns:
        Module (B, 3, H, W) -> four maps of 48, 96, 192, 384 channels at strides 4, 8, 16, 32 (sizes round up).
        65,325,120 parameters.
    """
    # Outputs 1 to 4 are the plain branches once the classification stages are left out.
    network = timm.create_model(
        "hrnet_w48", pretrained=False, features_only=True, feature_location="", out_indices=(1, 2, 3, 4)
    )
    for module in network.modules():
        if isinstance(module, HighResolutionModule) and len(module.branches) > 1:
            module.__class__ = BilinearFusion
            for layers in module.fuse_layers:
                for layer in layers:
                    if isinstance(layer, nn.Sequential) and isinstance(layer[-1], nn.Upsample):
                        layer[-1] = nn.Identity()
    return network
