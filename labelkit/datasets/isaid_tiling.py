"""One image of iSAID cut into patches, as the devkit's ``split.py`` and ``preprocess.py`` do [zamir2019isaid].

What is read from the three pictures of an image is cut in memory and annotated from there: patches are not decoded
again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.datasets.aerial_tiles import (
    OVERLAP,
    PATCH,
    WHOLE_UP_TO,
    Window,
    cut_instances,
    stays_whole,
    tile_name,
    windows,
)
from labelkit.datasets.images import read_image
from labelkit.datasets.isaid_coco import LabelledPatch
from labelkit.datasets.isaid_colours import class_map, classes_of, id_map
from labelkit.datasets.isaid_files import COLOURS, IDS, SceneFiles
from labelkit.files import write_plainly

PNG_LEVEL = 1  # of zlib: larger files than the devkit's, the same pixels, a third of the time


def tile_image(
    files: SceneFiles,
    target: Path | None,
    patch: int = PATCH,
    overlap: int = OVERLAP,
    whole_up_to: int = WHOLE_UP_TO,
    strict: bool = False,
    keep: Callable[[Path, bytes], None] = write_plainly,
) -> Iterator[LabelledPatch]:
    """Cut one image and its maps.

    Args:
        files: in the owner's layout.
        target: folder for the pictures; None writes none.
        patch, overlap, whole_up_to: see `windows`.
        strict: refuse an instance that spans two classes within a patch.
        keep: writes a picture, of which it is given path and bytes.

    Yields:
        The patches in the devkit's order. The class of a piece is decided by the pixels of its patch, as there.

    Raises:
        FileNotFoundError, ValueError: a file is missing or broken, or the three differ in size.
    """
    pictures = {kind: read_image(path) for kind, path in zip(("", COLOURS, IDS), files[1:])}
    sizes = {picture.shape[:2] for picture in pictures.values()}
    if len(sizes) > 1:
        raise ValueError(f"{files.image} and its two maps differ in size: {sorted(sizes)}; one size was expected")
    instances, ids = id_map(pictures[IDS])
    classes = class_map(pictures[COLOURS], files.classes)
    height, width = instances.shape
    whole = stays_whole(height, width, whole_up_to)
    for window in windows(height, width, patch, overlap, whole_up_to):
        place = None if whole else window
        if target is not None:
            for kind, picture in pictures.items():
                keep(target / tile_name(files.name, place, kind), _png(picture, window))
        part, numbers = cut_instances(instances, window)
        name = tile_name(files.name, place)
        labels = classes_of(part, classes[window.slices], ids[numbers - 1], strict, f"{files.instances} at {name}")
        yield LabelledPatch(name, part, labels)


def _png(picture: np.ndarray, window: Window) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[window.slices])).save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()
