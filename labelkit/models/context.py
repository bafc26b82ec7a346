"""Context modules beside OCR: pixel self-attention, and OCR inside a pyramid of dilated convolutions (ASP-OCR)."""

import torch
from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu
from labelkit.models.ocr import ObjectAttention
from labelkit.models.regions import SpatialGather


class PixelSelfAttention(nn.Module):
    """Every pixel attends to every pixel (non-local block), with the layers of `ObjectAttention`, then fusion.

    It is object attention in which each pixel is its own region, so the two differ in K alone: the attention matrix has
    N x N instead of N x K entries, and parameters and widths are equal.

    Args:
        in_channels: width C of the features.
        key_channels: width of query, key and value.
        out_channels: width after fusion.
        bias: whether the convolutions have one.
        dropout: rate of Dropout2d after fusion.
    """

    def __init__(
        self, in_channels: int, key_channels: int, out_channels: int, bias: bool = True, dropout: float = 0.05
    ) -> None:
        super().__init__()
        self.attention = ObjectAttention(in_channels, key_channels, bias=bias)
        self.fusion = nn.Sequential(
            *conv_bn_relu(2 * in_channels, out_channels, kernel_size=1, bias=bias), nn.Dropout2d(dropout)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) -> (B, out_channels, H, W); materialises (B, N, N)."""
        context = self.attention(features, features.flatten(2))
        return self.fusion(torch.cat([context, features], dim=1))


class ASPOCRBlock(nn.Module):
    """OCR beside a 1x1 and three dilated 3x3 convolutions, as one branch of an atrous pyramid (ASP-OCR).

    Args:
        in_channels: width of the features (2048 for ResNet, 720 for HRNet).
        hidden_channels: width of each of the five branches; the OCR branch uses half of it as key width.
        out_channels: width after fusion.
        dilations: of the three 3x3 branches: (12, 24, 36) at output stride 8, (24, 48, 72) at stride 4.
        dropout: rate of Dropout2d after fusion.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 256,
        out_channels: int = 256,
        dilations: tuple[int, int, int] = (12, 24, 36),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pixel = conv_bn_relu(in_channels, hidden_channels, bias=True)
        self.gather = SpatialGather()
        self.attention = ObjectAttention(hidden_channels, hidden_channels // 2)
        self.branches = nn.ModuleList(
            [
                conv_bn_relu(in_channels, hidden_channels, kernel_size=1, bias=True),
                *(conv_bn_relu(in_channels, hidden_channels, dilation=d, bias=True) for d in dilations),
            ]
        )
        self.fusion = nn.Sequential(
            *conv_bn_relu(5 * hidden_channels, out_channels, kernel_size=1, bias=True), nn.Dropout2d(dropout)
        )

    def forward(self, features: Tensor, coarse_logits: Tensor) -> Tensor:
        """Features (B, in_channels, H, W), coarse logits (B, K, H, W) -> (B, out_channels, H, W)."""
        pixel = self.pixel(features)
        context = self.attention(pixel, self.gather(pixel, coarse_logits))
        return self.fusion(torch.cat([context, *(branch(features) for branch in self.branches)], dim=1))
