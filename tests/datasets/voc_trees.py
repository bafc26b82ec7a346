"""Miniature PASCAL VOC 2012, SBD, PASCAL-Context, COCO and COCO-Stuff, as their owners publish them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from trees import save

from labelkit.datasets.coco128 import CLASSES as VOC
from labelkit.datasets.coco_classes import THING_IDS, THINGS
from labelkit.datasets.pascal_context_files import OWNER_IDS
from labelkit.datasets.voc_colours import voc_colours

HEIGHT, WIDTH = 14, 18
VOC_NAMES = {"train": ["2007_000032", "2007_000039", "2008_000008"], "val": ["2007_000033", "2007_000042"]}
SBD_NAMES = {
    "train": ["2008_000002", "2008_000003", "2007_000032", "2007_000033"],  # one of VOC's train, one of its val
    "val": ["2008_000007", "2007_000042"],
}
TRAINAUG = ["2007_000032", "2007_000039", "2008_000002", "2008_000003", "2008_000007", "2008_000008"]


def picture(name: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth picture that differs from name to name."""
    start = sum(map(ord, name)) % 97
    rows, columns = np.mgrid[:height, :width]
    return np.stack([(start + factor * rows + 5 * columns) % 256 for factor in (2, 3, 4)], -1).astype(np.uint8)


def mask(name: str, owner: str = "voc") -> np.ndarray:
    """VOC's mask of an image has a border of 255, SBD's has none and reaches one row further."""
    label = 1 + sum(map(ord, name)) % 20
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    if owner == "voc":
        found[2:9, 3:12] = 255
        found[3:8, 4:11] = label
    else:
        found[3:9, 4:11] = label
    return found


def save_palette(array: np.ndarray, path: Path, colours: np.ndarray | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    image.putpalette((voc_colours() if colours is None else colours).tobytes())
    image.save(path)


def save_mat(path: Path, content: dict, form: str = "5") -> None:
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content, format=form, do_compression=form == "5")


def save_xml(path: Path, names: list[str]) -> None:
    items = "".join(
        f"<object><name>{name}</name><difficult>{index % 2}</difficult><part><name>head</name></part>"
        "<bndbox><xmin>4</xmin><ymin>3</ymin><xmax>10</xmax><ymax>7</ymax></bndbox></object>"
        for index, name in enumerate(names)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation><folder>VOC2012</folder><filename>{path.stem}.jpg</filename>{items}</annotation>")


def save_list(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def save_jpeg(name: str, path: Path, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(name, height, width)).save(path, quality=95)


def voc2012(folder: Path, sbd: bool = True) -> Path:
    """VOCdevkit/VOC2012 and, if wanted, benchmark_RELEASE/dataset in a folder; gives the folder."""
    voc = folder / "VOCdevkit" / "VOC2012"
    for key, names in VOC_NAMES.items():
        save_list(voc / "ImageSets" / "Segmentation" / f"{key}.txt", names)
        for name in names:
            save_palette(mask(name), voc / "SegmentationClass" / f"{name}.png")
    for name in {*TRAINAUG, *VOC_NAMES["val"]}:
        save_jpeg(name, voc / "JPEGImages" / f"{name}.jpg")
        label = int(mask(name, "sbd").max())
        save_xml(
            voc / "Annotations" / f"{name}.xml",
            [VOC[label], VOC[label], *(["person"] if name == "2008_000002" else [])],
        )
    if sbd:
        root = folder / "benchmark_RELEASE" / "dataset"
        for key, names in SBD_NAMES.items():
            save_list(root / f"{key}.txt", names)
            for name in names:
                found = mask(name, "sbd")
                inside = {"Segmentation": found, "Boundaries": np.zeros((20, 1)), "CategoriesPresent": [[found.max()]]}
                save_mat(root / "cls" / f"{name}.mat", {"GTcls": inside})
    return folder


CONTEXT_NAMES = {"train": ["2008_000002", "2008_000008", "2009_000010"], "val": ["2008_000003", "2010_000007"]}


def context_map(name: str) -> np.ndarray:
    """Ids of 459 labels: sky (360), person (284), and 1, which is none of the 59."""
    found = np.full((HEIGHT, WIDTH), 1, np.uint16)
    found[:5], found[6:12, 3:9] = 360, 284
    found[12, : 2 + sum(map(ord, name)) % 7] = 458
    return found


def pascal_context(folder: Path, converted: bool = False) -> Path:
    voc = folder / "VOCdevkit" / "VOC2010"
    for key, names in CONTEXT_NAMES.items():
        save_list(voc / "ImageSets" / ("SegmentationContext" if converted else "Main") / f"{key}.txt", names)
        for name in names:
            save_jpeg(name, voc / "JPEGImages" / f"{name}.jpg")
            if converted:
                table = np.zeros(460, np.uint8)
                table[list(OWNER_IDS.values())] = range(1, 60)
                save(table[context_map(name)], voc / "SegmentationClassContext" / f"{name}.png")
            else:
                save_mat(folder / "trainval" / f"{name}.mat", {"LabelMap": context_map(name)})
    if not converted:
        names = {number: name for name, number in OWNER_IDS.items()}
        lines = [f"{number}: {names.get(number, f'label {number}')}\n" for number in range(1, 460)]
        (folder / "labels.txt").write_text("".join(lines))
    return folder


def polygon(top: int, left: int, bottom: int, right: int) -> list[float]:
    return [float(value) for value in (left, top, right, top, right, bottom, left, bottom)]


def instances(year: str, split: str) -> dict:
    """Image 9: a large dog, a small cat on it, a crowd of persons under both; 25: nothing; others: one thing each."""
    numbers = {"train": [9, 25, 30, 34, 36, 41], "val": [42, 73]}[split]
    start = f"COCO_{split}2014_" if year == "2014" else ""
    images = [{"id": n, "file_name": f"{start}{n:012d}.jpg", "height": HEIGHT, "width": WIDTH} for n in numbers]
    category = dict(zip(THINGS, THING_IDS))
    flat = np.zeros((HEIGHT, WIDTH), np.uint8)
    flat[:6, :9] = 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat.T.ravel(), [0]])))
    counts = np.diff([0, *edges, flat.size]).tolist()
    items = []

    def add(image: int, name: str, segmentation: object, crowd: int = 0) -> None:
        items.append({"id": 100 + len(items), "image_id": image, "category_id": category[name], "iscrowd": crowd,
                      "segmentation": segmentation, "area": 1.0, "bbox": [0, 0, 1, 1]})  # fmt: skip

    for number in numbers:
        if number == 9:
            add(9, "cat", [polygon(4, 4, 7, 8)])
            add(9, "dog", [polygon(2, 2, 11, 12)])
            add(9, "person", {"counts": counts, "size": [HEIGHT, WIDTH]}, 1)
        elif number != 25:
            add(number, THINGS[number % 80], [polygon(1, 1, 5, 9), polygon(8, 8, 12, 12)])
    categories = [{"id": number, "name": name, "supercategory": "x"} for name, number in category.items()]
    return {"info": {}, "licenses": [], "images": images, "annotations": items, "categories": categories}


def coco(folder: Path, year: str = "2014") -> Path:
    for split in ("train", "val"):
        stated = instances(year, split)
        path = folder / "annotations" / f"instances_{split}{year}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(stated))
        for image in stated["images"]:
            save_jpeg(image["file_name"], folder / f"{split}{year}" / image["file_name"])
    return folder


STUFF_NAMES = {
    "train": [f"COCO_train2014_{number:012d}" for number in (77, 113, 151)],
    "test": [f"COCO_train2014_{number:012d}" for number in (825, 934)],
}


def stuff_map(name: str) -> np.ndarray:
    """The owner's ids 1 to 182: stop sign 13, banner 92, wood 182; 0 unlabelled."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    found[:4], found[5:9], found[10:, :9], found[10:, 9] = 13, 92, 182, 1 + sum(map(ord, name)) % 11
    return found


def coco_stuff_10k(folder: Path) -> Path:
    for key, names in STUFF_NAMES.items():
        save_list(folder / "imageLists" / f"{key}.txt", names)
        for name in names:
            save_jpeg(name, folder / "images" / f"{name}.jpg")
            content = {"S": stuff_map(name), "names": np.array(["person"], dtype=object), "captions": ["a"]}
            save_mat(folder / "annotations" / f"{name}.mat", content)
    return folder


def coco_stuff_164k(folder: Path) -> Path:
    for part, numbers in {"train2017": (9, 25, 30), "val2017": (139, 285)}.items():
        for number in numbers:
            name = f"{number:012d}"
            save_jpeg(name, folder / "images" / part / f"{name}.jpg")
            save(stuff_map(name) - np.uint8(1), folder / "annotations" / part / f"{name}.png")  # 0 becomes 255
    return folder
