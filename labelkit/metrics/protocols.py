"""Evaluation protocols of semantic segmentation, each under the name by which its numbers may be compared.

A number without its protocol says little: sliding-window evaluation alone is worth more than a point on
Cityscapes. Every function here adds all images into one confusion matrix; a mean of per-image scores is another
metric and is not offered.

Where processes work together each predicts its share of the images, and the counts are added up: all of them must call
a protocol, and all get the matrix of the whole set.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from labelkit import distributed
from labelkit.metrics.confusion import ConfusionMatrix

Predict = Callable[..., Tensor]
PIXELS = 2**21
"""Most pixels of a forward pass."""


def whole_image(
    predict: Predict,
    dataset: Any,
    indices: Sequence[int] | None = None,
    *,
    batch_size: int = 16,
    device: str | torch.device = "cpu",
    oracle: bool = False,
) -> ConfusionMatrix:
    """Protocol ``whole-image``: one forward pass an image at the dataset's size, single scale, no flip.

    Args:
        predict: images (B, 3, H, W) to class scores (B, C, H, W).
        dataset: gives samples with ``image`` and ``mask``; any size.
        indices: the samples to evaluate; all if None.
        batch_size: images a forward pass.
        device: where to predict and count.
        oracle: call ``predict(images, masks)``: for upper bounds that are given the truth, and for nothing else.

    Returns:
        The confusion matrix over all images.
    """
    confusion = ConfusionMatrix(len(dataset.classes), dataset.ignore_index)
    for images, masks in batches(dataset, share(dataset, indices, batch_size), batch_size, device):
        scores = predict(images, masks) if oracle else predict(images)
        confusion.update(scores.argmax(1), masks)
    return confusion.merge()


def sliding_window(
    predict: Predict,
    dataset: Any,
    indices: Sequence[int] | None = None,
    *,
    crop: int | tuple[int, int],
    overlap: float = 1 / 3,
    device: str | torch.device = "cpu",
) -> ConfusionMatrix:
    """Protocol ``sliding-window-<crop>``: windows over the image at its own size, as CPS evaluates.

    Stride is ceil(crop * (1 - overlap)); the logits of overlapping windows are added, without softmax and without
    division by their number; an image no larger than the crop is padded with the mean colour and seen once. Single
    scale, no flip.

    Args:
        predict: images (1, 3, crop, crop) to class scores of that size.
        dataset: gives samples with ``image`` and ``mask``, any size.
        indices: the samples to evaluate; all if None.
        crop: side of the window in pixels, or (height, width).
        overlap: share of a window that the next one repeats.
        device: where to predict and count.

    Returns:
        The confusion matrix over all images.
    """
    height, width = (crop, crop) if isinstance(crop, int) else crop
    confusion = ConfusionMatrix(len(dataset.classes), dataset.ignore_index)
    for images, masks in batches(dataset, share(dataset, indices, 1), 1, device):
        h, w = images.shape[-2:]
        padded = _pad_with_mean(images, max(0, height - h), max(0, width - w))
        scores = images.new_zeros(1, len(dataset.classes), *padded.shape[-2:])
        for top in _starts(padded.shape[-2], height, overlap):
            for left in _starts(padded.shape[-1], width, overlap):
                window = (..., slice(top, top + height), slice(left, left + width))
                scores[window] += predict(padded[window])
        confusion.update(scores[..., :h, :w].argmax(1), masks)
    return confusion.merge()


def summary(confusion: ConfusionMatrix, classes: Sequence[str], rarest: Sequence[int] | None = None) -> dict[str, Any]:
    """The numbers that a record keeps.

    Args:
        confusion: over the whole set.
        classes: C names.
        rarest: the labels that count as rare, for their own mean.

    Returns:
        ``miou``, ``accuracy`` (0..1), ``iou`` by class name (None where a class occurs nowhere), and with ``rarest``
        ``miou_rarest_third``.
    """
    iou = confusion.iou()
    values = {"miou": confusion.miou(), "accuracy": confusion.accuracy()}
    if rarest is not None:
        values["miou_rarest_third"] = float(iou[list(rarest)].nanmean())
    values["iou"] = {name: None if math.isnan(v) else v for name, v in zip(classes, iou.tolist())}
    return values


def rarest_third(shares: Sequence[float]) -> list[int]:
    """Labels of the rarest third of classes, at least one, by their share of the training pixels."""
    order = sorted(range(len(shares)), key=lambda label: shares[label])
    return sorted(order[: max(1, len(shares) // 3)])


def share(dataset: Any, indices: Sequence[int] | None, batch_size: int) -> Sequence[int]:
    """This process's share of the samples to evaluate, a run of whole batches.

    Batches of images of one size are then those of one process alone, so that predictions are the same to the last
    digit. Where sizes differ batches can end elsewhere, and the last digit of a score can differ.

    Args:
        dataset, indices, batch_size: see :func:`batches`.
    """
    chosen = range(len(dataset)) if indices is None else indices
    if batch_size > 1 and len(chosen) and distributed.place()[1] > 1:
        batch_size = min(batch_size, max(1, PIXELS // dataset[chosen[0]]["mask"].numel()))
    return [chosen[place] for place in distributed.shard(len(chosen), batch_size)]


def batches(
    dataset: Any, indices: Sequence[int] | None, batch_size: int, device: str | torch.device
) -> Iterable[tuple[Tensor, Tensor]]:
    """Images (B, 3, H, W) and masks (B, H, W) of some samples in order, on a device.

    A batch ends early where the size of the images changes, or where it would pass two million pixels.
    """
    waiting: list[dict[str, Any]] = []
    for index in range(len(dataset)) if indices is None else indices:
        sample = dataset[index]
        full = len(waiting) == batch_size or (len(waiting) + 1) * sample["mask"].numel() > PIXELS
        if waiting and (full or waiting[0]["mask"].shape != sample["mask"].shape):
            yield _stack(waiting, device)
            waiting = []
        waiting.append(sample)
    if waiting:
        yield _stack(waiting, device)


def _stack(samples: list[dict[str, Any]], device: str | torch.device) -> tuple[Tensor, Tensor]:
    images = torch.stack([sample["image"] for sample in samples])
    masks = torch.stack([sample["mask"] for sample in samples])
    return images.to(device), masks.to(device)


def _pad_with_mean(images: Tensor, below: int, right: int) -> Tensor:
    mean = images.new_tensor([0.485, 0.456, 0.406]).view(1, -1, 1, 1)
    return F.pad(images - mean, (0, right, 0, below)) + mean


def _starts(length: int, window: int, overlap: float) -> list[int]:
    """First pixels of the windows along one side; the last window ends at the border."""
    stride = math.ceil(window * (1 - overlap))
    count = max(0, math.ceil((length - window) / stride)) + 1
    return [min(i * stride, length - window) for i in range(count)]
