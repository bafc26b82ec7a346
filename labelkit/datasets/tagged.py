"""Image tags beside masks, and the compact layout of small sets that have them.

The compact layout is `images/NAME.jpg`, `labels/NAME.png`, `splits.json` with the lists "train" and "val", and, where
the owner gives tags, `image_labels.json` with the label ids of each image. Its "val" is our test part; our validation
part is taken from "train" by a hash of the names, so that nothing is chosen on test images.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.json_files import read_json
from labelkit.datasets.listing import named_files
from labelkit.datasets.pairs import Pair, PairedFiles

SPLITS = ("train", "val", "test")
HELD_OUT = 8  # validation is one in so many images of the owner's training list


class TaggedFiles(PairedFiles):
    """Paired files whose samples also have `tags`.

    Args:
        name, pairs, classes, palette, licence, table, height, width, cache: see `PairedFiles`; class 0 is the
            background.
        tags: label ids of the classes in each image, by name; more images than `pairs` may be in it. None takes what
            is in the mask, at the size of its file, so that no tag is lost where a small object is shrunk away.

    Raises:
        ValueError: as `PairedFiles`, or an image of `pairs` has no entry in `tags`.
    """

    def __init__(
        self,
        name: str,
        pairs: Sequence[Pair],
        classes: Sequence[str],
        palette: np.ndarray,
        licence: str,
        table: np.ndarray,
        tags: Mapping[str, Collection[int]] | None = None,
        height: int | None = None,
        width: int | None = None,
        cache: bool = True,
    ) -> None:
        super().__init__(name, pairs, classes, palette, licence, table, None, height, width, cache)
        if tags is not None:
            for pair in pairs:
                if pair.name not in tags:
                    raise ValueError(f"image {pair.name} of {name} has no tags: an entry for each image was expected")
        self._stated = {} if tags is None else {pair.name: tuple(sorted(tags[pair.name])) for pair in self.pairs}
        self._known = dict(self._stated)

    def tags(self, index: int) -> Tensor:
        """The tags of an image, float32 (C - 1,): entry c belongs to label c + 1. All are 0 if it shows no class.

        Args:
            index: 0 to len - 1.
        """
        name = self.names[index]
        if name not in self._known:
            labels = np.unique(self._read_mask(self.pairs[index]))
            self._known[name] = tuple(int(label) for label in labels if 0 < label < len(self.classes))
        tags = torch.zeros(len(self.classes) - 1)
        tags[[label - 1 for label in self._known[name]]] = 1
        return tags

    def bytes(self, index: int) -> dict[str, Any]:
        """Deliver a sample: as `PairedFiles`, and `tags` float32 (C - 1,); so does indexing."""
        return super().bytes(index) | {"tags": self.tags(index)}

    @cached_property
    def fingerprint(self) -> str:
        """As that of `PairedFiles`, and of the tags that a file gives."""
        stated = sorted(self._stated.items())
        return hashlib.sha256(repr((super().fingerprint, stated)).encode()).hexdigest()[:16]


def read_tags(path: Path, names: Iterable[str], labels: Collection[int]) -> dict[str, tuple[int, ...]]:
    """Read a tag file and compare it with the list of images.

    Args:
        path: JSON, the label ids of each image by its name.
        names: the images that there are.
        labels: the ids that may occur.

    Returns:
        The ids by name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it names other images, in part or as a whole, or an id that is not in `labels`.
    """
    stated, names = read_json(path), set(names)
    if not isinstance(stated, dict) or not all(isinstance(value, list) for value in stated.values()):
        raise ValueError(f"{path} is not a tag file: a list of label ids for each image name was expected")
    for name in sorted(stated.keys() ^ names):
        if name in names:
            raise ValueError(f"{path} has no entry for image {name}: an entry for each listed image was expected")
        raise ValueError(f"{path} has an entry for {name}, which is not a listed image: the same names were expected")
    for name, value in sorted(stated.items()):
        for label in value:
            if label not in labels:
                raise ValueError(f"{path} gives image {name} the label {label!r}: an id of the class list was expected")
    return {name: tuple(value) for name, value in stated.items()}


def compact_layout(folder: Path, labels: str = "labels") -> bool:
    """Whether a folder holds images/, a folder of labels, and splits.json."""
    return (folder / "images").is_dir() and (folder / labels).is_dir() and (folder / "splits.json").is_file()


def compact_names(folder: Path) -> dict[str, list[str]]:
    """The names in splits.json, sorted: the owner's "train" and "val".

    Raises:
        ValueError: a list is missing, or an image is in both.
    """
    path = folder / "splits.json"
    stated = read_json(path)
    for key in ("train", "val"):
        if not isinstance(stated, dict) or not isinstance(stated.get(key), list):
            raise ValueError(f"{path} has no list {key!r}: train and val were expected")
    if both := sorted(set(stated["train"]) & set(stated["val"])):
        raise ValueError(f"{path} has image {both[0]} in train and in val: lists without overlap were expected")
    return {key: sorted(map(str, stated[key])) for key in ("train", "val")}


def compact_pairs(folder: Path, names: Sequence[str], labels: str = "labels") -> list[Pair]:
    """The files of some images.

    Raises:
        FileNotFoundError: an image or its label file is missing.
    """
    images, masks = (named_files(folder / kind, names, "splits.json") for kind in ("images", labels))
    return [Pair(*each) for each in zip(names, images, masks)]


def part_of(
    names: Mapping[str, Sequence[str]],
    split: str,
    group: Callable[[str], Any] = lambda name: None,
    size: Callable[[str], int] = lambda name: 1,
) -> list[str]:
    """The names of one of our three parts.

    Args:
        names: the owner's "train" and "val".
        split: "train", "val" or "test".
        group, size: see `one_in`.
    """
    if split == "test":
        return sorted(names["val"])
    chosen = one_in(HELD_OUT, names["train"], "validation", group, size)
    return sorted(chosen if split == "val" else set(names["train"]) - chosen)


def one_in(
    share: int,
    names: Iterable[str],
    key: str,
    group: Callable[[str], Any] = lambda name: None,
    size: Callable[[str], int] = lambda name: 1,
) -> set[str]:
    """Choose one in `share` names of each group, by the order of their hashes.

    Args:
        share: at least 1.
        names: to choose from.
        key: another key chooses others.
        group: what is counted together, such as a class.
        size: how many images a name stands for; names are taken until they stand for one image in `share`, or more.
    """
    groups: dict[Any, list[str]] = {}
    for name in names:
        groups.setdefault(group(name), []).append(name)
    chosen: set[str] = set()
    for members in groups.values():
        members.sort(key=lambda name: hashlib.sha256(f"labelkit {key} {name}".encode()).digest())
        wanted = sum(map(size, members))
        for name in members:
            if wanted <= 0:
                break
            chosen.add(name)
            wanted -= share * size(name)
    return chosen
