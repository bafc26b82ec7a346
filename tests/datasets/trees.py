"""Miniature data sets on disk, in the layouts of their owners."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

OWNER_NAMES = (
    "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist",
)  # fmt: skip
NAMES = {"train": ["a1", "a2", "a3"], "val": ["b1"], "test": ["c1", "c2"]}
HEIGHT, WIDTH = 12, 16


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def labels(seed: int, values: int = 12) -> np.ndarray:
    """Labels 0..values-1, each of them present."""
    mask = np.random.default_rng(seed + 1000).integers(0, values, (HEIGHT, WIDTH), dtype=np.uint8)
    mask.ravel()[:values] = np.arange(values)
    return mask


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def numbered() -> list[tuple[str, str, int]]:
    """Split, name and a number for each sample."""
    pairs = [(split, name) for split, names in NAMES.items() for name in names]
    return [(split, name, number) for number, (split, name) in enumerate(pairs)]


def compact_camvid(folder: Path) -> Path:
    for _, name, number in numbered():
        save(picture(number), folder / "images" / f"{name}.png")
        save(labels(number), folder / "labels" / f"{name}.png")
    (folder / "splits.json").write_text(json.dumps(NAMES))
    classes = [{"id": index, "name": name} for index, name in enumerate([*OWNER_NAMES, "Unlabelled"])]
    (folder / "classes.json").write_text(json.dumps({"ignore_index": 11, "classes": classes}))
    return folder


def original_camvid(folder: Path, lists: bool = False) -> Path:
    for split, name, number in numbered():
        save(picture(number), folder / split / f"{name}.png")
        save(labels(number), folder / f"{split}annot" / f"{name}.png")
    if lists:
        for split, names in NAMES.items():
            lines = [f"/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png" for name in names]
            (folder / f"{split}.txt").write_text("\n".join(reversed(lines)) + "\n")
    return folder


def image_mask_folder(folder: Path, count: int = 4, classes: int = 3) -> Path:
    for number in range(count):
        save(picture(number), folder / "images" / f"s{number}.jpg")
        save(labels(number, classes), folder / "masks" / f"s{number}.png")
    return folder
