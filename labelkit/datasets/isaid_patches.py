"""iSAID cut into patches with a COCO file, in the devkit's layout; may be stopped, and goes on where it was.

Patches go to ``<target>/<split>/images`` and annotations to ``<target>/<split>/instancesonly_filtered_<split>.json``,
under the devkit's names; see `isaid_tiling` for one image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.datasets.aerial_tiles import OVERLAP, PATCH, WHOLE_UP_TO
from labelkit.datasets.isaid_coco import CATEGORIES, to_coco
from labelkit.datasets.isaid_files import SceneFiles, find, natural, scene_files
from labelkit.datasets.isaid_tiling import tile_image
from labelkit.files import write_plainly, write_whole
from labelkit.progress import Progress

RULE = "isaid 1: the devkit's windows, RLE"  # another rule cuts anew
RECORDS = "labelkit-cut"  # folder of the records, beside images/
SHOWN = 20  # so many images show how far they are


@dataclass(frozen=True)
class Tiling:
    """The owner's training or validation set cut into patches; may be stopped at any time, and goes on where it was.

    An image counts as cut once a record names its patches with their lengths and sha256, and holds their annotations;
    the COCO file is put together from the records. A changed source, or other settings, cut an image anew.

    Attributes:
        folder: `target/split`, which receives `images/`, the records and the COCO file.
        split: "train" or "val".
        sources: the files of each image.
        patch, overlap, whole_up_to, pictures, strict: see `tile_split`.
    """

    folder: Path
    split: str
    sources: Mapping[str, SceneFiles]
    patch: int = PATCH
    overlap: int = OVERLAP
    whole_up_to: int = WHOLE_UP_TO
    pictures: bool = True
    strict: bool = False

    @property
    def coco_file(self) -> Path:
        """Where the annotations lie."""
        return self.folder / f"instancesonly_filtered_{self.split}.json"

    def missing(self) -> list[str]:
        """The images that are not cut as their record says; no patch is decoded."""
        return [name for name in self.sources if self._record(name) is None]

    def run(self) -> dict[str, Any]:
        """Cut what is missing and write the COCO file.

        Returns:
            The COCO dict that was written.

        Raises:
            FileNotFoundError, ValueError: a file is missing or broken; what was cut before stays.
            OSError: the folder cannot be written, or the disk is full; what was cut before stays.
        """
        names = self.missing()
        bar = Progress(len(names), f"patches in {self.folder}", "image") if len(names) >= SHOWN else None
        for done, name in enumerate(names, start=1):
            self._cut(name)
            if bar:
                bar.update(done)
        if bar:
            bar.close()
        coco = self._joined()
        text = json.dumps(coco)
        if not self.coco_file.is_file() or self.coco_file.read_text(encoding="utf-8") != text:
            write_whole(self.coco_file, lambda path: path.write_text(text, encoding="utf-8"))
        return coco

    def damaged(self) -> list[str]:
        """The images one of whose patches differs from what was cut; every patch is read."""
        return [name for name in self.sources if any(self._differing(name))]

    def problems(self) -> list[str]:
        """A sentence for each patch that differs from what was cut."""
        return [
            f"{path} differs from what was cut: delete it, and its image is cut again"
            for name in self.sources
            for path in self._differing(name)
        ]

    def forget(self, name: str) -> None:
        """Remove the record of an image, so that it is cut again."""
        self._place(name).unlink(missing_ok=True)

    def _differing(self, name: str) -> Iterator[Path]:
        for file, (_, digest) in (self._record(name) or {"files": {}})["files"].items():
            path = self.folder / "images" / file
            if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                yield path

    def _cut(self, name: str) -> None:
        written: dict[str, list[int | str]] = {}

        def keep(path: Path, data: bytes) -> None:
            write_plainly(path, data)
            written[path.name] = [len(data), hashlib.sha256(data).hexdigest()]

        files, inside = self.sources[name], self.folder / "images"
        state = self._state(name)
        patches = tile_image(
            files, inside if self.pictures else None, self.patch, self.overlap, self.whole_up_to, self.strict, keep
        )
        coco = to_coco(patches)
        record = state | {"files": written, "images": coco["images"], "annotations": coco["annotations"]}
        write_whole(self._place(name), lambda path: path.write_text(json.dumps(record), encoding="utf-8"))

    def _state(self, name: str) -> dict[str, Any]:
        """What a record must have been made of."""
        states = [path.stat() for path in self.sources[name][1:]]
        settings = [self.patch, self.overlap, self.whole_up_to, self.pictures, self.strict]
        return {"rule": [RULE, *settings], "sources": [[state.st_size, state.st_mtime_ns] for state in states]}

    def _record(self, name: str) -> dict[str, Any] | None:
        """What is known of an image, or None if it is to be cut."""
        try:
            record = json.loads(self._place(name).read_text(encoding="utf-8"))
            state = self._state(name)
            whole = all((self.folder / "images" / file).stat().st_size == size for file, (size, _) in
                        record["files"].items())  # fmt: skip
            return record if whole and all(record[key] == state[key] for key in state) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _place(self, name: str) -> Path:
        return self.folder / RECORDS / f"{name}.json"

    def _joined(self) -> dict[str, Any]:
        """The COCO dict of all records, patches in the devkit's order and numbered through."""
        found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        for name in self.sources:
            record = json.loads(self._place(name).read_text(encoding="utf-8"))
            rows: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in record["images"]}
            for each in record["annotations"]:
                rows[each["image_id"]].append(each)
            found += [(image, rows[image["id"]]) for image in record["images"]]
        found.sort(key=lambda each: natural(each[0]["file_name"]))
        coco: dict[str, Any] = {"images": [], "annotations": [], "categories": [dict(each) for each in CATEGORIES]}
        for number, (image, rows) in enumerate(found):
            coco["images"].append({**image, "id": number})
            for each in rows:
                coco["annotations"].append({**each, "id": len(coco["annotations"]) + 1, "image_id": number})
        return coco


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
    """Cut all images of the owner's training or validation set; the same call goes on after an interruption.

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
        OSError: the folder cannot be written, or the disk is full.
    """
    return tiling(root, target, split, patch, overlap, whole_up_to, pictures, strict).run()


def tiling(root: str | Path, target: str | Path, split: str, *settings: Any) -> Tiling:
    """What `tile_split` does; nothing is cut before `run`.

    Args:
        root, target, split: see `tile_split`.
        settings: the others, in the order of `tile_split`.

    Raises:
        FileNotFoundError, ValueError: see `tile_split`.
    """
    if split not in ("train", "val"):
        raise ValueError(f"iSAID has no labelled split {split!r} to cut: train or val was expected")
    folder, layout = find(root)
    if layout != "owner":
        raise ValueError(f"{folder} is iSAID's compact layout: the owner's train/images and val/images were expected")
    images = {files.name: files for files in scene_files(folder, layout)[split]}
    if not images:
        raise ValueError(f"{folder / split} has no labelled image: at least one was expected")
    return Tiling(Path(target) / split, split, images, *settings)
