"""COCO 2014 and 2017 [lin2014microsoft] as class maps: 80 kinds of things and the background, for weak supervision.

The owner's layout is read: `train2014/COCO_train2014_000000000009.jpg` (or below `images/`), `val2014/` and
`annotations/instances_{train,val}2014.json`; for 2017 `train2017/000000000009.jpg` and so on. Class maps are drawn from
the JSON as `coco_instances` says, once, as PNG; see `converting`. The papers' own maps are not public, and how they
treat crowds and objects that overlap was not found.

Tags are the categories of an image's annotations, crowds included. Training images without an annotation have none and
are left out, as in the papers: 82,081 of the 82,783 of 2014 stay. The test part is all of the owner's val: 40,504.

One training image in twenty, by a hash of its name, is the validation part. `coco-official` trains on all; what is
chosen on its val, one in twenty of the test images, is chosen on test images. `coco-2017` and `coco-2017-official` are
the same with 2017's parts.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from labelkit.datasets.coco_classes import CLASSES, PALETTE
from labelkit.datasets.coco_instances import RULE, Instances, read_instances
from labelkit.datasets.converting import FOLDER, Conversion
from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, picked
from labelkit.datasets.locate import check_split, locate, sized
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import fits, flags, light_fingerprint, three_parts
from labelkit.datasets.tagged import SPLITS, TaggedFiles
from labelkit.files import write_whole

COUNTS = {  # images, and how many of them have an annotation
    "train2014": (82_783, 82_081), "val2014": (40_504, 40_137),
    "train2017": (118_287, 117_266), "val2017": (5_000, 4_952),
}  # fmt: skip
VARIANTS = ("2017", "official")
WATCHED = 20  # of the official variants, validation is one in so many test images
LICENCE = "Annotations CC BY 4.0; the photographs fall under Flickr's terms of use."
SUBFOLDERS = ("coco", "COCO", "coco2014", "coco2017")  # looked into, in this order, below a given folder


class Coco(TaggedFiles):
    """One part of COCO; draws the class maps that are missing when it is made, which takes a while once.

    Args:
        root: the folder with `annotations`, or one that holds it as `coco`.
        split: "train", "val" or "test".
        variant: "" for 2014, "2017", "official" or "2017-official"; see the module.
        height, width: delivered size in pixels; None delivers the size of the files.
        cache: keep decoded samples in memory; None does so if a size is given and they take at most 2 GiB.
        owner: the owner's "train" and "val" of the year, if they were read before.

    Raises:
        FileNotFoundError: the annotations or a picture are not there.
        ValueError: the split or variant is unknown, or the annotations are not what they should be.
        OSError: the class maps cannot be written beside the data.
        ImportError: class maps are to be drawn, and pycocotools is not installed.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        variant: str = "",
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
        owner: Mapping[str, "Annotated"] | None = None,
    ) -> None:
        check_split(split, "COCO")
        words = flags(variant, VARIANTS, "coco")
        self.root, self.split, self.variant = find(root, _year(variant)), split, variant
        owner = annotated(self.root, variant) if owner is None else owner
        trained = [name for name, tags in owner["train"].tags.items() if tags]
        names = three_parts(trained, owner["val"].tags, "official" in words, WATCHED)[split]
        self.source = owner["val" if split == "test" or (split == "val" and "official" in words) else "train"]
        drawn = self.source.masks(names)
        images = self.source.images(names)
        drawn.run()
        super().__init__(
            name=sized("-".join(filter(None, ("coco", variant))), height, width),
            pairs=[Pair(name, image, drawn.path(name)) for name, image in zip(names, images)],
            classes=CLASSES, palette=PALETTE, licence=LICENCE, table=label_table(range(len(CLASSES)), (255,)),
            tags=self.source.tags, height=height, width=width,
            cache=fits(len(names), height, width) if cache is None else cache,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Of the annotations' bytes, the rule of drawing, and names and lengths of pictures."""
        return light_fingerprint(self, RULE, self.source.digest)


def parts(root: Path, variant: str, height: int | None = None, width: int | None = None) -> dict[str, Coco]:
    """The three parts of a run file's ``coco``, alone or with ``-official``, ``-2017`` or ``-2017-official``.

    Args:
        root, variant: see `Coco`.
        height, width: delivered size in pixels; None delivers the size of the files.

    Raises:
        FileNotFoundError, ValueError, OSError, ImportError: see `Coco`.
    """
    flags(variant, VARIANTS, "coco")
    owner = annotated(find(root, _year(variant)), variant)
    found = {part: Coco(root, part, variant, height, width, None, owner) for part in SPLITS}
    for split in owner.values():
        split.forget()
    return found


def conversions(root: str | Path) -> list[Conversion]:
    """The class maps of each year that is there, of training images with annotations and of all others for the test.

    Raises:
        FileNotFoundError, ValueError: no year is there, or annotations are not what they should be.
    """
    found = []
    for year in years_in(root):
        owner = annotated(find(root, year), year)
        names = [name for name, tags in owner["train"].tags.items() if tags]
        found += [owner["train"].masks(names), owner["val"].masks(list(owner["val"].tags))]
    return found


def years_in(root: str | Path) -> list[str]:
    """The years that are there, "2014" and "2017".

    Raises:
        FileNotFoundError: neither is.
    """
    years = []
    for year in ("2014", "2017"):
        try:
            find(root, year)
        except FileNotFoundError:
            if year == "2017" and not years:
                raise
            continue
        years.append(year)
    return years


def annotated(folder: Path, variant: str) -> dict[str, "Annotated"]:
    """The owner's "train" and "val" that a variant is made of."""
    return {key: Annotated(folder, f"{key}{_year(variant)}") for key in ("train", "val")}


def _year(variant: str) -> str:
    return "2017" if "2017" in variant.split("-") else "2014"


def find(root: str | Path, year: str = "2014") -> Path:
    """COCO's folder: the given one or a folder below it; see `locate`."""
    stated = f"annotations/instances_val{year}.json"
    layout = locate(
        root, SUBFOLDERS, lambda folder: "official" if (folder / stated).is_file() else None, f"COCO {year}", stated
    )
    return layout[0]


class Annotated:
    """The pictures and annotations of one of the owner's splits.

    What is needed of the JSON is kept beside the class maps, so that the large file is read once only.

    Args:
        folder: from `find`.
        split: such as "train2014".
        keep: write what was read beside the data; without it nothing is written.

    Attributes:
        tags: labels of the classes in each image, by name.
        digest: sha256 of the JSON file.
    """

    def __init__(self, folder: Path, split: str, keep: bool = True) -> None:
        self.folder, self.split = folder, split
        self.path = folder / "annotations" / f"instances_{split}.json"
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} does not exist: COCO's annotations of objects were expected")
        with self.path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._read: Instances | None = None
        kept = folder / FOLDER / f"{split}.json"
        stated = _kept(kept, self.digest)
        if stated is None:
            stated = {name: list(self._instances().tags(name)) for name in sorted(self._instances().pictures)}
            if keep:
                text = json.dumps({"source": self.digest, "tags": stated})
                write_whole(kept, lambda path: path.write_text(text, encoding="utf-8"))
        self.tags: dict[str, tuple[int, ...]] = {name: tuple(labels) for name, labels in stated.items()}

    def images(self, names: list[str]) -> list[Path]:
        """The pictures of some names.

        Raises:
            FileNotFoundError: one is missing.
        """
        places = [self.folder / self.split, self.folder / "images" / self.split]
        folder = next((place for place in places if place.is_dir()), None)
        if folder is None:
            raise FileNotFoundError(
                f"{self.folder} has no {self.split}/ nor images/{self.split}/: COCO's pictures were expected"
            )
        return picked(files_in(folder), names, folder, ".jpg", self.path.name)

    def masks(self, names: list[str]) -> Conversion:
        """The class maps of some names; nothing is drawn before `run`."""
        stamps = dict.fromkeys(names, self.digest[:16])
        return Conversion(self.folder / FOLDER / self.split, RULE, stamps, lambda name: self._instances().draw(name))

    def forget(self) -> None:
        """Free the memory that the JSON takes; it is read again where it is needed."""
        self._read = None

    def _instances(self) -> Instances:
        if self._read is None:
            self._read = read_instances(self.path)
        return self._read


def _kept(path: Path, digest: str) -> dict[str, Any] | None:
    """What was kept of the JSON with this digest, or None."""
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        return stated["tags"] if stated["source"] == digest and isinstance(stated["tags"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
