"""Detections of overlapping patches put together to those of the whole image.

This is no part of iSAID's evaluation, which scores every patch by itself. An object in the overlap of two patches is
found twice; non-maximum suppression within a class keeps the surer one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.metrics.instance_masks import mask_iou
from labelkit.run_lengths import Rle, decode_masks, mask_library


def merge_patches(
    found: Sequence[Mapping[str, Any]],
    windows: Sequence[Sequence[int]],
    height: int,
    width: int,
    iou: float = 0.5,
    kind: str = "box",
) -> dict[str, Any]:
    """Merge the detections of the patches of one image.

    Args:
        found: a patch each: ``boxes`` (N, 4), ``labels`` (N,), ``scores`` (N,), ``masks`` (N, h, w) bool or a list of
            run lengths (RLE).
        windows: their windows y0, y1, x0, x1 in the image.
        height, width: of the image.
        iou: of two detections of a class with more overlap than this the one of the lower score is dropped.
        kind: what overlaps: "box" or "mask".

    Returns:
        ``boxes``, ``labels`` and ``scores`` as tensors, sorted by score, and ``masks``, a list of run lengths (RLE) of
        the size of the image.

    Raises:
        ValueError: the kind is unknown, or there are not as many windows as patches.
    """
    if kind not in ("box", "mask"):
        raise ValueError(f"patches cannot be merged by {kind!r}: box or mask was expected")
    if len(found) != len(windows):
        raise ValueError(f"{len(found)} patches were given with {len(windows)} windows: as many were expected")
    boxes, labels, scores, masks = [torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.int64)], [torch.zeros(0)], []
    for each, (y0, y1, x0, x1) in zip(found, windows, strict=True):
        boxes.append(each["boxes"].cpu().float() + torch.tensor([x0, y0, x0, y0], dtype=torch.float32))
        labels.append(each["labels"].cpu())
        scores.append(each["scores"].cpu().float())
        own = each["masks"]
        own = decode_masks(own, y1 - y0, x1 - x0) if isinstance(own, list) else own.cpu().numpy()
        masks += placed(own, y0, x0, height, width)
    joined = {"boxes": torch.cat(boxes), "labels": torch.cat(labels), "scores": torch.cat(scores)}
    keep = _suppress_boxes(joined, iou) if kind == "box" else _suppress_masks(joined, masks, iou)
    return {name: value[keep] for name, value in joined.items()} | {"masks": [masks[index] for index in keep.tolist()]}


def placed(masks: np.ndarray, y0: int, x0: int, height: int, width: int) -> list[Rle]:
    """Masks of a patch as run lengths of the whole image, without ever drawing it.

    Args:
        masks: (N, h, w) bool.
        y0, x0: of the patch.
        height, width: of the image.
    """
    if not len(masks):
        return []
    columns = np.pad(masks.transpose(0, 2, 1).astype(np.int8), ((0, 0), (0, 0), (1, 1)))  # runs go down the columns
    edges = np.diff(columns, axis=2)
    owner, column, row = np.nonzero(edges == 1)
    starts = (x0 + column) * height + y0 + row
    _, column, row = np.nonzero(edges == -1)
    ends = (x0 + column) * height + y0 + row
    joins = np.zeros(len(owner), bool)  # a run that fills a column to the image's end goes on in the next one
    joins[1:] = (starts[1:] == ends[:-1]) & (owner[1:] == owner[:-1])
    starts, owner, ends = starts[~joins], owner[~joins], ends[~np.append(joins[1:], False)]
    plain, bounds = [], np.searchsorted(owner, np.arange(len(masks) + 1))
    for first, last in itertools.pairwise(bounds.tolist()):
        edges = np.stack([starts[first:last], ends[first:last]], 1).ravel()
        counts = np.diff(edges, prepend=0, append=height * width).tolist()
        plain.append({"size": [height, width], "counts": counts[: len(counts) - (counts[-1] == 0)]})
    return mask_library().frPyObjects(plain, height, width)


def _suppress_boxes(joined: Mapping[str, Tensor], iou: float) -> Tensor:
    from torchvision.ops import batched_nms

    return batched_nms(joined["boxes"], joined["scores"], joined["labels"], iou)


def _suppress_masks(joined: Mapping[str, Tensor], masks: Sequence[Rle], iou: float) -> Tensor:
    order = torch.argsort(joined["scores"], descending=True, stable=True)
    kept: list[int] = []
    for label in joined["labels"].unique().tolist():
        own = [index for index in order.tolist() if joined["labels"][index] == label]
        overlaps = mask_iou([masks[index] for index in own], [masks[index] for index in own])
        free = np.ones(len(own), bool)
        for place, index in enumerate(own):
            if free[place]:
                kept.append(index)
                free &= overlaps[place] <= iou
    return torch.tensor([index for index in order.tolist() if index in set(kept)], dtype=torch.int64)
