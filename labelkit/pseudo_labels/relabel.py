"""Relabel a whole unlabelled set in two passes, in memory that does not grow with it, from where it was stopped.

The first pass counts confidences, the second writes masks. Maps are asked for by index and not held. What random
sampling drops depends on the seed and the image's index alone, so order, restarts and the number of threads do not
matter.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from labelkit.files import write_whole
from labelkit.pseudo_labels.folder import PseudoLabelFolder, labels_in
from labelkit.pseudo_labels.histograms import Float16Bank, Float32Bank, Maps, empty_bank
from labelkit.pseudo_labels.selection import Selection, label_and_count

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


def relabel(
    maps: Predict,
    indices: Sequence[int],
    folder: PseudoLabelFolder,
    choose: Choose,
    num_classes: int,
    seed: int = 0,
    dtype: Any = np.float16,
    workers: int = 1,
    progress: Progress | None = None,
) -> Selection:
    """Write the pseudo labels of some images into a folder; a folder that is complete is left as it is.

    Args:
        maps: index to (confidence, classes) of an image; called in this thread alone.
        indices: the images.
        folder: target; a relabelling that was stopped goes on there.
        choose: bank and maps to the selection, such as ``lambda bank, maps: select(bank, 0.5, prior=prior)``.
        num_classes: C.
        seed: of the random sampling; give every round its own.
        dtype: type of the confidences, float16 or float32.
        workers: threads that count, label and compress while the next map is predicted.
        progress: told (what is done, images done, images in all).

    Returns:
        The selection; ``folder.kept`` has the labels that were written.
    """
    selection = folder.selection
    if selection is None:
        bank = _counted(maps, indices, num_classes, dtype, workers, progress)
        selection = choose(bank, _Each(maps, indices))
        folder.set_selection(selection)
    if not folder.complete:
        folder.set_complete(_labelled(maps, indices, folder, selection, num_classes, seed, workers, progress))
    return selection


class _Each:
    """The maps of some indices, as often as one likes."""

    def __init__(self, maps: Predict, indices: Sequence[int]) -> None:
        self.maps, self.indices = maps, indices

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return map(self.maps, self.indices)


def _counted(
    maps: Predict, indices: Sequence[int], num_classes: int, dtype: Any, workers: int, progress: Progress | None
) -> Float16Bank | Float32Bank:
    """The bank of all maps. Every thread fills one of its own, and sums do not depend on who counted what."""
    banks = [empty_bank(num_classes, dtype) for _ in range(workers)]
    free: SimpleQueue[Any] = SimpleQueue()
    for bank in banks:
        free.put(bank)

    def count(confidence: Any, classes: Any) -> None:
        bank = free.get()
        try:
            bank.add(confidence, classes)
        finally:
            free.put(bank)

    tasks = ((count, *maps(index)) for index in indices)
    for done, _ in enumerate(_in_threads(tasks, workers), start=1):
        if progress:
            progress("counting", done, len(indices))
    for bank in banks[1:]:
        banks[0].merge(bank)
    return banks[0]


def _labelled(
    maps: Predict, indices: Sequence[int], folder: PseudoLabelFolder, selection: Selection, num_classes: int,
    seed: int, workers: int, progress: Progress | None,
) -> np.ndarray:  # fmt: skip
    """Write all masks that are not there yet; gives the labels (C,) of all together."""

    def label(index: int, confidence: Any, classes: Any) -> np.ndarray:
        mask, kept = label_and_count(confidence, classes, selection, np.random.default_rng([seed, index]))
        folder.write_mask(index, mask)
        return kept

    def read(index: int) -> np.ndarray:
        return labels_in(folder.read_mask(index), num_classes)

    tasks = ((read, i) if folder.mask_path(i).exists() else (label, i, *maps(i)) for i in indices)
    kept = np.zeros(num_classes, dtype=np.int64)
    for done, labels in enumerate(_in_threads(tasks, workers), start=1):
        kept += labels
        if progress:
            progress("labelling", done, len(indices))
    return kept


def _in_threads(tasks: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Results of tasks (function, *arguments) in order; at most two for each thread are under way or wait in memory."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting: deque[Future] = deque()
        for task in tasks:
            waiting.append(pool.submit(*task))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
