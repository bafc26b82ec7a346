"""The lesson network with a context module at stride 8 and a coarse classifier: the arms of the OCR chapter."""

from torch import Tensor, nn

from labelkit.models.context import PixelSelfAttention
from labelkit.models.layers import conv_bn_relu, upsample
from labelkit.models.lesson import LessonDecoder, LessonEncoder
from labelkit.models.ocr import OCRBlock

CONTEXTS = ("conv", "ocr", "self-attention")


class LessonContextNet(nn.Module):
    """Encoder, one of three context modules on the same stride-8 features, decoder; a coarse classifier in all three.

    All arms share encoder, pixel convolution, coarse classifier and decoder; only the module between them differs:
    "conv" is one 3x3 convolution (more parameters than the others), "ocr" the OCR block, "self-attention" the
    pixel-to-pixel block of equal width. So the coarse loss supervises every arm, but only OCR reads the coarse logits.
    About 0.26 to 0.28 M parameters at width 16.

    Args:
        num_classes: K.
        context: "conv", "ocr" or "self-attention".
        width: channels at stride 2; the features at stride 8 have four times as many.
        key_channels: width of query, key and value; None = `width`.
        use_ground_truth: ideal regions and attention from the mask (with "ocr" only).
        gather: see `labelkit.models.regions.SpatialGather` (with "ocr" only).
        dropout: rate of Dropout2d in coarse head and fusion.

    Raises:
        ValueError: unknown `context`, or OCR options with another context.
    """

    def __init__(
        self,
        num_classes: int,
        context: str = "ocr",
        *,
        width: int = 16,
        key_channels: int | None = None,
        use_ground_truth: bool = False,
        gather: str = "pixel-softmax",
        dropout: float = 0.05,
    ) -> None:
        super().__init__()
        if context not in CONTEXTS:
            raise ValueError(f"context is {context!r}; expected one of {', '.join(CONTEXTS)}.")
        if context != "ocr" and (use_ground_truth or gather != "pixel-softmax"):
            raise ValueError(f"context is {context!r}; use_ground_truth and gather are options of 'ocr' only.")
        self.backbone = LessonEncoder(width)
        channels = self.feature_channels = self.backbone.channels[-1]
        key_channels = key_channels or width
        self.coarse = nn.Sequential(
            *conv_bn_relu(channels, channels), nn.Dropout2d(dropout), nn.Conv2d(channels, num_classes, kernel_size=1)
        )
        self.pixel = conv_bn_relu(channels, channels)
        self.decoder = LessonDecoder(num_classes, self.backbone.channels)
        # Built last: under one seed, all that the arms share starts from the same weights.
        if context == "ocr":
            self.context: nn.Module = OCRBlock(
                channels,
                key_channels,
                channels,
                num_classes,
                gather=gather,
                use_ground_truth=use_ground_truth,
                dropout=dropout,
            )
        elif context == "self-attention":
            self.context = PixelSelfAttention(channels, key_channels, channels, dropout=dropout)
        else:
            self.context = nn.Sequential(*conv_bn_relu(channels, channels, bias=True), nn.Dropout2d(dropout))

    def explain(self, images: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        """Everything that figures and losses need.

        Args:
            images: (B, 3, H, W).
            mask: labels (B, H, W), 255 = ignore; only for ideal regions.

        Returns:
            `logits` and `coarse` (B, K, H, W) at image size and, with OCR, the entries of `OCRBlock.explain`.
        """
        size = images.shape[-2:]
        stride2, stride4, stride8 = self.backbone(images)
        coarse = self.coarse(stride8)
        pixel = self.pixel(stride8)
        if isinstance(self.context, OCRBlock):
            steps = self.context.explain(pixel, coarse, mask)
        else:
            steps = {"output": self.context(pixel)}
        logits = self.decoder(stride2, stride4, steps["output"])
        return {**steps, "logits": upsample(logits, size), "coarse": upsample(coarse, size)}

    def both_logits(self, images: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Main and coarse logits, each (B, K, H, W), for the two cross-entropies of the training step."""
        steps = self.explain(images, mask)
        return steps["logits"], steps["coarse"]

    def forward(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Images (B, 3, H, W) -> main logits (B, K, H, W); `mask` only for ideal regions."""
        return self.explain(images, mask)["logits"]
