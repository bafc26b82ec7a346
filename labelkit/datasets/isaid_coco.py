"""iSAID's instances in COCO's format, and COCO files read with categories by name.

Masks are written as RLE. The devkit writes polygons through the centres of border pixels, which lose the holes, and
lose a large part of a vehicle of ten pixels when they are filled again. Area (number of pixels) and box are the same in
both, and the same instances are kept (`aerial_pieces`). Two things differ on purpose: annotation ids start from 1, not
0, because pycocotools takes a match with annotation 0 for none; and all 15 categories are listed, in the devkit's
order, whether they occur or not. Image ids start from 0 in each split, as there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelkit.datasets.aerial_pieces import LEAST_AREA, kept_by_devkit
from labelkit.datasets.aerial_tiles import keep_only
from labelkit.datasets.isaid_colours import CLASSES
from labelkit.datasets.json_files import read_json
from labelkit.run_lengths import areas_of, boxes_around, encode_instances

CATEGORIES = tuple({"id": number, "name": name} for number, name in enumerate(CLASSES) if number)


@dataclass(frozen=True)
class LabelledPatch:
    """What is annotated in one patch.

    Attributes:
        file_name: of the picture.
        instances: (h, w) int32 with 0 and 1..K.
        labels: (K,) class ids 1..15.
    """

    file_name: str
    instances: np.ndarray
    labels: np.ndarray


def to_coco(patches: Iterable[LabelledPatch], least_area: int = LEAST_AREA, specks: bool = True) -> dict[str, Any]:
    """Patches as COCO's dict, ready for JSON.

    Args:
        patches: in the order of their image ids.
        least_area, specks: what is dropped, see `kept_by_devkit`.

    Returns:
        `images`, `annotations` (by class, then by number in the patch, as in the devkit) and `categories`.

    Raises:
        ImportError: pycocotools is not installed.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, patch in enumerate(patches):
        height, width = patch.instances.shape
        stem = patch.file_name.rpartition(".")[0]
        images.append(
            {
                "id": image, "width": width, "height": height, "file_name": patch.file_name,
                "ins_file_name": f"{stem}_instance_id_RGB.png", "seg_file_name": f"{stem}_instance_color_RGB.png",
            }
        )  # fmt: skip
        kept = kept_by_devkit(patch.instances, len(patch.labels), least_area, specks)
        labels = np.asarray(patch.labels)[kept]
        masks = encode_instances(keep_only(patch.instances, kept), len(labels))
        if not masks:
            continue
        areas, boxes = areas_of(masks), boxes_around(masks)
        for index in np.argsort(labels, kind="stable").tolist():
            label = int(labels[index])
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": label,
                    "category_name": CLASSES[label], "iscrowd": 0, "area": int(areas[index]),
                    "bbox": [float(value) for value in boxes[index]],
                    "segmentation": {"size": [height, width], "counts": masks[index]["counts"].decode("ascii")},
                }
            )  # fmt: skip
    return {"images": images, "annotations": annotations, "categories": [dict(each) for each in CATEGORIES]}


def read_coco(path: str | Path) -> dict[str, Any]:
    """Read a COCO file of iSAID and give its objects the devkit's class ids.

    The files released for training and validation number the classes differently, so ids are mapped by name; capitals
    and "-", "_" or " " between words do not matter.

    Args:
        path: the JSON file.

    Returns:
        Its content, with `category_id` and `categories` as in the devkit.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not COCO's format, names a class that iSAID does not have or one twice, an annotation has no
            category or no image, or an image has no size.
    """
    path = Path(path)
    content = read_json(path)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f"{path} has no list {key!r}: a file in COCO's format was expected")
    ids = _by_name(content["categories"], path)
    images = set()
    for image in content["images"]:
        if not isinstance(image.get("height"), int) or not isinstance(image.get("width"), int):
            raise ValueError(
                f"{path}: image {image.get('file_name', image.get('id'))!r} has no height and width: a file made from "
                "the masks, such as `labelkit` makes, was expected"
            )
        images.add(image["id"])
    annotations = []
    for each in content["annotations"]:
        for key, known in (("category_id", ids), ("image_id", images)):
            if each.get(key) not in known:
                raise ValueError(
                    f"{path}: annotation {each.get('id')!r} has {key} {each.get(key)!r}: one that the file lists was "
                    "expected"
                )
        label = ids[each["category_id"]]
        annotations.append({**each, "category_id": label, "category_name": CLASSES[label]})
    return {**content, "annotations": annotations, "categories": [dict(each) for each in CATEGORIES]}


def _by_name(categories: list[dict[str, Any]], path: Path) -> dict[int, int]:
    """The file's category ids to ours."""
    ours = {_plain(name): number for number, name in enumerate(CLASSES) if number}
    found: dict[int, int] = {}
    for category in categories:
        name = _plain(str(category.get("name")))
        if name == "unlabeled":
            continue
        if name not in ours:
            raise ValueError(f"{path} has a category {category.get('name')!r}: one of iSAID's 15 classes was expected")
        if ours[name] in found.values() or category.get("id") in found:
            raise ValueError(f"{path} lists the category {category.get('name')!r} or its id twice: once was expected")
        found[category["id"]] = ours[name]
    return found


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
