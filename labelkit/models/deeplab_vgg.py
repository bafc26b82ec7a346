"""DeepLab with an atrous spatial pyramid on VGG-16, as DSRG trains it (Huang et al., CVPR 2018).

Read against the configuration of the authors' code, speedinghzl/DSRG at 91efdf7: the last two poolings have stride 1,
an average pooling follows them, and the logits of four parallel branches are added.
"""

import torch
from torch import Tensor, nn

from labelkit.models.layers import imagenet_normalise, upsample
from labelkit.models.vgg import vgg16_features


class DeepLabVGG(nn.Module):
    """VGG-16 at stride 8, then four branches: 3x3 dilated, 1x1, 1x1 to classes; their logits are added.

    37,877,652 parameters at 21 classes. 321 x 321 images give 41 x 41 logits.

    Args:
        num_classes: K, background included.
        rates: dilations of the branches.
        hidden: channels inside a branch.
        dropout: after each ReLU of a branch.
        pretrained: ImageNet weights in VGG-16 (needs a network or torchvision's cache).
        width: of VGG-16; less than 64 is for tests.

    Raises:
        RuntimeError: `pretrained` weights cannot be fetched.
    """

    def __init__(
        self,
        num_classes: int,
        rates: tuple[int, ...] = (6, 12, 18, 24),
        *,
        hidden: int = 1024,
        dropout: float = 0.5,
        pretrained: bool = False,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.backbone = vgg16_features("3x3", pool5=True, pretrained=pretrained, width=width)
        self.pool = nn.AvgPool2d(3, stride=1, padding=1)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(8 * width, hidden, 3, padding=rate, dilation=rate),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
                nn.Conv2d(hidden, hidden, 1),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
                nn.Conv2d(hidden, num_classes, 1),
            )
            for rate in rates
        )
        for branch in self.branches:
            nn.init.normal_(branch[-1].weight, std=0.01)
            nn.init.zeros_(branch[-1].bias)

    def scores(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, K, H / 8, W / 8), rounded up: the resolution of DSRG's seeds."""
        features = self.pool(self.backbone(imagenet_normalise(images)))
        return torch.stack([branch(features) for branch in self.branches]).sum(0)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, K, H, W)."""
        return upsample(self.scores(images), images.shape[-2:])

    def rate_groups(self, rate: float, weight_decay: float = 5e-4) -> list[dict]:
        """Parameter groups of DSRG's optimiser: the last layer learns 10 times as fast, its bias 20 times.

        Args:
            rate: learning rate of the rest; biases of the rest learn twice as fast and do not decay.
            weight_decay: of weights, not of biases.
        """
        last = {id(p) for branch in self.branches for p in branch[-1].parameters()}
        groups: dict[tuple[bool, bool], list] = {}
        for parameter in self.parameters():
            groups.setdefault((id(parameter) in last, parameter.dim() == 1), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": rate * (10 if is_last else 1) * (2 if is_bias else 1),
                "weight_decay": 0.0 if is_bias else weight_decay,
            }
            for (is_last, is_bias), parameters in groups.items()
        ]
