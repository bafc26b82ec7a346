"""AuxSegNet (Xu et al., ICCV 2021): tags, saliency and segmentation from one trunk, tied by learned affinities.

Read against the authors' code, xulianuwa/AuxSegNet at 9f40a5d (network/AuxSegNet.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.affinity_propagation import propagate
from labelkit.models.cross_task_affinity import AffinityBlock, CrossTaskFusion

AFFINITIES = ("none", "segmentation", "cross-task")


@dataclass(frozen=True)
class Outputs:
    """What the heads say about a batch, at the size of the features; None where the network has no such part.

    Attributes:
        tags: logits of the C foreground classes (B, C).
        segmentation, saliency: logits (B, C + 1, h, w) and (B, 1, h, w).
        refined_segmentation, refined_saliency: the same after the affinity.
        affinity: the one that refines, (B, N, N).
        segmentation_affinity, saliency_affinity: of the two tasks, (B, N, N).
    """

    tags: Tensor | None
    segmentation: Tensor
    saliency: Tensor | None
    refined_segmentation: Tensor | None = None
    refined_saliency: Tensor | None = None
    affinity: Tensor | None = None
    segmentation_affinity: Tensor | None = None
    saliency_affinity: Tensor | None = None


class TaskBranch(nn.Module):
    """A dense head: two dilated 3x3 convolutions, the affinity block, a third one, and a 1x1 convolution to logits.

    Args:
        in_channels: of the trunk's features.
        out_channels: of the logits.
        width: of everything between.
        dilations: of the three 3x3 convolutions.
        affinity: whether there is an affinity block.
    """

    def __init__(
        self, in_channels: int, out_channels: int, width: int, dilations: Sequence[int], affinity: bool
    ) -> None:
        super().__init__()
        first, second, third = dilations
        self.first = _dilated(in_channels, width, first)
        self.second = _dilated(width, width, second)
        self.block = AffinityBlock(width) if affinity else None
        self.third = _dilated(width, width, third)
        self.classifier = _xavier(nn.Conv2d(width, out_channels, 1, bias=False))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, in_channels, h, w) -> logits (B, out_channels, h, w), affinity (B, N, N) or None."""
        x = F.relu(self.second(F.relu(self.first(features))))
        affinity = None
        if self.block is not None:
            x, affinity = self.block(x)
        return self.classifier(F.relu(self.third(x))), affinity


class AuxSegHead(nn.Module):
    """The three heads and what ties them, on the features of any trunk.

    The three classifiers and the dilated convolutions are drawn Xavier uniform, all else as PyTorch does.

    Args:
        in_channels: of the trunk's features.
        tags: number of foreground classes, C.
        width: of the dense heads; the paper has 128.
        dilations: of their 3x3 convolutions.
        affinity: "cross-task" (the paper), "segmentation" (the affinity of that task alone refines) or "none".
        classification, saliency: whether there are these auxiliary heads.
        dropout: share of the trunk's maps dropped in front of the tag classifier.

    Raises:
        ValueError: the affinity is none of those named, or is cross-task without a saliency head.
    """

    def __init__(
        self,
        in_channels: int,
        tags: int,
        width: int = 128,
        dilations: Sequence[int] = (6, 12, 18),
        affinity: str = "cross-task",
        classification: bool = True,
        saliency: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if affinity not in AFFINITIES:
            raise ValueError(f"affinity is {affinity!r}; expected one of {', '.join(AFFINITIES)}")
        if affinity == "cross-task" and not saliency:
            raise ValueError("affinity 'cross-task' needs the saliency head; expected saliency=True")
        self.classifier = _xavier(nn.Conv2d(in_channels, tags, 1, bias=False)) if classification else None
        self.dropout = nn.Dropout2d(dropout)
        self.segmentation = TaskBranch(in_channels, tags + 1, width, dilations, affinity != "none")
        self.saliency = TaskBranch(in_channels, 1, width, dilations, affinity == "cross-task") if saliency else None
        self.fusion = CrossTaskFusion() if affinity == "cross-task" else None

    def forward(self, features: Tensor) -> Outputs:
        """Features (B, in_channels, h, w) -> all outputs. No gradient is stopped anywhere between them."""
        tags = self.tags(features) if self.classifier is not None else None
        segmentation, of_segmentation = self.segmentation(features)
        saliency, of_saliency = self.saliency(features) if self.saliency is not None else (None, None)
        if of_segmentation is None:
            return Outputs(tags, segmentation, saliency)
        affinity = of_segmentation if self.fusion is None else self.fusion(of_segmentation, of_saliency)
        return Outputs(
            tags,
            segmentation,
            saliency,
            refined_segmentation=propagate(segmentation, affinity),
            refined_saliency=propagate(saliency, affinity) if saliency is not None else None,
            affinity=affinity,
            segmentation_affinity=of_segmentation,
            saliency_affinity=of_saliency,
        )

    def tags(self, features: Tensor) -> Tensor:
        """Features (B, in_channels, h, w) -> logits of the tags (B, C): dropout, mean over positions, classifier."""
        return self.classifier(self.dropout(features).mean((2, 3), keepdim=True)).flatten(1)

    def maps(self, features: Tensor) -> Tensor:
        """Features (B, in_channels, h, w) -> raw class activation maps (B, C, h, w), signed, without dropout."""
        return self.classifier(features)


class AuxSegNetwork(nn.Module):
    """A trunk and the three heads.

    Args:
        trunk: images (B, 3, H, W) in 0..1 to features (B, K, h, w).
        head: on those K channels.
    """

    def __init__(self, trunk: nn.Module, head: AuxSegHead) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, images: Tensor) -> Outputs:
        """Images (B, 3, H, W) in 0..1 -> all outputs at the size of the features."""
        return self.head(self.trunk(images))

    def with_maps(self, images: Tensor) -> tuple[Outputs, Tensor]:
        """As ``forward``, and the raw class activation maps (B, C, h, w)."""
        features = self.trunk(images)
        return self.head(features), self.head.maps(features)


class TagNetwork(nn.Module):
    """A trunk and the tag classifier alone, from which the first maps are read; parts are named as in the full network.

    Args:
        trunk: images (B, 3, H, W) in 0..1 to features (B, K, h, w); K is its attribute ``channels``.
        tags: number of foreground classes, C.
        dropout: share of the trunk's maps dropped in front of the classifier.
    """

    def __init__(self, trunk: nn.Module, tags: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.trunk, self.dropout = trunk, nn.Dropout2d(dropout)
        self.classifier = _xavier(nn.Conv2d(trunk.channels, tags, 1, bias=False))

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits of the tags (B, C)."""
        return self.classifier(self.dropout(self.trunk(images)).mean((2, 3), keepdim=True)).flatten(1)

    def maps(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> raw class activation maps (B, C, h, w)."""
        return self.classifier(self.trunk(images))


def _dilated(in_channels: int, channels: int, dilation: int) -> nn.Conv2d:
    return _xavier(nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation))


def _xavier(convolution: nn.Conv2d) -> nn.Conv2d:
    nn.init.xavier_uniform_(convolution.weight)
    return convolution
