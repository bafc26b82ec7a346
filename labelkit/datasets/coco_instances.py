"""COCO's `instances_*.json`: read with checks, and drawn as class maps.

The rule of drawing: a pixel of a crowd (`iscrowd`) is ignored, 255; objects are drawn over it, the one with most pixels
first, so that small ones lie on top; of two with equally many the one with the larger id. What is left is background.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.coco_classes import THINGS
from labelkit.datasets.json_files import read_json

RULE = "coco 1: crowds 255, then objects by pixels, then by id"
NEEDED = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("id", "image_id", "category_id", "iscrowd", "segmentation"),
    "categories": ("id", "name"),
}


@dataclass(frozen=True)
class Picture:
    """One image of the file.

    Attributes:
        file_name: such as "COCO_train2014_000000000009.jpg".
        height, width: in pixels.
        annotations: of its objects and crowds.
    """

    file_name: str
    height: int
    width: int
    annotations: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Instances:
    """A whole file.

    Attributes:
        path: of the file, for errors.
        pictures: by name (the file's, without suffix).
        labels: our label, 1 to 80, of each of the owner's category ids.
    """

    path: Path
    pictures: dict[str, Picture]
    labels: dict[int, int]

    def tags(self, name: str) -> tuple[int, ...]:
        """Labels of the classes that an image shows, crowds included."""
        return tuple(sorted({self.labels[item["category_id"]] for item in self.pictures[name].annotations}))

    def draw(self, name: str) -> np.ndarray:
        """The class map of an image by the rule above, uint8 (H, W): 0 to 80, and 255 for crowds.

        Raises:
            ValueError: a mask is not what it should be; the sentence names the annotation.
            ImportError: pycocotools is not installed.
        """
        picture = self.pictures[name]
        drawn = np.zeros((picture.height, picture.width), dtype=np.uint8)
        objects = []
        for item in picture.annotations:
            mask = self._mask(item, picture)
            if item["iscrowd"]:
                drawn[mask] = 255
            else:
                objects.append((-int(mask.sum()), item["id"], mask, self.labels[item["category_id"]]))
        for _, _, mask, label in sorted(objects, key=lambda each: each[:2]):
            drawn[mask] = label
        return drawn

    def _mask(self, item: dict[str, Any], picture: Picture) -> np.ndarray:
        from labelkit.run_lengths import mask_library

        library, stated = mask_library(), item["segmentation"]
        size = picture.height, picture.width
        who = f"annotation {item['id']} of {picture.file_name} in {self.path}"
        if isinstance(stated, list):
            for polygon in stated:
                if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2 or not _numbers(polygon):
                    raise ValueError(
                        f"{who} has a broken polygon: an even number of coordinates, at least 6, was expected"
                    )
            if not stated:
                raise ValueError(f"{who} has no polygon: at least one was expected")
            coded = library.merge(library.frPyObjects(stated, *size))
        elif isinstance(stated, dict) and "counts" in stated and list(stated.get("size", ())) == list(size):
            counts = stated["counts"]
            if isinstance(counts, list) and (not _numbers(counts) or sum(counts) != size[0] * size[1]):
                raise ValueError(f"{who} has run lengths that do not add up to {size[0]} x {size[1]} pixels")
            coded = library.frPyObjects(stated, *size) if isinstance(counts, list) else stated
        else:
            raise ValueError(
                f"{who} has neither polygons nor run lengths of size {list(size)}: one of them was expected"
            )
        return library.decode(coded).astype(bool)


def read_instances(path: Path) -> Instances:
    """Read and check a file; COCO's largest takes some seconds and some gigabytes of memory.

    Args:
        path: JSON with images, annotations and categories.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not JSON, lacks a field, names an image or annotation twice, or has other categories.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: COCO's annotations of objects were expected")
    stated = read_json(path)
    for key, fields in NEEDED.items():
        if not isinstance(stated, dict) or not isinstance(stated.get(key), list):
            raise ValueError(f"{path} has no list {key!r}: images, annotations and categories were expected")
        for place, item in enumerate(stated[key]):
            if missing := [field for field in fields if not isinstance(item, dict) or field not in item]:
                number = f" (id {item['id']})" if isinstance(item, dict) and "id" in item else ""
                raise ValueError(f"entry {place}{number} of {key!r} in {path} has no {missing[0]!r}: it was expected")
        if len({item["id"] for item in stated[key]}) < len(stated[key]):
            twice = _first_twice([item["id"] for item in stated[key]])
            raise ValueError(f"{path} has id {twice} twice in {key!r}: every id was expected once")
    labels = _labels(path, {item["id"]: item["name"] for item in stated["categories"]})
    grouped: dict[Any, list[dict[str, Any]]] = {item["id"]: [] for item in stated["images"]}
    for item in stated["annotations"]:
        for field, known in (("image_id", grouped), ("category_id", labels)):
            if item[field] not in known:
                raise ValueError(
                    f"annotation {item['id']} in {path} has {field} {item[field]!r}, which the file does not list"
                )
        grouped[item["image_id"]].append(item)
    pictures = {}
    for item in stated["images"]:
        name = str(item["file_name"]).rpartition("/")[2].rpartition(".")[0]
        size = item["height"], item["width"]
        if not all(isinstance(side, int) and side > 0 for side in size):
            raise ValueError(
                f"image {item['file_name']} in {path} has the size {size}: two positive numbers were expected"
            )
        if name in pictures:
            raise ValueError(f"{path} has the image {item['file_name']} twice: every image was expected once")
        pictures[name] = Picture(str(item["file_name"]), *size, tuple(grouped[item["id"]]))
    return Instances(path, pictures, labels)


def _labels(path: Path, names: dict[int, str]) -> dict[int, int]:
    """Our label of each category id, by its name."""
    if odd := sorted(set(names.values()) ^ set(THINGS)):
        what = "lacks the category" if odd[0] in THINGS else "has the category"
        raise ValueError(f"{path} {what} {odd[0]!r}: the 80 categories of COCO were expected")
    if len(names) != len(THINGS):
        raise ValueError(f"{path} has {len(names)} categories: {len(THINGS)} with a name each were expected")
    return {number: THINGS.index(name) + 1 for number, name in names.items()}


def _numbers(values: list[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _first_twice(values: list[Any]) -> Any:
    seen = set()
    return next(value for value in values if value in seen or seen.add(value))
