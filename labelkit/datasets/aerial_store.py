"""Cut patches on disk: scenes too many for memory are decoded once, and each patch is read when it is asked for.

A scene of iSAID has up to 4,000 x 13,000 pixels and a PNG file can only be decoded whole, so patches in random order
cannot be cut from it again and again. Each scene has one index file, written after its patches: what is there is whole,
a stop costs the scene in work, and processes that start together can share the scenes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from labelkit.datasets.aerial_tiles import Window
from labelkit.datasets.images import read_image, read_label
from labelkit.files import write_whole


class Piece(NamedTuple):
    """A patch without its pixels.

    Attributes:
        window: its place in the scene.
        ids: (K,) int64, numbers of its objects in the scene, ascending.
        labels: (K,) int64, their classes.
        name: of the patch.
    """

    window: Window
    ids: np.ndarray
    labels: np.ndarray
    name: str


class PatchStore:
    """A folder with the patches of some scenes.

    Args:
        folder: made if it is not there; belongs to one cutting of one data set, see `AerialPatches`.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"{folder}: the folder for cut patches cannot be made ({error.strerror}); make its parent writable, or "
                "a link to a folder that is"
            ) from error

    def index(self, number: int) -> list[Piece] | None:
        """The patches of a scene, or None if the scene has not been cut yet.

        Raises:
            ValueError: the file of the index is damaged.
        """
        path = self._index(number)
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                bounds = np.cumsum(held["counts"])[:-1]
                ids, labels = np.split(held["ids"], bounds), np.split(held["labels"], bounds)
                places, names = held["windows"].tolist(), held["names"].tolist()
        except Exception as error:  # a damaged archive shows as one of many exceptions
            raise ValueError(
                f"{path}: not a readable index of patches; delete it, and the scene is cut again"
            ) from error
        pieces = zip(places, ids, labels, names, strict=True)
        return [Piece(Window(*place), own, classes, name) for place, own, classes, name in pieces] if places else []

    def close_scene(self, number: int, pieces: list[Piece]) -> None:
        """Write the index of a scene, once all its patches are there.

        Raises:
            OSError: the folder cannot be written.
        """
        empty = [np.zeros(0, np.int64)]
        arrays = {
            "windows": np.array([piece.window for piece in pieces], np.int64).reshape(-1, 4),
            "counts": np.array([len(piece.ids) for piece in pieces], np.int64),
            "ids": np.concatenate([piece.ids for piece in pieces] or empty),
            "labels": np.concatenate([piece.labels for piece in pieces] or empty),
            "names": np.array([piece.name for piece in pieces], np.str_),
        }

        def write(partial: Path) -> None:
            with open(partial, "wb") as file:
                np.savez(file, **arrays)

        write_whole(self._index(number), write)

    def write(self, name: str, image: np.ndarray, instances: np.ndarray) -> None:
        """Write the pixels of a patch.

        Args:
            name: of the patch.
            image: (3, h, w) uint8.
            instances: (h, w) integers from 0, at most 65,535.

        Raises:
            OSError: the folder cannot be written.
        """
        picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        numbers = Image.fromarray(instances.astype(np.uint16))
        for path, content in zip(self._files(name), (picture, numbers)):
            # The lowest compression is several times as fast as Pillow's own choice.
            write_whole(path, lambda partial, content=content: content.save(partial, format="PNG", compress_level=1))

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The pixels of a patch: image (3, h, w) uint8 and instances (h, w) int32.

        Raises:
            FileNotFoundError, ValueError: a file is missing or damaged; names it.
        """
        picture, numbers = self._files(name)
        return read_image(picture).transpose(2, 0, 1), read_label(numbers).astype(np.int32)

    def _index(self, number: int) -> Path:
        return self.folder / f"scene-{number:06d}.npz"

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.png", self.folder / f"{name}_instances.png"


def share(count: int) -> list[int]:
    """The scenes 0..count-1 in an order that differs between processes.

    Processes that start together and pass over what is cut already then share the work; what they make is the same.
    """
    import os
    import random

    return random.Random(os.getpid()).sample(range(count), count)


def pixels(scene: dict[str, Any], window: Window, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut a patch with chosen objects from a scene.

    Args:
        scene: image (3, H, W) uint8 and instances (H, W) integers, arrays.
        window: its place.
        ids: (K,) numbers of the objects that stay, ascending.

    Returns:
        Image (3, h, w) uint8, a view, and instances (h, w) int32 with 0 and 1..K.
    """
    part = scene["instances"][window.slices]
    table = np.zeros(int(part.max(initial=0)) + 1, np.int32)
    table[ids] = np.arange(1, len(ids) + 1, dtype=np.int32)
    return scene["image"][(slice(None), *window.slices)], table[part]
