"""The detectors of iSAID (Zamir, Arora, Gupta, Khan, Sun, Shao Khan, Zhu, Shao, Xia, Bai; CVPRW 2019).

The paper is a data set with baselines: Mask R-CNN and PANet, each off the shelf and tuned to aerial images. What the
tuned ones change lies in the detector's options (`labelkit.models.aerial_detector`) and in one thing that happens here:
training at several sizes. The loss is Mask R-CNN's own,

    L = L_objectness + L_rpn_box + L_class + L_box + L_mask,

with smooth-L1 for boxes and a binary cross-entropy per class, on positive regions only, for masks.

No gradient passes through the choice of anchors and regions, through non-maximum suppression, through the coordinates
of proposals (regions are pooled at fixed places), through the choice of the level that a region is pooled from, or
through the threshold on masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NAMES = {
    "loss_objectness": "objectness",
    "loss_rpn_box_reg": "rpn_box",
    "loss_classifier": "class",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}


class AerialInstances(nn.Module):
    """A detector of aerial instances, trained on patches at one size or at several.

    Args:
        detector: of :func:`labelkit.models.aerial_detector.aerial_detector`.
        scales: factors by which a batch of patches is resized in training, one drawn a step; (1.0,) leaves them.
        mask_threshold: a pixel belongs to a mask where its probability is higher.
    """

    def __init__(self, detector: nn.Module, scales: Sequence[float] = (1.0,), mask_threshold: float = 0.5) -> None:
        super().__init__()
        self.detector, self.scales, self.mask_threshold = detector, tuple(scales), mask_threshold

    def training_step(self, batch: Mapping[str, list[Any]]) -> dict[str, Tensor]:
        """One step on a batch of patches.

        Args:
            batch: ``images``, a list of (3, h, w) in 0..1, and ``targets``, a list of dicts with ``boxes`` (K, 4) x0,
                y0, x1, y1, ``labels`` (K,) from 1, and ``instances`` (h, w) with 0 and 1..K.

        Returns:
            objectness, rpn_box, class, box, mask, and loss, their sum.
        """
        scale = self.scales[int(torch.randint(len(self.scales), ()))] if len(self.scales) > 1 else self.scales[0]
        pairs = [resized(*pair, scale) for pair in zip(batch["images"], batch["targets"], strict=True)]
        losses = self.detector([image for image, _ in pairs], [target for _, target in pairs])
        terms = {NAMES[name]: value for name, value in losses.items()}
        return {"loss": sum(terms.values()), **terms}

    @torch.no_grad()
    def predict(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Detections of some patches, for a method in evaluation mode.

        Args:
            images: (3, h, w) in 0..1 each.

        Returns:
            A dict a patch, sorted by score: ``boxes`` (N, 4) x0, y0, x1, y1 in pixels, ``labels`` (N,) from 1,
            ``scores`` (N,), ``masks`` (N, h, w) bool.
        """
        found = self.detector(list(images))
        return [each | {"masks": each["masks"][:, 0] > self.mask_threshold} for each in found]


def resized(image: Tensor, target: Mapping[str, Tensor], scale: float) -> tuple[Tensor, dict[str, Tensor]]:
    """A patch and its target at another size.

    Instances are resized by the nearest pixel; one that keeps none is left out, so that no mask is empty.

    Args:
        image: (3, h, w).
        target: boxes, labels and instances.
        scale: factor of both sides.

    Returns:
        Image (3, h', w') and target; copies, the target with no other keys.
    """
    kept = {key: target[key] for key in ("boxes", "labels", "instances")}
    if scale == 1.0:
        return image, kept
    height, width = (max(1, round(side * scale)) for side in image.shape[-2:])
    bigger = F.interpolate(image[None], (height, width), mode="bilinear", align_corners=False, antialias=True)[0]
    instances = F.interpolate(kept["instances"][None, None].float(), (height, width), mode="nearest-exact")[0, 0].long()
    count = len(kept["labels"])
    shown = torch.bincount(instances.flatten(), minlength=count + 1)[1:] > 0
    numbers = torch.cat([shown.new_zeros(1), shown]).cumsum(0).masked_fill(~torch.cat([shown.new_ones(1), shown]), 0)
    ratio = kept["boxes"].new_tensor([width / image.shape[-1], height / image.shape[-2]] * 2)
    return bigger, {
        "boxes": (kept["boxes"] * ratio)[shown],
        "labels": kept["labels"][shown],
        "instances": numbers[instances].to(torch.int32),
    }
