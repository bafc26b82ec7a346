"""Which points of a cloud are labelled: a small fraction, drawn once for each seed, hashed, and kept in a file.

The fraction is drawn on a stated cloud: on the original points ("raw") or on the grid ("subsampled"). Raw marks come
to the grid through the point that stands for each voxel (`point_grid.Subsampled.stored`), so that a label does not
spread to points that nobody labelled. Nothing makes sure that a class is among the labelled points of a cloud; a draw
with that guarantee is another setting, and `per_class` names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LEVELS = ("raw", "subsampled")
IGNORE_INDEX = 255


@dataclass(frozen=True)
class LabelMasks:
    """The labelled points of some clouds.

    Attributes:
        ratio: share of each cloud's points.
        seed: of the draw.
        level: "raw" or "subsampled": the cloud on which the share was drawn.
        per_class: points of each class that every cloud was given beyond the share; 0 in the usual setting.
        masks: (N,) bool for each cloud.
    """

    ratio: float
    seed: int
    level: str
    per_class: int
    masks: tuple[np.ndarray, ...]

    @property
    def digest(self) -> str:
        """Digest of the level, the sizes of the clouds and all labelled indices, 16 hex digits."""
        found = hashlib.sha256(self.level.encode())
        for mask in self.masks:
            found.update(np.int64([len(mask)]).tobytes() + np.flatnonzero(mask).astype("<i8").tobytes())
        return found.hexdigest()[:16]

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        from labelkit.files import write_whole

        about = {name: getattr(self, name) for name in ("ratio", "seed", "level", "per_class", "digest")}
        arrays = {
            "about": np.array(json.dumps(about)),
            "sizes": np.array([len(mask) for mask in self.masks], np.int64),
            "counts": np.array([mask.sum() for mask in self.masks], np.int64),
            "indices": np.concatenate([np.flatnonzero(mask) for mask in self.masks]).astype(np.int64),
        }

        def write(partial: Path) -> None:
            with open(partial, "wb") as file:
                np.savez_compressed(file, **arrays)

        write_whole(path, write)


def draw_masks(
    labels: Sequence[np.ndarray], ratio: float, seed: int, level: str = "subsampled", per_class: int = 0
) -> tuple[list[np.ndarray], str]:
    """Which points are labelled, and the digest of the draw; see `draw`."""
    drawn = draw(labels, ratio, seed, level, per_class)
    return list(drawn.masks), drawn.digest


def draw(
    labels: Sequence[np.ndarray], ratio: float, seed: int, level: str = "subsampled", per_class: int = 0
) -> LabelMasks:
    """Draw a share of the points of each cloud, at least one, all equally likely.

    Cloud i's points depend on (seed, i, its number of points) and its ignored ones only. A smaller share is a part of a
    larger one of the same seed, so that curves over the share are paired.

    Args:
        labels: of each cloud, (N,) integers, 255 for none; such points are never drawn.
        ratio: share of all points, above 0 and at most 1.
        seed: of the draw.
        level: what the clouds are, "raw" or "subsampled".
        per_class: so many points of each class of a cloud at least; 0 guarantees nothing.

    Returns:
        The labelled points.

    Raises:
        ValueError: an argument is out of range, or a cloud has no point of any class that could be labelled.
    """
    if not 0 < ratio <= 1 or level not in LEVELS or seed < 0 or per_class < 0:
        raise ValueError(
            f"ratio {ratio}, seed {seed}, level {level!r}, per_class {per_class}: a share above 0 and at most 1, "
            f"numbers from 0, and one of {', '.join(LEVELS)} were expected"
        )
    if not len(labels):
        raise ValueError("no clouds: at least one was expected")
    masks = []
    for index, label in enumerate(labels):
        label = np.asarray(label)
        known = label != IGNORE_INDEX
        if not known.any():
            raise ValueError(f"cloud {index} has no point of any class among its {len(label)}: none can be labelled")
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, index))))
        lots = np.where(known, rng.random(len(label)), 2.0)
        wanted = min(int(known.sum()), max(1, round(ratio * len(label))))
        mask = np.zeros(len(label), bool)
        mask[np.argsort(lots, kind="stable")[:wanted]] = True
        if per_class:
            for value in np.unique(label[known]):
                of_class = np.flatnonzero(label == value)
                mask[of_class[np.argsort(lots[of_class], kind="stable")[:per_class]]] = True
        masks.append(mask)
    return LabelMasks(ratio, seed, level, per_class, tuple(masks))


def load(path: str | Path, sizes: Sequence[int] | None = None) -> LabelMasks:
    """Read a file that `LabelMasks.save` wrote.

    Args:
        path: of the file.
        sizes: number of points of each cloud for which the marks are meant, if they are to be compared.

    Returns:
        The labelled points.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file, it was changed, or it belongs to other clouds.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no file of labelled points")
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            saved, counts, indices = file["sizes"], file["counts"], file["indices"]
        masks = []
        for size, part in zip(saved, np.split(indices, np.cumsum(counts)[:-1])):
            masks.append(np.zeros(int(size), bool))
            masks[-1][part] = True
        found = LabelMasks(about["ratio"], about["seed"], about["level"], about["per_class"], tuple(masks))
    except Exception as error:  # np.load has no exception of its own
        raise ValueError(f"{path}: not a readable file of labelled points ({type(error).__name__})") from error
    if found.digest != about["digest"]:
        raise ValueError(f"{path}: its points have the digest {found.digest}, and {about['digest']} was expected")
    if sizes is not None and [len(mask) for mask in found.masks] != list(sizes):
        raise ValueError(f"{path}: it belongs to {len(found.masks)} clouds of other sizes than the {len(sizes)} given")
    return found


def on_grid(mask: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Marks of the original points on the grid: a voxel is labelled if the point that stands for it is.

    Use it with the labels of the same points (`subsample(..., labels="stored")`).

    Args:
        mask: (N,) bool.
        stored: `Subsampled.stored`, (M,).

    Returns:
        (M,) bool.
    """
    return np.asarray(mask, bool)[stored]
