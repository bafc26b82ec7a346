"""Object-contextual representations (Yuan, Chen, Wang; ECCV 2020): object attention, fusion, head.

Structure and numbers follow the authors' openseg.pytorch; the arithmetic is tested against arrays from that code.
The regions themselves are in `labelkit.models.regions`. B images, C channels, K regions (one per class), N = H * W
positions of the feature grid.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.layers import conv_bn_relu, upsample
from labelkit.models.regions import SpatialGather, gather_regions, region_indicator


def attend(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention of N pixels over K regions (K = N: over all pixels).

    Args:
        query: (B, D, N).
        key, value: (B, D, K).

    Returns:
        Context (B, D, N) and attention (B, N, K), rows sum to 1.
    """
    query = query.transpose(1, 2) * query.shape[1] ** -0.5  # scaled here: the N x K map is the large one
    attention = F.softmax(torch.matmul(query, key), dim=-1)
    return torch.matmul(value, attention.transpose(1, 2).to(value.dtype)), attention


class ObjectAttention(nn.Module):
    """Every pixel attends to the region vectors: w = softmax over regions of q . k / sqrt(key channels).

    Query (pixel) and key (region) have two layers each, value and output one; all have normalisation and ReLU.

    Args:
        in_channels: width C of features and region vectors.
        key_channels: width of query, key and value.
        scale: max-pool factor before the query, to save memory; the context is upsampled again. 1 = off.
        bias: whether the convolutions have one (openseg: yes, HRNet repository: no).
        use_ground_truth: attention is the ground truth itself, one-hot ("ideal" object context).
    """

    def __init__(
        self, in_channels: int, key_channels: int, scale: int = 1, bias: bool = True, use_ground_truth: bool = False
    ) -> None:
        super().__init__()
        self.scale = scale
        self.use_ground_truth = use_ground_truth

        def layer(c_in: int, c_out: int) -> nn.Sequential:
            return conv_bn_relu(c_in, c_out, kernel_size=1, bias=bias)

        self.query = nn.Sequential(layer(in_channels, key_channels), layer(key_channels, key_channels))
        self.key = nn.Sequential(layer(in_channels, key_channels), layer(key_channels, key_channels))
        self.value = layer(in_channels, key_channels)
        self.output = layer(key_channels, in_channels)

    def attend(self, features: Tensor, regions: Tensor, membership: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute context and attention.

        Args:
            features: pixel features (B, C, H, W).
            regions: region vectors (B, C, K).
            membership: with `use_ground_truth`: the one-hot regions (B, K, N) at the size of `features`.

        Returns:
            Context (B, C, H, W) and attention (B, N, K), N counted after pooling by `scale`; rows sum to 1.
        """
        size = features.shape[-2:]
        regions = regions.unsqueeze(-1)  # (B, C, K, 1): the region layers normalise over B * K samples
        value = self.value(regions).flatten(2)  # (B, key, K)
        if self.use_ground_truth:
            if self.scale > 1:
                raise ValueError(f"scale is {self.scale}; ideal attention from the ground truth needs scale 1.")
            if membership is None:
                raise ValueError("use_ground_truth is on but no mask was given; pass the ground-truth mask.")
            small, attention = features, membership.transpose(1, 2)
            context = torch.matmul(value, membership.to(value.dtype))  # (B, key, N)
        else:
            small = F.max_pool2d(features, self.scale) if self.scale > 1 else features
            context, attention = attend(self.query(small).flatten(2), self.key(regions).flatten(2), value)
        context = self.output(context.unflatten(2, small.shape[-2:]))
        return upsample(context, size), attention

    def forward(self, features: Tensor, regions: Tensor, membership: Tensor | None = None) -> Tensor:
        """Features (B, C, H, W), regions (B, C, K) -> context (B, C, H, W)."""
        return self.attend(features, regions, membership)[0]


class OCRBlock(nn.Module):
    """Gather, object attention and fusion: features in, features augmented by object context out.

    Args:
        in_channels: width C of the pixel features.
        key_channels: width of query, key and value.
        out_channels: width after fusion.
        num_classes: K, needed for ideal regions.
        gather, logit_scale: see `labelkit.models.regions.SpatialGather`.
        scale, bias: see `ObjectAttention`.
        use_ground_truth: regions and attention from the mask ("ideal OCR"); an absent class has a zero vector and
            ignored pixels form region K.
        dropout: rate of Dropout2d after fusion.
    """

    def __init__(
        self,
        in_channels: int,
        key_channels: int,
        out_channels: int,
        num_classes: int,
        *,
        gather: str = "pixel-softmax",
        logit_scale: float = 1.0,
        scale: int = 1,
        bias: bool = True,
        use_ground_truth: bool = False,
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.use_ground_truth = use_ground_truth
        self.gather = SpatialGather(gather, logit_scale)
        self.attention = ObjectAttention(in_channels, key_channels, scale, bias, use_ground_truth)
        self.fusion = nn.Sequential(
            *conv_bn_relu(2 * in_channels, out_channels, kernel_size=1, bias=bias), nn.Dropout2d(dropout)
        )

    def explain(self, features: Tensor, coarse_logits: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """The block with everything in between, for figures and tests.

        Args:
            features: (B, C, H, W).
            coarse_logits: (B, K, H, W), logits and not probabilities.
            mask: labels (B, H', W'), only read with `use_ground_truth`.

        Returns:
            `soft_regions` (B, K, N), `region_vectors` (B, C, K), `attention` (B, N, K), `context` (B, C, H, W) and
            `output` (B, out_channels, H, W). K is K + 1 for ideal regions and 1 for the global gather.

        Raises:
            ValueError: the sizes of features and coarse logits differ, or the mask is missing.
        """
        if features.shape[-2:] != coarse_logits.shape[-2:]:
            raise ValueError(
                f"features are {tuple(features.shape[-2:])} and coarse logits {tuple(coarse_logits.shape[-2:])} "
                "(height, width); expected the same size."
            )
        if self.use_ground_truth:
            if mask is None:
                raise ValueError("use_ground_truth is on but no mask was given; pass the ground-truth mask.")
            membership = region_indicator(mask, self.num_classes, features.shape[-2:]).to(features.dtype)
            soft_regions = F.normalize(membership, p=1, dim=2)  # an absent class: 0 / 0 -> zero vector
        else:
            membership = None
            soft_regions = self.gather.soft_regions(coarse_logits)
        region_vectors = gather_regions(features, soft_regions.to(features.dtype))
        context, attention = self.attention.attend(features, region_vectors, membership)
        output = self.fusion(torch.cat([context, features], dim=1))  # context first: matters for loading weights
        return {
            "soft_regions": soft_regions,
            "region_vectors": region_vectors,
            "attention": attention,
            "context": context,
            "output": output,
        }

    def forward(self, features: Tensor, coarse_logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """Features (B, C, H, W), coarse logits (B, K, H, W) -> (B, out_channels, H, W)."""
        return self.explain(features, coarse_logits, mask)["output"]


class OCRHead(nn.Module):
    """The paper's whole head: coarse classifier, pixel representation, OCR block, final classifier.

    No gradient is stopped: the main loss also trains the coarse classifier through the soft regions.

    Args:
        in_channels: width of the features that become the pixel representation.
        coarse_in_channels: width of the features under the coarse classifier (ResNet: the stage before; HRNet: same).
        num_classes: K.
        pixel_channels: width of the pixel representation and of the output of fusion.
        key_channels: width of query, key and value.
        coarse_channels: hidden width of the coarse classifier.
        coarse_kernel: its kernel, 3 (openseg) or 1 (HRNet repository).
        coarse_dropout: its Dropout2d rate (0.05 for ResNet, 0 for HRNet).
        bias, dropout, **block: see `OCRBlock`. The convolutions before the block always have a bias, as published.
    """

    def __init__(
        self,
        in_channels: int,
        coarse_in_channels: int,
        num_classes: int,
        pixel_channels: int = 512,
        key_channels: int = 256,
        coarse_channels: int = 512,
        coarse_kernel: int = 3,
        coarse_dropout: float = 0.05,
        **block,
    ) -> None:
        super().__init__()
        self.coarse = nn.Sequential(
            *conv_bn_relu(coarse_in_channels, coarse_channels, coarse_kernel, bias=True),
            nn.Dropout2d(coarse_dropout),
            nn.Conv2d(coarse_channels, num_classes, kernel_size=1),
        )
        self.pixel = conv_bn_relu(in_channels, pixel_channels, bias=True)
        self.block = OCRBlock(pixel_channels, key_channels, pixel_channels, num_classes, **block)
        self.classifier = nn.Conv2d(pixel_channels, num_classes, kernel_size=1)

    def explain(
        self, features: Tensor, coarse_features: Tensor | None = None, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `OCRBlock.explain`, plus `coarse` and `logits`, both (B, K, H, W) at the size of the features."""
        coarse = self.coarse(features if coarse_features is None else coarse_features)
        steps = self.block.explain(self.pixel(features), coarse, mask)
        return {"coarse": coarse, "logits": self.classifier(steps["output"]), **steps}

    def forward(
        self, features: Tensor, coarse_features: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute both classifiers' scores.

        Args:
            features: (B, in_channels, H, W).
            coarse_features: (B, coarse_in_channels, H, W); None = `features`.
            mask: labels (B, H', W'), only for ideal regions.

        Returns:
            Main logits and coarse logits, both (B, K, H, W).
        """
        steps = self.explain(features, coarse_features, mask)
        return steps["logits"], steps["coarse"]
