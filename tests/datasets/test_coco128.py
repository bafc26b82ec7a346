"""COCO128: COCO's tags as those of VOC, two images left out, images of other things kept without a tag."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from trees import save

from labelkit.datasets.catalogue import check
from labelkit.datasets.coco128 import CLASSES, COCO_LABELS, UNANNOTATED, Coco128, parts

LISTED = {"train": [f"{number:012d}" for number in range(1, 18)] + [UNANNOTATED[0]],
          "val": [f"{number:012d}" for number in range(30, 35)] + [UNANNOTATED[1]]}  # fmt: skip


def tree(folder: Path) -> Path:
    """Image n shows class n of VOC (1 to 17) and something else; 30 to 34 show only other things."""
    tags = {}
    for name in [*LISTED["train"], *LISTED["val"]]:
        label = int(name) if int(name) < 18 else 0
        mask = np.zeros((12, 16), np.uint8)
        mask[2:6, 2:8], mask[8:, 10:] = label, 255
        annotated = name not in UNANNOTATED
        save(np.full((12, 16, 3), int(name) % 200, np.uint8), folder / "images" / f"{name}.jpg")
        save(mask if annotated else np.zeros_like(mask), folder / "labels_voc21" / f"{name}.png")
        tags[name] = ([COCO_LABELS[label - 1]] if label else []) + [80] if annotated else []
    (folder / "image_labels.json").write_text(json.dumps(tags))
    (folder / "splits.json").write_text(json.dumps(LISTED))
    return folder


def test_samples_follow_the_contract(tmp_path: Path) -> None:
    found = parts(tree(tmp_path), "", 12, 16)
    assert {part: len(data) for part, data in found.items()} == {"train": 14, "val": 3, "test": 5}
    assert not {name for data in found.values() for name in data.names} & set(UNANNOTATED)
    for data in found.values():
        assert data.name == "coco128-16x12" and data.classes == CLASSES and len(data.palette) == 21
        for index in range(len(data)):
            sample = data[index]
            seen = set(sample["mask"].unique().tolist()) - {0, 255}
            assert seen == {int(tag) + 1 for tag in sample["tags"].nonzero()[:, 0]}
            assert seen == ({int(sample["name"])} if int(sample["name"]) < 18 else set())
            assert sample["tags"].shape == (20,) and (sample["mask"] == 255).any()


def test_classes_of_voc_have_the_labels_of_coco() -> None:
    assert dict(zip(CLASSES[1:], COCO_LABELS)) == {
        "person": 1, "bicycle": 2, "car": 3, "motorbike": 4, "aeroplane": 5, "bus": 6, "train": 7, "boat": 9,
        "bird": 15, "cat": 16, "dog": 17, "horse": 18, "sheep": 19, "cow": 20, "bottle": 40, "chair": 57, "sofa": 58,
        "pottedplant": 59, "diningtable": 61, "tvmonitor": 63,
    }  # fmt: skip


def test_shrinking_loses_no_tag(tmp_path: Path) -> None:
    whole, small = (Coco128(tree(tmp_path), "train", *size) for size in ((12, 16), (1, 1)))
    assert all(torch.equal(whole.tags(index), small.tags(index)) for index in range(len(whole)))


def test_tags_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    before = Coco128(folder).fingerprint
    tags = json.loads((folder / "image_labels.json").read_text())
    (folder / "image_labels.json").write_text(json.dumps(tags | {Coco128(folder).names[0]: [1, 2, 3]}))
    assert Coco128(folder).fingerprint != before


def test_a_tag_file_and_an_image_list_that_disagree_are_refused(tmp_path: Path) -> None:
    folder = tree(tmp_path)
    tags = json.loads((folder / "image_labels.json").read_text())
    tags.pop(UNANNOTATED[0])
    (folder / "image_labels.json").write_text(json.dumps(tags))
    with pytest.raises(ValueError, match=rf"image_labels.json has no entry for image {UNANNOTATED[0]}"):
        Coco128(folder)


def test_what_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="COCO128 has no split 'trian'"):
        Coco128(tree(tmp_path), "trian")
    with pytest.raises(ValueError, match="COCO128 has no variant 'full'"):
        parts(tmp_path, "full")
    with pytest.raises(FileNotFoundError, match=r"no COCO128 in .*labels_voc21/"):
        parts(tmp_path / "images", "")


def test_a_check_reads_everything(tmp_path: Path) -> None:
    report = check(tree(tmp_path))
    assert report.ok and report.name == "coco128" and "5 images, 5 without a tag" in "\n".join(report.lines)
    tags = json.loads((tmp_path / "image_labels.json").read_text())
    (tmp_path / "image_labels.json").write_text(json.dumps(tags | {LISTED["val"][0]: [17]}))
    report = check(tmp_path)
    assert not report.ok and f"{LISTED['val'][0]}: tags and mask differ in dog" in "\n".join(report.lines)


REAL = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "coco128_seg_320"


@pytest.mark.skipif(not REAL.is_dir(), reason="LABELKIT_DATA has no coco128_seg_320")
def test_in_the_real_images_tags_and_masks_agree() -> None:
    found = parts(REAL, "")
    assert {part: len(data) for part, data in found.items()} == {"train": 82, "val": 12, "test": 32}
    for data in found.values():
        for index in range(len(data)):
            seen = set(np.unique(data.mask(index)).tolist()) - {0, 255}
            assert seen == {int(tag) + 1 for tag in data.tags(index).nonzero()[:, 0]}
