"""Panoptic quality of images [kirillov2019panoptic] and the overlaps of clips; `panoptic_counts` has the rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.metrics.panoptic_counts import PanopticCounts, window_counts
from labelkit.metrics.panoptic_pairs import VOID, FramePairs, Ids, frame_pairs

__all__ = ["Classes", "Crowd", "PanopticCounts", "clip_pairs", "pq_counts"]

Classes = Mapping[int, int] | Sequence[Mapping[int, int]]
Crowd = Collection[int] | Sequence[Collection[int]]


def pq_counts(
    truth_ids: Ids | Sequence[Ids],
    truth_classes: Classes,
    pred_ids: Ids | Sequence[Ids],
    pred_classes: Classes,
    num_classes: int,
    *,
    crowd: Crowd = (),
    window: int = 1,
    void: int = VOID,
) -> PanopticCounts:
    """Counts of one image, or of one clip with windows of frames, stride one.

    Args:
        truth_ids, pred_ids: (H, W), or (T, H, W), or T arrays (H, W) of integers: the segment of each pixel, or `void`.
        truth_classes, pred_classes: id to class, one mapping for the clip or one a frame.
        num_classes: C.
        crowd: true ids that are crowd, for the clip or one collection a frame.
        window: labelled frames in a tube. A clip with fewer frames has no window and counts nothing.
        void: the id of pixels without a segment.

    Returns:
        The counts, added up over the windows.

    Raises:
        ValueError: frames are missing or differ in size, an id has no class, or a class is outside 0..C-1.
    """
    if window < 1:
        raise ValueError(f"window is {window}; expected at least one frame.")
    if len(getattr(truth_ids, "shape", ())) == 2:
        truth_ids, pred_ids = [truth_ids], [pred_ids]
    pairs = clip_pairs(truth_ids, truth_classes, pred_ids, pred_classes, num_classes, crowd=crowd, void=void)
    return window_counts(pairs, window, num_classes, void)


def clip_pairs(
    truth_ids: Sequence[Ids],
    truth_classes: Classes,
    pred_ids: Sequence[Ids],
    pred_classes: Classes,
    num_classes: int,
    *,
    crowd: Crowd = (),
    void: int = VOID,
) -> list[FramePairs]:
    """The overlaps in each frame of a clip, from which the counts of windows of any length follow.

    Args, Raises: as `pq_counts`, for a clip.

    Returns:
        One `FramePairs` a frame.
    """
    frames = len(truth_ids)
    if len(pred_ids) != frames:
        raise ValueError(f"a clip has {frames} true and {len(pred_ids)} predicted frames; expected as many.")
    tables = [_by_frame(table, frames) for table in (truth_classes, pred_classes)]
    crowds = _by_frame(crowd, frames)
    pairs = [
        frame_pairs(truth_ids[t], tables[0][t], pred_ids[t], tables[1][t], num_classes, crowds[t], void)
        for t in range(frames)
    ]
    shapes = [tuple(each.shape) for each in truth_ids]
    for t, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(f"frame {t} of a clip has shape {shape} and frame 0 {shapes[0]}; expected one size.")
    return pairs


def _by_frame(given: Any, frames: int) -> list[Any]:
    """One entry a frame, from one for all (a mapping, or a collection of ids) or from a sequence with one a frame."""
    single = isinstance(given, Mapping) or all(isinstance(each, int | np.integer) for each in given)
    if single:
        return [given] * frames
    if len(given) != frames:
        raise ValueError(f"{len(given)} tables were given for {frames} frames; expected one a frame, or one for all.")
    return list(given)
