"""Relabel a whole unlabelled set in two passes, in memory that does not grow with it, from where it was stopped.

The first pass counts confidences, the second writes masks. Maps are asked for by index and never held. What random
sampling drops depends on the seed and the image's index alone, so order, restarts and the number of processes do not
matter.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.files import write_whole
from labelkit.pseudo_labels.folder import PseudoLabelFolder, labels_in
from labelkit.pseudo_labels.histograms import Float16Bank, Float32Bank, Maps, bank_of
from labelkit.pseudo_labels.selection import Selection, label_map

Predict = Callable[[int], tuple[Any, Any]]
Choose = Callable[[Float16Bank | Float32Bank, Maps], Selection]
Progress = Callable[[str, int, int], None]


class CachedMaps:
    """Predictions of some images, made once and kept as files; asked for by index.

    Args:
        predict: index to (confidence, classes).
        folder: where the maps lie; a stopped relabelling does not predict them again. None: predict every time.
    """

    def __init__(self, predict: Predict, folder: str | Path | None = None) -> None:
        self.predict, self.folder = predict, Path(folder) if folder else None

    def __call__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.folder is None:
            return self.predict(index)
        path = self.folder / f"{index:06d}.npz"
        if path.exists():
            with np.load(path) as held:
                return held["confidence"], held["classes"]
        confidence, classes = self.predict(index)

        def save(partial: Path) -> None:
            with open(partial, "wb") as file:
                np.savez(file, confidence=confidence, classes=classes)

        write_whole(path, save)
        return confidence, classes


class _Each:
    """The maps of some indices, as often as one likes, with progress."""

    def __init__(self, maps: Predict, indices: Sequence[int], what: str, progress: Progress | None) -> None:
        self.maps, self.indices, self.what, self.progress = maps, indices, what, progress

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for done, index in enumerate(self.indices, start=1):
            yield self.maps(index)
            if self.progress:
                self.progress(self.what, done, len(self.indices))


def relabel(
    maps: Predict,
    indices: Sequence[int],
    folder: PseudoLabelFolder,
    choose: Choose,
    num_classes: int,
    seed: int = 0,
    dtype: Any = np.float16,
    progress: Progress | None = None,
) -> Selection:
    """Write the pseudo labels of some images into a folder; a folder that is complete is left as it is.

    Args:
        maps: index to (confidence, classes) of an image.
        indices: the images.
        folder: target; a relabelling that was stopped goes on there.
        choose: bank and maps to the selection, such as ``lambda bank, maps: select(bank, 0.5, prior=prior)``.
        num_classes: C.
        seed: of the random sampling; give every round its own.
        dtype: type of the confidences, float16 or float32.
        progress: told (what is done, images done, images in all).

    Returns:
        The selection; ``folder.kept`` has the labels that were written.
    """
    selection = folder.selection
    if selection is None:
        each = _Each(maps, indices, "counting", progress)
        selection = choose(bank_of(each, num_classes, dtype), each)
        folder.set_selection(selection)
    if folder.complete:
        return selection
    kept = np.zeros(num_classes, dtype=np.int64)
    for done, index in enumerate(indices, start=1):
        if folder.mask_path(index).exists():
            mask = folder.read_mask(index)
        else:
            mask = label_map(*maps(index), selection, np.random.default_rng([seed, index]))
            folder.write_mask(index, mask)
        kept += labels_in(mask, num_classes)
        if progress:
            progress("labelling", done, len(indices))
    folder.set_complete(kept)
    return selection
