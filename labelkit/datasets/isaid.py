"""iSAID, instances in aerial images [zamir2019isaid].

Two layouts are read. The owner's, as the devkit wants it: ``train/images`` and ``val/images`` with ``P0003.png``,
``P0003_instance_color_RGB.png`` and ``P0003_instance_id_RGB.png``; the labels of the test images are not public. And a
compact one, ``isaid_samples``: the three sample images of the devkit that can be used, with class ids in ``labels`` and
instances in ``instance_ids``; only storage tanks and the two kinds of vehicles occur in them.

Our parts are the three of all readers: the owner's validation images are the test part, and one in ten training images
is for validation. Of the compact layout P0005, the owner's training image, is for training, P0003 for validation and
P0004 for the test. The split "all" holds every labelled image.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelkit.datasets.aerial_tiles import boxes_of
from labelkit.datasets.images import read_image, read_label
from labelkit.datasets.isaid_colours import CLASSES, PALETTE, class_map, classes_of, id_map
from labelkit.datasets.isaid_files import SceneFiles, find, natural, scene_files
from labelkit.datasets.isaid_patches import tiling
from labelkit.datasets.tagged import SPLITS, part_of

LICENCE = "Academic use only (the terms of DOTA), and the terms of Google Earth for the images."
COMPACT_PARTS = {"train": ("P0005",), "val": ("P0003",), "test": ("P0004",)}


class ISAID:
    """Whole images of iSAID with their instances.

    Args:
        root: the data set's folder, or one that holds it as `isaid`, `iSAID` or `isaid_samples`.
        split: "train", "val", "test" or "all".
        strict: refuse an instance that spans two classes; otherwise its class is the devkit's.

    Raises:
        FileNotFoundError: the layout is not found, or a label file is missing.
        ValueError: the split is unknown or empty.
    """

    ignore_index = 255
    classes = CLASSES
    palette = PALETTE
    licence = LICENCE

    def __init__(self, root: str | Path, split: str = "train", strict: bool = False) -> None:
        if split not in (*SPLITS, "all"):
            raise ValueError(f"iSAID has no split {split!r}: train, val, test or all was expected")
        self.root, self.layout = find(root)
        self.split, self.strict = split, strict
        self.name = "isaid" if self.layout == "owner" else "isaid-samples"
        files = scene_files(self.root, self.layout)
        chosen = _parts(files)[split] if self.layout == "owner" else _compact_part(files, split)
        everything = {each.name: each for part in files.values() for each in part}
        self.files = tuple(everything[name] for name in chosen)
        if not self.files:
            raise ValueError(f"{self.root} has no labelled image for the split {split!r}: at least one was expected")

    def __len__(self) -> int:
        return len(self.files)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each image."""
        return tuple(each.name for each in self.files)

    def maps(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Instances and classes of an image.

        Args:
            index: 0 to len - 1.

        Returns:
            (H, W) int32 with 0 and 1..K; (H, W) uint8 class ids; the K ids as released.

        Raises:
            FileNotFoundError, ValueError: a file is missing, broken, or holds what it should not.
        """
        if not 0 <= index < len(self.files):
            raise IndexError(f"image {index} of {self.name} does not exist: 0 to {len(self.files) - 1} was expected")
        return read_maps(self.files[index], self.layout)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """An image.

        Returns:
            `image` (3, H, W) float32 in whole 255ths, `instances` (H, W) int32 with 0 for none and 1..K, `labels` (K,)
            int64 class ids 1..15, `boxes` (K, 4) float32 x0, y0, x1, y1 at the edges of pixels, `name`.

        Raises:
            IndexError: the index is outside 0..len-1.
            FileNotFoundError, ValueError: as of `maps`, or sizes differ.
        """
        instances, classes, ids = self.maps(index)
        files = self.files[index]
        picture = read_image(files.image)
        if picture.shape[:2] != instances.shape:
            raise ValueError(
                f"{files.image} is {picture.shape[0]} x {picture.shape[1]} and its labels are {instances.shape[0]} x "
                f"{instances.shape[1]}: one size was expected"
            )
        labels = classes_of(instances, classes, ids, self.strict, files.instances)
        return {
            "image": torch.from_numpy(picture.transpose(2, 0, 1).copy()).float().div_(255),
            "instances": torch.from_numpy(instances),
            "labels": torch.from_numpy(labels.astype(np.int64)),
            "boxes": torch.from_numpy(boxes_of(instances, len(ids))),
            "name": files.name,
        }

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over the names and bytes of all files."""
        digest = hashlib.sha256(b"isaid 1")
        for each in self.files:
            digest.update(each.name.encode())
            for path in each[1:]:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:16]


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, ISAID]:
    """The three parts of a run file's ``isaid``.

    Args:
        root: see `ISAID`.
        variant: must be empty.
        height, width: must be None: images keep their size, and patches are cut from them.

    Raises:
        ValueError: a variant or a size is asked for.
    """
    if variant:
        raise ValueError(f"iSAID has no variant {variant!r}: the name isaid was expected")
    if height is not None or width is not None:
        raise ValueError(f"iSAID is delivered at its own sizes, not at {height} x {width}: cut patches instead")
    return {part: ISAID(root, part) for part in SPLITS}


def conversions(root: str | Path) -> list[Any]:
    """The patches of the owner's layout, in the folder `labelkit-patches`, with the devkit's windows and a COCO file.

    Readers cut patches in memory and need none of them; other tools read these. Nothing is cut before `run`.

    Raises:
        FileNotFoundError: no known layout is found, or a file is missing.
    """
    folder, layout = find(root)
    there = scene_files(folder, layout) if layout == "owner" else {}
    return [tiling(folder, folder / "labelkit-patches", split) for split, scenes in there.items() if scenes]


def read_maps(files: SceneFiles, layout: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Instances, classes and ids of an image; see `ISAID.maps`."""
    if layout == "owner":
        instances, ids = id_map(read_image(files.instances))
        return instances, class_map(read_image(files.classes), files.classes), ids
    classes, released = read_label(files.classes), read_label(files.instances)
    if classes.max(initial=0) >= len(CLASSES):
        raise ValueError(f"{files.classes} holds class {int(classes.max())}: 0 to {len(CLASSES) - 1} was expected")
    counts = np.bincount(released.ravel())
    ids = np.flatnonzero(counts[1:]) + 1
    table = np.zeros(len(counts), np.int32)
    table[ids] = np.arange(1, len(ids) + 1, dtype=np.int32)
    return table[released], classes.astype(np.uint8), ids


def _parts(files: dict[str, list[SceneFiles]]) -> dict[str, list[str]]:
    names = {part: [each.name for each in listed] for part, listed in files.items()}
    ours = {"train": [], "val": [], "test": sorted(names["val"], key=natural)}
    if names["train"]:
        ours |= {split: sorted(part_of(names, split), key=natural) for split in ("train", "val")}
    return {**ours, "all": sorted([*names["train"], *names["val"]], key=natural)}


def _compact_part(files: dict[str, list[SceneFiles]], split: str) -> list[str]:
    names = [each.name for each in files["train"]]
    return names if split == "all" else [name for name in names if name in COMPACT_PARTS[split]]
