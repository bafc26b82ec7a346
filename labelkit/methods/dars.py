"""DARS (He, Yang, Qi; ICCV 2021): the training step, and the predictions that become labels.

The idea itself, which predictions become labels, is in ``labelkit.pseudo_labels.selection``; the rounds of training and
labelling in turn are in ``labelkit.experiments.rounds``. Read against CVMI-Lab/DARS at 0cfe09a.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelkit.losses.cross_entropy import cross_entropy, with_auxiliary

Batch = Mapping[str, Mapping[str, Tensor]]
IMAGENET_MEAN = (0.485, 0.456, 0.406)


class DARS(nn.Module):
    """One network, taught by labels and by the pseudo labels that it, or an earlier state of it, made offline.

    Total loss: L(labelled) + pseudo_weight * L(pseudo), where L is the mean cross-entropy over the pixels that have a
    label, plus ``aux_weight`` times the same of the auxiliary head. The two means are taken apart: few kept pixels
    weigh as much as many. The two sets of images go through the network one after the other, so that batch
    normalisation never mixes them. If every pseudo label of a batch is ignored, its loss is 0 and not NaN.

    Args:
        network: images (B, 3, H, W) to logits (B, C, H, W). With an auxiliary head, ``both_logits(images)`` gives main
            and auxiliary logits.
        aux_weight: of the auxiliary head's loss; the paper's code has 0.4. 0 for a network without such a head.
        pseudo_weight: of the loss on pseudo labels; 1 in the paper's code.
    """

    def __init__(self, network: nn.Module, aux_weight: float = 0.4, pseudo_weight: float = 1.0):
        super().__init__()
        self.network, self.aux_weight, self.pseudo_weight = network, aux_weight, pseudo_weight

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, mask) and, from the second round on, ``pseudo`` (image, mask).

        Returns:
            ``loss``, ``supervised`` and, with pseudo labels, ``pseudo``.
        """
        supervised = self._loss(batch["labelled"])
        if "pseudo" not in batch:
            return {"loss": supervised, "supervised": supervised}
        pseudo = self._loss(batch["pseudo"])
        return {"loss": supervised + self.pseudo_weight * pseudo, "supervised": supervised, "pseudo": pseudo}

    def _loss(self, samples: Mapping[str, Tensor]) -> Tensor:
        if self.aux_weight == 0:
            return cross_entropy(self.network(samples["image"]), samples["mask"])
        main, auxiliary = self.network.both_logits(samples["image"])
        return with_auxiliary(
            cross_entropy(main, samples["mask"]), cross_entropy(auxiliary, samples["mask"]), self.aux_weight
        )

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, C, H, W)."""
        return self.network(images)


def window_scores(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    crop: tuple[int, int],
    average: str = "logits",
    mirror: bool = True,
    long_side: int | None = None,
) -> Tensor:
    """Scores of images by overlapping windows, each seen as it is and mirrored, averaged over all that see a pixel.

    Labels are made from averaged ``logits``, results from averaged ``softmax``: as in the code.

    Args:
        predict: images (B, 3, *crop) to logits (B, C, *crop).
        images: (B, 3, H, W) in 0..1; padded with the mean colour where smaller than the crop.
        crop: height and width of a window; the stride is two thirds of it, rounded up.
        average: "logits" or "softmax".
        mirror: also predict the mirrored window, and average.
        long_side: resize the images to this long side first, and the scores back; None leaves the size.

    Returns:
        (B, C, H, W), averaged logits or probabilities.

    Raises:
        ValueError: ``average`` is none of the two.
    """
    if average not in ("logits", "softmax"):
        raise ValueError(f"average is {average!r}; expected 'logits' or 'softmax'")
    size = images.shape[-2:]
    if long_side is not None and max(size) != long_side:
        factor = long_side / max(size)
        target = (round(size[0] * factor), round(size[1] * factor))
        images = F.interpolate(images, size=target, mode="bilinear", align_corners=False)
    h, w = images.shape[-2:]
    padded = _pad_with_mean(images, max(0, crop[0] - h), max(0, crop[1] - w))
    total, seen = None, images.new_zeros(1, 1, *padded.shape[-2:])
    for top in _starts(padded.shape[-2], crop[0]):
        for left in _starts(padded.shape[-1], crop[1]):
            window = (..., slice(top, top + crop[0]), slice(left, left + crop[1]))
            scores = _both_ways(predict, padded[window], average, mirror)
            if total is None:
                total = scores.new_zeros(*scores.shape[:2], *padded.shape[-2:])
            total[window] += scores
            seen[window] += 1
    scores = (total / seen)[..., :h, :w]
    if scores.shape[-2:] != size:
        scores = F.interpolate(scores, size=size, mode="bilinear", align_corners=False)
    return scores


def confident_classes(logits: Tensor, dtype: torch.dtype = torch.float16) -> tuple[Tensor, Tensor]:
    """What the bank of confidences is made of: the largest probability of each pixel, and its class.

    Args:
        logits: (B, C, H, W).
        dtype: in which logits and probabilities are kept. float16, as in the code, makes probabilities tie: between
            one half and 1 there are 1,024 different ones, and what is above 0.99976 is 1.

    Returns:
        Confidence (B, H, W) of the dtype, and classes (B, H, W) uint8.
    """
    # Half-precision logits, softmax in float32, rounded once: bit for bit the half softmax of the code's libraries.
    probabilities = F.softmax(logits.to(dtype).float(), dim=1).to(dtype)
    confidence, classes = probabilities.max(dim=1)
    return confidence, classes.to(torch.uint8)


def _both_ways(predict: Callable[[Tensor], Tensor], window: Tensor, average: str, mirror: bool) -> Tensor:
    views = torch.cat([window, window.flip(-1)]) if mirror else window
    scores = predict(views).float()
    if average == "softmax":
        scores = F.softmax(scores, dim=1)
    if not mirror:
        return scores
    plain, mirrored = scores.chunk(2)
    return (plain + mirrored.flip(-1)) / 2


def _pad_with_mean(images: Tensor, below: int, right: int) -> Tensor:
    mean = images.new_tensor(IMAGENET_MEAN).view(1, -1, 1, 1)
    return F.pad(images - mean, (0, right, 0, below)) + mean if below or right else images


def _starts(length: int, window: int) -> list[int]:
    """First pixels of the windows along one side; the last window ends at the border."""
    stride = math.ceil(2 * window / 3)
    count = max(0, math.ceil((length - window) / stride)) + 1
    return [min(i * stride, length - window) for i in range(count)]
