"""Every reader with a miniature tree of its own, and what a test does with it: break a file, check, read, repair."""

import importlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import street_trees
import test_acdc
import test_cifar10
import test_coco128
import test_davis2016
import test_ecssd
import test_ilsvrc2012
import test_isaid
import test_magnetic_tile
import test_s3dis
import test_scannet
import trees
import voc_trees

from labelkit.datasets.catalogue import check
from labelkit.datasets.converting import FOLDER

BROKEN = (FileNotFoundError, ValueError)


@dataclass(frozen=True)
class Subject:
    """A data set that is broken.

    Attributes:
        name: in the catalogue.
        build: makes the tree in a folder.
        folder: below the data root.
        image, mask: a picture and a label file of it; empty where it has none.
        listing: a text file with a name a line, or empty.
        module, variant: of the reader, as in a run file.
    """

    name: str
    build: Callable[[Path], object]
    folder: str
    image: str = ""
    mask: str = ""
    listing: str = ""
    module: str = ""
    variant: str = ""

    def read(self, root: Path) -> int:
        """Read every sample of every part; the number of samples."""
        reader = importlib.import_module(f"labelkit.datasets.{self.module or self.name}")
        parts = reader.parts(root, self.variant)
        for part in parts.values():
            for index in range(len(part)):
                part[index]
        return sum(map(len, parts.values()))


def acdc(folder: Path) -> None:
    for name in test_acdc.OFFICIAL:
        test_acdc.patient(folder / "training" / name)


def scannet(folder: Path) -> None:
    """Twelve rooms for training and one for the test, whose labels are JSON."""
    lists = {"train": [f"scene{room:04d}_00" for room in range(12)], "val": ["scene0500_00"]}
    for split, names in lists.items():
        for name in names:
            test_scannet.write_scan(folder / "scans" / name, int(name[5:9]), labels_ply=split == "train")
        (folder / f"scannetv2_{split}.txt").write_text("\n".join(names) + "\n")
    rows = [f"{place}\t{name}\t{number}\n" for place, (name, number) in enumerate(test_scannet.NAMES.items())]
    (folder / "scannetv2-labels.combined.tsv").write_text("id\traw_category\tnyu40id\n" + "".join(rows))


def isaid(folder: Path) -> None:
    test_isaid.owner_tree(folder)
    (folder / "train" / "images" / f"P1527{test_isaid.IDS}.png").touch()  # the image that is left out may be broken


VOC, SBD = "VOCdevkit/VOC2012", "benchmark_RELEASE/dataset"
ADE, LIP = "ADE_train_00000007", "107_train7"
CITY = "zurich_000000_000019"
SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("camvid", lambda folder: trees.original_camvid(folder, lists=True), "CamVid",
                "train/a2.png", "trainannot/a2.png", "train.txt"),
        Subject("voc2012", voc_trees.voc2012, "voc2012", f"{VOC}/JPEGImages/2007_000039.jpg",
                f"{VOC}/SegmentationClass/2007_000039.png", f"{VOC}/ImageSets/Segmentation/train.txt"),
        Subject("pascal-context", voc_trees.pascal_context, "pascal-context",
                "VOCdevkit/VOC2010/JPEGImages/2009_000010.jpg", "", "VOCdevkit/VOC2010/ImageSets/Main/train.txt",
                module="pascal_context"),
        Subject("coco", voc_trees.coco, "coco", "train2014/COCO_train2014_000000000034.jpg"),
        Subject("coco-stuff", voc_trees.coco_stuff_10k, "coco-stuff", "images/COCO_train2014_000000000113.jpg", "",
                "imageLists/train.txt", module="coco_stuff"),
        Subject("cityscapes", street_trees.cityscapes, "cityscapes", f"leftImg8bit/train/zurich/{CITY}_leftImg8bit.png",
                f"gtFine/train/zurich/{CITY}_gtFine_labelIds.png"),
        Subject("ade20k", street_trees.ade20k, "ade20k", f"images/training/{ADE}.jpg",
                f"annotations/training/{ADE}.png", "sceneCategories.txt"),
        Subject("lip", street_trees.lip, "lip", f"TrainVal_images/train_images/{LIP}.jpg",
                f"TrainVal_parsing_annotations/train_segmentations/{LIP}.png", "TrainVal_images/train_id.txt"),
        Subject("viper", lambda folder: street_trees.viper(folder, frames=60), "viper",
                "train/img/001/001_00010.jpg", "train/cls/001/001_00010.png"),
        Subject("cityscapes-vps", street_trees.vps, "cityscapes_vps",
                "train/img/0001_0001_lindau_000001_000004_newImg8bit.png",
                "train/labelmap/0001_0001_lindau_000001_000004_final_mask.png", module="cityscapes_vps"),
        Subject("isaid", isaid, "isaid", "val/images/P0002.png", f"val/images/P0002{test_isaid.COLOURS}.png"),
        Subject("acdc", acdc, "acdc", "training/patient007/patient007_frame01.nii.gz",
                "training/patient007/patient007_frame01_gt.nii.gz"),
        Subject("ilsvrc2012", test_ilsvrc2012.image_net, "ilsvrc2012", "train/n02123045/n02123045_100.JPEG"),
        Subject("s3dis", lambda folder: test_s3dis.areas(folder, rooms=3), "s3dis", "",
                "Area_5/office_3/Annotations/chair_2.txt"),
        Subject("scannet", scannet, "scannet", "scans/scene0500_00/scene0500_00_vh_clean_2.ply",
                "scans/scene0003_00/scene0003_00_vh_clean_2.labels.ply", "scannetv2_train.txt"),
        Subject("cifar10", test_cifar10.compact, "cifar10", "cifar10_subset.npz"),
        Subject("magnetic-tiles", test_magnetic_tile.official, "magnetic-tiles",
                "MT_Crack/Imgs/exp1_num_31020.jpg", "MT_Crack/Imgs/exp1_num_31020.png", module="magnetic_tile"),
        Subject("coco128", test_coco128.tree, "coco128", "images/000000000007.jpg", "labels_voc21/000000000007.png"),
        Subject("ecssd", lambda folder: test_ecssd.tree(folder, "official"), "ecssd", "images/0007.jpg",
                "ground_truth_mask/0007.png"),
        Subject("davis2016", lambda folder: test_davis2016.tree(folder, "lists"), "davis2016",
                "JPEGImages/480p/bus/00002.jpg", "Annotations/480p/bus/00002.png", "ImageSets/480p/train.txt"),
    )
}  # fmt: skip


def small(monkeypatch) -> None:
    """Readers and checks that take miniatures: three classes of ImageNet, and every picture of COCO is decoded."""
    from labelkit.datasets import checking_coco, ilsvrc2012

    monkeypatch.setattr(ilsvrc2012, "CLASSES", 3)
    monkeypatch.setattr(checking_coco, "DECODED", 1)


class Bench:
    """A tree that can be broken and repaired.

    Args:
        subject: the data set.
        pristine: its data root, untouched.
        root: where the copy goes.
    """

    def __init__(self, subject: Subject, pristine: Path, root: Path) -> None:
        self.subject, self.pristine, self.root = subject, pristine, root
        shutil.copytree(pristine, root, symlinks=True)
        self.folder = root / subject.folder

    def found(self) -> list[tuple[str, str, bool]]:
        """The rows of the check, without what differs from place to place."""
        return [(what, text.replace(str(self.root), "ROOT"), good) for what, text, good in self.rows()]

    def rows(self) -> list[tuple[str, str, bool]]:
        return check(self.subject.name, self.root).rows

    def files(self) -> dict[str, bytes | str]:
        """What lies in the data root, but for what labelkit draws."""
        return contents(self.root)

    def repair(self) -> None:
        """Put back what was there; what labelkit has drawn stays."""
        now, then = self.files(), contents(self.pristine)
        for inside in sorted(now, reverse=True):
            if now[inside] != then.get(inside):
                (self.root / inside).unlink()
        for inside in then:
            if now.get(inside) != then[inside]:
                shutil.copy2(self.pristine / inside, self.root / inside)


def contents(root: Path) -> dict[str, bytes | str]:
    """Bytes of every file below a folder, targets of links, but for what labelkit draws."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if FOLDER not in inside.parts:
            found[str(inside)] = (
                str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
            )
    return found


def is_sentence(text: str) -> bool:
    """One line, of some length, that names a file or folder."""
    return "\n" not in text and len(text) > 20 and ("/" in text or "." in text)


def random_picture(path: Path, seed: int = 3) -> np.ndarray:
    """A picture of the size of an image file."""
    from PIL import Image

    with Image.open(path) as image:
        return np.random.default_rng(seed).integers(0, 256, (image.height, image.width, 3), dtype=np.uint8)
