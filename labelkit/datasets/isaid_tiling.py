"""iSAID cut into patches with a COCO file, as the devkit's ``split.py`` and ``preprocess.py`` do [zamir2019isaid].

Patches go to ``<target>/<split>/images`` and annotations to ``<target>/<split>/instancesonly_filtered_<split>.json``,
under the devkit's names. What is read from the three pictures of an image is cut in memory and annotated from there:
patches are not decoded again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from labelkit.datasets.isaid import COLOURS, IDS, SceneFiles, find, natural, scene_files
from labelkit.datasets.isaid_coco import LabelledPatch, to_coco
from labelkit.datasets.isaid_colours import class_map, classes_of, id_map
from labelkit.files import write_whole

PNG_LEVEL = 1  # of zlib: larger files than the devkit's, the same pixels, a third of the time


def tile_split(
    root: str | Path,
    target: str | Path,
    split: str,
    patch: int = PATCH,
    overlap: int = OVERLAP,
    whole_up_to: int = WHOLE_UP_TO,
    pictures: bool = True,
    strict: bool = False,
) -> dict[str, Any]:
    """Cut all images of the owner's training or validation set.

    Args:
        root: iSAID's folder in the owner's layout, or one that holds it.
        target: folder for the patches; made if it is not there.
        split: "train" or "val", the owner's.
        patch, overlap, whole_up_to: see `windows`.
        pictures: write the patches' pictures, not the COCO file alone.
        strict: refuse an instance that spans two classes within a patch.

    Returns:
        The COCO dict that was written.

    Raises:
        FileNotFoundError: the layout is not found, or a file is missing.
        ValueError: the split is unknown or empty, or a map holds what it should not.
    """
    if split not in ("train", "val"):
        raise ValueError(f"iSAID has no labelled split {split!r} to cut: train or val was expected")
    folder, layout = find(root)
    if layout != "owner":
        raise ValueError(f"{folder} is iSAID's compact layout: the owner's train/images and val/images were expected")
    images = scene_files(folder, layout)[split]
    if not images:
        raise ValueError(f"{folder / split} has no labelled image: at least one was expected")
    inside = Path(target) / split / "images"
    inside.mkdir(parents=True, exist_ok=True)
    cut: list[LabelledPatch] = []
    for files in images:
        cut += tile_image(files, inside if pictures else None, patch, overlap, whole_up_to, strict)
    cut.sort(key=lambda each: natural(each.file_name))
    coco = to_coco(cut)
    text = json.dumps(coco)
    write_whole(Path(target) / split / f"instancesonly_filtered_{split}.json", lambda path: path.write_text(text))
    return coco


def tile_image(
    files: SceneFiles,
    target: Path | None,
    patch: int = PATCH,
    overlap: int = OVERLAP,
    whole_up_to: int = WHOLE_UP_TO,
    strict: bool = False,
) -> Iterator[LabelledPatch]:
    """Cut one image and its maps.

    Args:
        files: in the owner's layout.
        target: folder for the pictures; None writes none.
        patch, overlap, whole_up_to: see `windows`.
        strict: see `tile_split`.

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
                _save(picture, window, target / tile_name(files.name, place, kind))
        part, numbers = cut_instances(instances, window)
        name = tile_name(files.name, place)
        labels = classes_of(part, classes[window.slices], ids[numbers - 1], strict, f"{files.instances} at {name}")
        yield LabelledPatch(name, part, labels)


def _save(picture: np.ndarray, window: Window, path: Path) -> None:
    Image.fromarray(np.ascontiguousarray(picture[window.slices])).save(path, compress_level=PNG_LEVEL)
