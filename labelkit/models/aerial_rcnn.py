"""What the aerial detector changes in torchvision's Mask R-CNN. Imported where a detector is built.

Patches are taken as they are: torchvision would resize them. And masks of training targets are made late and for some
objects alone. A patch of an aerial picture can show more than a thousand objects; torchvision wants a full-size mask of
each, 0.8 GB as bytes on a patch of 800 x 800 and four times as much as the floats that it makes of them. Here the
target is the map of instance numbers. Every object trains proposals, classes and boxes; masks are cut for the objects
of at most ``mask_samples`` positive regions of a patch. No object is turned into background by that, and in evaluation
nothing is left out. Without the limit the losses equal torchvision's (tests/models/test_aerial_detector.py).
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss, maskrcnn_inference, maskrcnn_loss
from torchvision.models.detection.transform import GeneralizedRCNNTransform


class NoResizing(GeneralizedRCNNTransform):
    """torchvision's transform, which then only normalises and pads."""

    def resize(self, image: Tensor, target: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Image and target as they came."""
        return image, target


class AerialRoIHeads(RoIHeads):
    """torchvision's heads for boxes and masks, for targets with ``instances`` (H, W), 0 or k for the k-th box.

    Attributes:
        mask_samples: positive regions of a patch whose masks are trained; None for all.
    """

    mask_samples: int | None = None

    def forward(
        self,
        features: Mapping[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Detections in evaluation, losses in training; as torchvision's."""
        if not self.training:
            return self._detections(features, proposals, image_shapes), {}
        proposals, matched, labels, regression = self.select_training_samples(proposals, targets)
        scores, deltas = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, image_shapes)))
        loss_class, loss_box = fastrcnn_loss(scores, deltas, labels, regression)

        chosen = [self._mask_regions(each) for each in labels]
        regions = [each[index] for each, index in zip(proposals, chosen, strict=True)]
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, regions, image_shapes)))
        masks, classes, places = [], [], []
        for target, index, match in zip(targets, chosen, matched, strict=True):
            used, place = match[index].unique(return_inverse=True)
            masks.append((target["instances"] == (used + 1)[:, None, None]).to(torch.uint8))
            classes.append(target["labels"][used])
            places.append(place)
        loss_mask = maskrcnn_loss(logits, regions, masks, classes, places)
        return [], {"loss_classifier": loss_class, "loss_box_reg": loss_box, "loss_mask": loss_mask}

    def _detections(
        self, features: Mapping[str, Tensor], proposals: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        scores, deltas = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, image_shapes)))
        boxes, scores, labels = self.postprocess_detections(scores, deltas, proposals, image_shapes)
        logits = self.mask_predictor(self.mask_head(self.mask_roi_pool(features, boxes, image_shapes)))
        parts = zip(boxes, labels, scores, maskrcnn_inference(logits, labels), strict=True)
        return [dict(zip(("boxes", "labels", "scores", "masks"), part, strict=True)) for part in parts]

    def _mask_regions(self, labels: Tensor) -> Tensor:
        """Indices of the regions whose masks are trained: the positive ones, or some of them drawn at random."""
        positive = torch.where(labels > 0)[0]
        if self.mask_samples is None or len(positive) <= self.mask_samples:
            return positive
        return positive[torch.randperm(len(positive), device=labels.device)[: self.mask_samples]]

    def check_targets(self, targets: list[dict[str, Tensor]] | None) -> None:
        """Raises ValueError if there are no targets, or one lacks boxes, labels or instances."""
        if targets is None:
            raise ValueError("training needs a target for every image")
        for number, target in enumerate(targets):
            if lacking := {"boxes", "labels", "instances"} - set(target):
                raise ValueError(f"target {number} lacks {', '.join(sorted(lacking))}")
