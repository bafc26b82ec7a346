"""Video panoptic quality (VPQ) [kim2020video]: panoptic quality of tubes in windows of several lengths."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from labelkit.metrics.panoptic import Classes, Crowd, clip_pairs
from labelkit.metrics.panoptic_counts import PanopticCounts, window_counts
from labelkit.metrics.panoptic_pairs import VOID, Ids, semantic_segments


class VideoPanopticQuality:
    """VPQ over a set of clips, fed clip by clip; no clip is kept.

    Windows slide with stride one over the labelled frames of a clip. Counts are pooled over all windows and clips;
    VPQ_k is the mean over the classes with TP + FP + FN > 0, and VPQ the mean over the windows. The window of one frame
    gives the panoptic quality of images.

    Args:
        num_classes: C; classes are 0..C-1.
        windows: labelled frames in a tube.
        gap: frames of the video from one labelled frame to the next; a window of n labelled frames is
            k = gap * (n - 1), the k by which Cityscapes-VPS names it (gap 5).
        frames: labelled frames that every clip must have; None allows any number.
        void: the id of pixels without a segment.

    Attributes:
        counts: window to `PanopticCounts`.
        clips: clips so far.

    Raises:
        ValueError: there are no windows, or one has no frame.
    """

    def __init__(
        self,
        num_classes: int,
        windows: Sequence[int] = (1, 2, 3, 4),
        gap: int = 5,
        frames: int | None = None,
        void: int = VOID,
    ) -> None:
        if not windows or min(windows) < 1:
            raise ValueError(f"windows are {list(windows)}; expected one or more lengths of at least one frame.")
        if frames is not None and frames < max(windows):
            raise ValueError(f"clips have {frames} frames; expected at least {max(windows)}, the longest window.")
        self.num_classes, self.gap, self.frames, self.void = num_classes, gap, frames, void
        self.counts = {window: PanopticCounts.zeros(num_classes) for window in windows}
        self.clips = 0

    def update(
        self,
        truth_ids: Sequence[Ids],
        truth_classes: Classes,
        pred_ids: Sequence[Ids],
        pred_classes: Classes,
        crowd: Crowd = (),
    ) -> None:
        """Count a clip.

        Args:
            truth_ids, pred_ids: (T, H, W), or T arrays (H, W): the segment of each pixel, or void.
            truth_classes, pred_classes: id to class, one mapping for the clip or one a frame.
            crowd: true ids that are crowd, for the clip or one collection a frame.

        Raises:
            ValueError: frames are missing or differ in size, an id has no class, or a class is outside 0..C-1; nothing
                was counted then.
        """
        if self.frames is not None and len(truth_ids) != self.frames:
            raise ValueError(f"a clip has {len(truth_ids)} labelled frames; expected {self.frames}.")
        pairs = clip_pairs(
            truth_ids, truth_classes, pred_ids, pred_classes, self.num_classes, crowd=crowd, void=self.void
        )
        for window, counts in self.counts.items():
            self.counts[window] = counts + window_counts(pairs, window, self.num_classes, self.void)
        self.clips += 1

    def update_semantic(self, prediction: Ids, target: Ids, ignore_index: int = 255) -> None:
        """Count a clip of class maps: every class is one tube with a constant id, in truth and prediction.

        Args:
            prediction, target: (T, H, W) classes 0..C-1, or `ignore_index` for void.
            ignore_index: void in both.

        Raises:
            ValueError: frames are missing or differ in size, or a label is outside the list.
        """
        if self.void != VOID:
            raise ValueError(f"void is {self.void}; expected {VOID}, the void of class maps turned into segments.")
        truth, table = semantic_segments(target, self.num_classes, ignore_index)
        guess, _ = semantic_segments(prediction, self.num_classes, ignore_index)
        self.update(truth, table, guess, table)

    def k(self, window: int) -> int:
        """Frames of the video from the first to the last frame of a window."""
        return self.gap * (window - 1)

    def vpq(self, classes: Collection[int] | None = None) -> float:
        """Mean of VPQ_k over the windows, 0..1, of all or of some classes; NaN where a window has counted nothing."""
        return sum(counts.mean("pq", classes) for counts in self.counts.values()) / len(self.counts)

    def summary(self, names: Sequence[str], things: Collection[int] | None = None) -> dict[str, Any]:
        """The numbers that a record keeps, 0..1.

        Args:
            names: of the C classes.
            things: classes that can be counted; with them there are numbers of things and of stuff too.

        Returns:
            ``vpq``; ``vpq_by_k``, ``sq_by_k`` and ``rq_by_k`` by k as text; ``pq``, that of the windows of one frame,
            if there are such; ``vpq_by_class``, by name, mean over the windows in which the class is seen; with things,
            ``vpq_things`` and ``vpq_stuff``. None where nothing was counted.
        """
        if len(names) != self.num_classes:
            raise ValueError(f"{len(names)} class names were given; expected {self.num_classes}.")
        values: dict[str, Any] = {"vpq": _known(self.vpq())}
        if things is not None:
            stuff = set(range(self.num_classes)) - set(things)
            values |= {"vpq_things": _known(self.vpq(things)), "vpq_stuff": _known(self.vpq(stuff))}
        if 1 in self.counts:
            values["pq"] = _known(self.counts[1].mean())
        for quality, name in (("pq", "vpq_by_k"), ("sq", "sq_by_k"), ("rq", "rq_by_k")):
            values[name] = {str(self.k(n)): _known(counts.mean(quality)) for n, counts in self.counts.items()}
        values["vpq_by_class"] = {}
        for label, name in enumerate(names):
            seen = [counts.pq()[label] for counts in self.counts.values() if counts.seen[label]]
            values["vpq_by_class"][name] = float(sum(seen) / len(seen)) if seen else None
        return values


def _known(value: float) -> float | None:
    return value if value == value else None
