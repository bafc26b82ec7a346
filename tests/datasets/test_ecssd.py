"""ECSSD in both layouts: object or background, tags from the masks, parts that do not change."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from trees import save

from labelkit.datasets.catalogue import check
from labelkit.datasets.ecssd import CLASSES, Ecssd, find, parts

NAMES = [f"{number:04d}" for number in range(1, 41)]


def tree(folder: Path, layout: str) -> Path:
    masks, value = ("labels", 1) if layout == "compact" else ("ground_truth_mask", 255)
    for number, name in enumerate(NAMES):
        mask = np.zeros((12, 16), np.uint8)
        mask[3, 5] = value  # one pixel, which shrinking takes away
        save(np.full((12, 16, 3), 5 * number, np.uint8), folder / "images" / f"{name}.jpg")
        save(mask, folder / masks / f"{name}.png")
    if layout == "compact":
        (folder / "splits.json").write_text(json.dumps({"train": NAMES[8:], "val": NAMES[:8]}))
        classes = [{"id": 0, "name": "background"}, {"id": 1, "name": "salient object"}]
        (folder / "classes.json").write_text(json.dumps({"classes": classes}))
    return folder


@pytest.mark.parametrize("layout", ["compact", "official"])
def test_samples_follow_the_contract(tmp_path: Path, layout: str) -> None:
    found = parts(tree(tmp_path, layout), "", 12, 16)
    assert {part: len(data) for part, data in found.items()} == {"train": 28, "val": 4, "test": 8}
    assert sorted(name for data in found.values() for name in data.names) == NAMES
    for part, data in found.items():
        assert (data.layout, data.split, data.name, data.classes) == (layout, part, "ecssd-16x12", CLASSES)
        sample = data[0]
        assert set(sample) == {"image", "mask", "tags", "name"} and sample["tags"].tolist() == [1]
        assert sample["mask"].sum() == 1 and sample["mask"][3, 5] == 1
    if layout == "compact":
        assert list(found["test"].names) == NAMES[:8]


def test_shrinking_loses_no_tag(tmp_path: Path) -> None:
    sample = Ecssd(tree(tmp_path, "compact"), "val", 3, 4)[0]
    assert sample["mask"].sum() == 0 and sample["tags"].tolist() == [1]


def test_an_image_without_an_object_has_no_tag(tmp_path: Path) -> None:
    folder = tree(tmp_path, "compact")
    save(np.zeros((12, 16), np.uint8), folder / "labels" / f"{NAMES[0]}.png")
    assert Ecssd(folder, "test")[0]["tags"].tolist() == [0]


def test_a_label_outside_the_list_is_refused(tmp_path: Path) -> None:
    folder = tree(tmp_path, "compact")
    save(np.full((12, 16), 2, np.uint8), folder / "labels" / f"{NAMES[0]}.png")
    with pytest.raises(ValueError, match=rf"{NAMES[0]}.png holds the label value 2"):
        Ecssd(folder, "test")[0]


def test_what_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ECSSD has no split 'trian'"):
        Ecssd(tree(tmp_path, "compact"), "trian")
    with pytest.raises(ValueError, match="ECSSD has no variant 'small'"):
        parts(tmp_path, "small")
    with pytest.raises(FileNotFoundError, match=r"no ECSSD in .*ground_truth_mask/"):
        parts(tmp_path / "images", "")


@pytest.mark.parametrize("layout", ["compact", "official"])
def test_a_check_reads_everything(tmp_path: Path, layout: str) -> None:
    report = check(tree(tmp_path, layout))
    assert report.ok and (report.name, report.variant) == ("ecssd", f"{layout}, 16x12")
    assert check("ecssd", tmp_path).ok


REAL = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "ecssd_200"


@pytest.mark.skipif(not REAL.is_dir(), reason="LABELKIT_DATA has no ecssd_200")
def test_the_real_photographs() -> None:
    found = parts(REAL, "", 64, 64)
    assert {part: len(data) for part, data in found.items()} == {"train": 700, "val": 100, "test": 200}
    assert find(REAL.parent) == (REAL, "compact")
    assert all(found["val"][index]["tags"].tolist() == [1] for index in range(20))
