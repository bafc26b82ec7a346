"""The files of iSAID [zamir2019isaid] in its two layouts: the owner's, and the compact one of the devkit's samples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from labelkit.datasets.aerial_tiles import SKIPPED
from labelkit.datasets.listing import files_in, like
from labelkit.datasets.locate import locate

SUBFOLDERS = ("isaid", "iSAID", "isaid_samples")
COLOURS, IDS = "_instance_color_RGB", "_instance_id_RGB"


class SceneFiles(NamedTuple):
    """The files of one image."""

    name: str
    image: Path
    classes: Path
    instances: Path


def layout_of(folder: Path) -> str | None:
    """ "owner", "compact", or None if the folder is not iSAID."""
    if all((folder / name).is_dir() for name in ("images", "labels", "instance_ids")):
        return "compact"
    if any(any((folder / part / "images").glob(f"*{IDS}.png")) for part in ("train", "val")):
        return "owner"
    return None


def find(root: str | Path) -> tuple[Path, str]:
    """Find iSAID in a folder.

    Args:
        root: the data set's folder or one that holds it.

    Returns:
        The data set's folder, and its layout: "owner" or "compact".

    Raises:
        FileNotFoundError: it is not there; the sentence says what was looked for.
    """
    expected = f"train/images/ or val/images/ with files *{IDS}.png, or images/, labels/ and instance_ids/"
    return locate(root, SUBFOLDERS, layout_of, "iSAID", expected)


def natural(name: str) -> list[int | str]:
    """Sorting key in which P10 comes after P9, as in the devkit."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", name)]


def scene_files(folder: Path, layout: str) -> dict[str, list[SceneFiles]]:
    """The labelled images of the owner's "train" and "val"; of the compact layout all, as "train".

    Raises:
        FileNotFoundError: an image or one of its maps is missing.
    """
    if layout == "compact":
        pictures, classes, ids = (files_in(folder / name) for name in ("images", "labels", "instance_ids"))
        for name in sorted({*pictures, *classes, *ids}):
            for found, where in ((pictures, "images"), (classes, "labels"), (ids, "instance_ids")):
                if name not in found:
                    raise FileNotFoundError(f"{folder / where} has no file {name}: one for each image was expected")
        return {"train": [SceneFiles(name, pictures[name], classes[name], ids[name]) for name in pictures], "val": []}
    files: dict[str, list[SceneFiles]] = {}
    for part in ("train", "val"):
        inside = folder / part / "images"
        names = {path.name.partition("_")[0].removesuffix(".png") for path in inside.glob("*.png")}
        files[part] = []
        for name in sorted(names - set(SKIPPED), key=natural):
            each = SceneFiles(name, *(inside / f"{name}{kind}.png" for kind in ("", COLOURS, IDS)))
            for path in each[1:]:
                if not path.is_file():
                    raise FileNotFoundError(
                        f"{path} does not exist{like(path)}: an image and its two maps were expected"
                    )
            files[part].append(each)
    return files
