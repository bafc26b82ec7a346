"""iSAID: colours, ids, both layouts, patches with a COCO file, categories by name, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from trees import save, truncate

from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.checking_isaid import check_isaid
from labelkit.datasets.isaid import ISAID, parts
from labelkit.datasets.isaid_coco import LabelledPatch, read_coco, to_coco
from labelkit.datasets.isaid_colours import CLASSES, CODES, PALETTE, class_map, classes_of, codes_of, id_map
from labelkit.datasets.isaid_files import COLOURS, IDS
from labelkit.datasets.isaid_patches import tile_split
from labelkit.run_lengths import decode_masks

pytest.importorskip("pycocotools", reason="pycocotools is not installed")

SHIP, TANK, DIAMOND, LARGE, SMALL = 1, 2, 3, 8, 9
OBJECTS = [  # id, class, row, column, height, width
    (1000, LARGE, 4, 6, 10, 24), (70000, SMALL, 30, 40, 5, 9), (5000000, SHIP, 20, 50, 8, 60),
    (999, SMALL, 2, 60, 6, 6), (4592855, TANK, 50, 90, 12, 12),
]  # fmt: skip
IMAGES = (("train", "P0001"), ("train", "P0009"), ("train", "P0010"), ("train", "P1527"), ("val", "P0002"))


def coded(codes: np.ndarray) -> np.ndarray:
    return np.stack([codes & 255, (codes >> 8) & 255, codes >> 16], axis=-1).astype(np.uint8)


def maps(height: int = 80, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Class ids and released ids of an image."""
    classes, ids = np.zeros((height, width), np.int64), np.zeros((height, width), np.int64)
    for number, label, y, x, h, w in OBJECTS:
        classes[y : y + h, x : x + w], ids[y : y + h, x : x + w] = label, number
    return classes, ids


def owner_tree(folder: Path) -> Path:
    """Three training images and one for validation, in the owner's layout."""
    for part, name in (
        ("train", "P0001"),
        ("train", "P0009"),
        ("train", "P0010"),
        ("train", "P1527"),
        ("val", "P0002"),
    ):
        classes, ids = maps()
        picture = np.random.default_rng(len(name)).integers(0, 256, (80, 120, 3), dtype=np.uint8)
        inside = folder / part / "images"
        for kind, array in (("", picture), (COLOURS, PALETTE[classes]), (IDS, coded(ids))):
            save(array, inside / f"{name}{kind}.png")
    return folder


def test_codes_are_those_of_the_devkit_in_rgb_order() -> None:
    assert CODES[[SHIP, TANK, DIAMOND, LARGE, 15]].tolist() == [4128768, 4144896, 16128, 8355584, 10183680]
    assert codes_of(np.array([[[1, 2, 3]]], np.uint8)).tolist() == [[1 + 512 + 3 * 65536]]
    assert np.array_equal(class_map(PALETTE[None]), np.arange(16)[None])
    assert len(CLASSES) == 16 and CLASSES[6] == "Ground_Track_Field"


def test_a_colour_in_no_table_is_named_and_so_is_bgr() -> None:
    picture = PALETTE[np.full((4, 5), LARGE)].copy()
    picture[2, 3] = (0, 0, 64)
    with pytest.raises(ValueError, match=r"map\.png holds the colour \(0, 0, 64\) at row 2, column 3"):
        class_map(picture, "map.png")
    with pytest.raises(ValueError, match="RGB order"):
        class_map(PALETTE[np.full((2, 2), SHIP)][..., ::-1])


def test_ids_below_a_thousand_are_no_instances() -> None:
    instances, ids = id_map(coded(maps()[1]))
    assert ids.tolist() == [1000, 70000, 4592855, 5000000]
    assert set(np.unique(instances)) == {0, 1, 2, 3, 4} and (instances == 1).sum() == 240


def test_the_smallest_code_decides_the_class_which_is_not_the_smallest_id() -> None:
    instances = np.ones((2, 2), np.int32)
    mixed = np.array([[SHIP, DIAMOND], [SHIP, SHIP]])
    assert classes_of(instances, mixed, [4000]).tolist() == [DIAMOND]
    with pytest.raises(ValueError, match="instance 4000 spans the classes baseball_diamond and ship: one class"):
        classes_of(instances, mixed, [4000], strict=True)
    with pytest.raises(ValueError, match="instance 4000 has unlabelled pixels"):
        classes_of(instances, np.array([[0, SHIP], [SHIP, SHIP]]), [4000])
    with pytest.raises(ValueError, match="2 x 2 and its class map 1 x 2"):
        classes_of(instances, mixed[:1], [4000])


def test_scenes_of_the_owners_layout(tmp_path: Path) -> None:
    whole = ISAID(owner_tree(tmp_path), "all")
    assert whole.names == ("P0001", "P0002", "P0009", "P0010")  # P1527 is skipped
    found = parts(tmp_path, "")
    assert found["test"].names == ("P0002",)
    assert sorted(found["train"].names + found["val"].names) == ["P0001", "P0009", "P0010"]
    sample = whole[0]
    assert sample["labels"].tolist() == [LARGE, SMALL, TANK, SHIP] and sample["labels"].dtype == torch.int64
    assert sample["boxes"][0].tolist() == [6, 4, 30, 14] and sample["instances"].dtype == torch.int32
    assert sample["image"].shape == (3, 80, 120) and sample["image"].max() <= 1
    before = whole.fingerprint
    save(np.zeros((80, 120, 3), np.uint8), tmp_path / "val" / "images" / "P0002.png")
    assert ISAID(tmp_path, "all").fingerprint != before


def test_the_compact_layout_gives_the_same(tmp_path: Path) -> None:
    classes, ids = maps()
    table = {number: place for place, number in enumerate(sorted({*np.unique(ids)} - {0, 999}), 1)} | {0: 0, 999: 0}
    for name in ("P0003", "P0004", "P0005"):
        save(np.zeros((80, 120, 3), np.uint8), tmp_path / "images" / f"{name}.jpg")
        save(classes.astype(np.uint8), tmp_path / "labels" / f"{name}.png")
        save(np.vectorize(table.get)(ids).astype(np.uint16), tmp_path / "instance_ids" / f"{name}.png")
    owner = ISAID(owner_tree(tmp_path / "owner"), "all")[0]
    found = parts(tmp_path, "")
    assert {part: data.names for part, data in found.items()} == {
        "train": ("P0005",), "val": ("P0003",), "test": ("P0004",)
    }  # fmt: skip
    compact = ISAID(tmp_path, "all")[0]
    assert all(torch.equal(compact[key], owner[key]) for key in ("instances", "labels", "boxes"))


def test_a_coco_file_of_patches_matches_the_patches(tmp_path: Path) -> None:
    root = owner_tree(tmp_path)
    coco = tile_split(root, tmp_path / "out", "train", patch=64, overlap=16, whole_up_to=64)
    written = read_coco(tmp_path / "out" / "train" / "instancesonly_filtered_train.json")
    assert written == json.loads(json.dumps(coco))
    patches = AerialPatches(ISAID(root, "all"), 64, 16, keep_empty=True)
    by_name = {patches[index]["name"]: patches[index] for index in range(len(patches))}
    assert len(coco["images"]) == 3 * 6 and [image["id"] for image in coco["images"]] == list(range(18))
    assert coco["images"][0]["file_name"].startswith("P0001_") and coco["images"][-1]["file_name"].startswith("P0010_")
    assert min(each["id"] for each in coco["annotations"]) == 1
    for image in coco["images"]:
        patch = by_name[image["file_name"].removesuffix(".png")]
        rows = [each for each in coco["annotations"] if each["image_id"] == image["id"]]
        order = torch.argsort(patch["labels"], stable=True)
        assert [row["category_id"] for row in rows] == patch["labels"][order].tolist()
        assert [row["area"] for row in rows] == patch["areas"][order].tolist()
        for row, number in zip(rows, order.tolist()):
            mask = decode_masks([row["segmentation"]], 64, 64)[0]
            assert np.array_equal(mask, patch["instances"].numpy() == number + 1)
            x, y, w, h = row["bbox"]
            assert [x, y, x + w, y + h] == patch["boxes"][number].tolist()
        for kind in ("", COLOURS, IDS):
            assert (tmp_path / "out" / "train" / "images" / f"{patch['name']}{kind}.png").is_file()


def test_an_image_smaller_than_a_patch_stays_whole(tmp_path: Path) -> None:
    coco = tile_split(owner_tree(tmp_path), tmp_path / "out", "val")
    assert [image["file_name"] for image in coco["images"]] == ["P0002.png"] and len(coco["annotations"]) == 4
    with pytest.raises(ValueError, match="80 x 120 is smaller than a patch of 100"):
        tile_split(tmp_path, tmp_path / "other", "val", patch=100, overlap=0, whole_up_to=50)


def _coco(tmp_path: Path, **changes: object) -> Path:
    instances = np.zeros((20, 30), np.int32)
    instances[2:9, 3:12], instances[12:18, 15:25] = 1, 2
    content = to_coco([LabelledPatch("P0001.png", instances, np.array([SHIP, LARGE]))]) | changes
    path = tmp_path / "iSAID_train.json"
    path.write_text(json.dumps(content))
    return path


def test_categories_are_mapped_by_name(tmp_path: Path) -> None:
    other = [{"id": 1, "name": "storage_tank"}, {"id": 2, "name": "Large-Vehicle"}, {"id": 7, "name": "Ship"}]
    path = _coco(tmp_path, categories=other)
    content = json.loads(path.read_text())
    for each, number in zip(content["annotations"], (7, 2)):
        each["category_id"] = number
    path.write_text(json.dumps(content))
    found = read_coco(path)
    assert [each["category_id"] for each in found["annotations"]] == [SHIP, LARGE]
    assert [category["name"] for category in found["categories"]] == list(CLASSES[1:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"categories": [{"id": 1, "name": "ship"}, {"id": 8, "name": "truck"}]}, "a category 'truck': one of iSAID"),
        ({"categories": [{"id": 1, "name": "ship"}, {"id": 8, "name": "Ship"}]}, "'Ship' or its id twice"),
        ({"categories": [{"id": 1, "name": "ship"}]}, "annotation 2 has category_id 8"),
        ({"images": [{"id": 5, "file_name": "a.png", "height": 2, "width": 2}]}, "annotation 1 has image_id 0"),
        ({"images": [{"id": 0, "file_name": "P0001.png"}]}, "image 'P0001.png' has no height and width"),
        ({"categories": None}, "has no list 'categories'"),
    ],
)
def test_a_coco_file_that_does_not_fit_is_refused(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_coco(_coco(tmp_path, **changes))


def test_more_instances_than_a_byte_counts() -> None:
    instances = np.zeros((160, 160), np.int32)
    for number in range(300):
        y, x = divmod(number, 20)
        instances[10 * y : 10 * y + 4, 8 * x : 8 * x + 4] = number + 1
    coco = to_coco([LabelledPatch("a.png", instances, np.full(300, SMALL))])
    assert len(coco["annotations"]) == 300 and {each["area"] for each in coco["annotations"]} == {16}


def test_what_is_missing_or_broken_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no iSAID in"):
        ISAID(tmp_path)
    root = owner_tree(tmp_path)
    with pytest.raises(ValueError, match="iSAID has no split 'trian'"):
        ISAID(root, "trian")
    with pytest.raises(ValueError, match="no variant 'small'"):
        parts(root, "small")
    with pytest.raises(ValueError, match="its own sizes"):
        parts(root, "", 64, 64)
    with pytest.raises(ValueError, match="no labelled split 'test'"):
        tile_split(root, tmp_path / "out", "test")
    truncate(root / "val" / "images" / "P0002.png")
    with pytest.raises(ValueError, match=r"P0002\.png cannot be decoded"):
        ISAID(root, "test")[0]
    save(np.zeros((80, 100, 3), np.uint8), root / "val" / "images" / "P0002.png")
    with pytest.raises(ValueError, match="80 x 100 and its labels are 80 x 120"):
        ISAID(root, "test")[0]
    (root / "val" / "images" / f"P0002{COLOURS}.png").unlink()
    with pytest.raises(FileNotFoundError, match="an image and its two maps were expected"):
        ISAID(root, "all")


def test_the_check_reports_what_it_finds(tmp_path: Path) -> None:
    root = owner_tree(tmp_path)
    classes, _ = maps()
    classes[5, 7] = SMALL  # in the large vehicle
    save(PALETTE[classes], root / "val" / "images" / f"P0002{COLOURS}.png")
    (root / "iSAID_val.json").write_text(
        json.dumps({"images": [], "annotations": [], "categories": [{"id": 1, "name": "car"}]})
    )
    report = check_isaid(root)
    lines = "\n".join(report.lines)
    assert not report.ok
    assert "instance 1000 spans the classes Small_Vehicle and Large_Vehicle" in lines
    assert "a category 'car'" in lines and "3 images, 1409 or 1410 or 1411 were expected" in lines
    assert "storage_tank 3, Large_Vehicle 3, Small_Vehicle 3" in lines
