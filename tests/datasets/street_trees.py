"""Miniatures of Cityscapes, ADE20K, Look into Person, VIPER and Cityscapes-VPS, in the layouts of their owners."""

import json
from pathlib import Path

import numpy as np
from trees import save

HEIGHT, WIDTH = 8, 16
CITYSCAPES_IMAGES = {
    "train": {"aachen": 2, "bochum": 2, "krefeld": 1, "ulm": 1, "zurich": 1},
    "val": {"lindau": 2, "munster": 1},
}
CITYSCAPES_TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
    31: 16, 32: 17, 33: 18,
}  # fmt: skip
"""From id to training id, as in the owner's scripts, written down a second time."""


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def ids(seed: int, values: int) -> np.ndarray:
    """Values 0..values-1, of which as many as fit are there."""
    drawn = np.random.default_rng(seed + 1000).permutation(HEIGHT * WIDTH) % values
    return drawn.reshape(HEIGHT, WIDTH).astype(np.uint8)


def training_ids(owner: np.ndarray) -> np.ndarray:
    return np.array([CITYSCAPES_TRAIN_IDS.get(value, 255) for value in range(256)], dtype=np.uint8)[owner]


def cityscapes(folder: Path, kinds: tuple[str, ...] = ("labelIds",), coarse: bool = False) -> Path:
    splits = dict(CITYSCAPES_IMAGES) | ({"train_extra": {"nuremberg": 2, "troisdorf": 1}} if coarse else {})
    seed = 0
    for split, cities in splits.items():
        labels = "gtCoarse" if split == "train_extra" else "gtFine"
        for city, count in cities.items():
            for number in range(count):
                seed += 1
                name = f"{city}_{number:06d}_000019"
                if city == "troisdorf":
                    name = "troisdorf_000000_000073"
                save(picture(seed), folder / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
                owner = ids(seed, 34)
                for kind in kinds:
                    array = owner if kind == "labelIds" else training_ids(owner)
                    save(array, folder / labels / split / city / f"{name}_{labels}_{kind}.png")
                (folder / labels / split / city / f"{name}_{labels}_polygons.json").write_text("{}")
                save(picture(seed), folder / labels / split / city / f"{name}_{labels}_color.png")
    return folder


def ade20k(folder: Path, training: int = 40, validation: int = 3) -> Path:
    scenes = []
    for split, short, count in (("training", "train", training), ("validation", "val", validation)):
        for number in range(1, count + 1):
            name = f"ADE_{short}_{number:08d}"
            save(picture(number), folder / "images" / split / f"{name}.jpg")
            save(ids(number, 128) + np.uint8(23 * (number == 3)), folder / "annotations" / split / f"{name}.png")
            scenes.append(f"{name} street\n")
    (folder / "sceneCategories.txt").write_text("".join(scenes))
    return folder


def lip(folder: Path, train: int = 40, val: int = 3, lists: bool = True, twice: bool = False) -> Path:
    images, labels = folder / "TrainVal_images", folder / "TrainVal_parsing_annotations"
    if twice:
        images, labels = images / images.name, labels / labels.name
    for split, count in (("train", train), ("val", val)):
        names = [f"{100 + number}_{split}{number}" for number in range(count)]
        for number, name in enumerate(names):
            save(picture(number), images / f"{split}_images" / f"{name}.jpg")
            save(ids(number, 20), labels / f"{split}_segmentations" / f"{name}.png")
        if lists:
            (images / f"{split}_id.txt").write_text("\n".join(names) + "\n")
    return folder


def viper_ids(seed: int) -> np.ndarray:
    """Labels with the bonnet of a car (24) at the middle of the lower edge, and another car that does not touch it."""
    mask = ids(seed, 24)
    mask[4:, :] = 3
    mask[6:, 4:12] = 24
    mask[4, 0:3] = 24
    return mask


def viper(folder: Path, every: int = 10, frames: int = 130, instances: bool = True) -> Path:
    """Two sequences a split; pictures of every fifth frame, labels of every tenth or as is asked."""
    for split, sequences in (("train", ("001", "002")), ("val", ("001", "005"))):
        for sequence in sequences:
            for number in range(5, frames + 1, 5):
                name = f"{sequence}_{number:05d}"
                save(picture(number), folder / split / "img" / sequence / f"{name}.jpg")
                if number % every:
                    continue
                mask = viper_ids(number)
                save(mask, folder / split / "cls" / sequence / f"{name}.png")
                if instances:
                    coded = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
                    coded[..., 0] = mask
                    coded[mask == 24] = (24, 1, 2)  # number 258
                    coded[mask == 3] = (3, 0, 9)  # a number on what is no thing
                    save(coded, folder / split / "inst" / sequence / f"{name}.png")
    return folder


def vps_labels(seed: int) -> np.ndarray:
    """Numbers of the 19 classes in columns, and 255 in the first row."""
    mask = np.repeat(np.arange(WIDTH, dtype=np.uint8)[None] + seed % 4, HEIGHT, axis=0)
    mask[0] = 255
    return mask


def vps(folder: Path, train: int = 12, val: int = 2, panoptic: tuple[str, ...] = ("val",), every: bool = True) -> Path:
    """Videos of Lindau and Munster; each has six labelled frames five apart, of which the fourth is Cityscapes' own."""
    count = 0
    for split, videos in (("train", train), ("val", val)):
        annotations, images = [], []
        for video in range(1, videos + 1):
            place = f"{'lindau' if split == 'train' else 'munster'}_{video:06d}"
            number = f"{video + (0 if split == 'train' else 200):04d}"
            for shot in range(6):
                count += 1
                name = f"{number}_{count:04d}_{place}_{4 + 5 * shot:06d}"
                ends = ("_leftImg8bit", "_gtFine_color") if shot == 3 else ("_newImg8bit", "_final_mask")
                save(picture(count), folder / split / "img" / f"{name}{ends[0]}.png")
                mask = vps_labels(video)
                if split not in panoptic:
                    save(mask, folder / split / "labelmap" / f"{name}{ends[1]}.png")
                    continue
                segments = np.where(mask == 255, 0, mask.astype(np.int64) * 300 + 70_000)
                segments[(mask == 13) & (np.arange(HEIGHT)[:, None] > 4)] += 7  # a second car
                coded = np.stack([segments % 256, segments // 256 % 256, segments // 65536], axis=-1).astype(np.uint8)
                save(coded, folder / split / "panoptic_video" / f"{name}{ends[1]}.png")
                found = np.unique(segments[segments > 0]).tolist()
                info = [{"id": each, "category_id": (each - 70_000) // 300, "iscrowd": 0} for each in found]
                annotations.append({"image_id": name, "file_name": f"{name}{ends[1]}.png", "segments_info": info})
                images.append({"id": name, "file_name": f"{name}{ends[0]}.png"})
            if split == "val" and every:
                for frame in range(30):
                    save(picture(frame), folder / "val" / "img_all" / f"{place}_{frame:06d}_leftImg8bit.png")
        if split in panoptic:
            stated = {"images": images, "annotations": annotations, "categories": []}
            (folder / f"panoptic_gt_{split}_city_vps.json").write_text(json.dumps(stated))
    return folder
