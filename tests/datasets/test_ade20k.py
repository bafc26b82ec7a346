"""ADE20K in the layout of the scene parsing challenge: 150 classes, 0 ignored, parts that do not change."""

import numpy as np
import pytest
import street_trees
from PIL import Image
from trees import save, truncate

from labelkit.datasets.ade20k import CLASSES, Ade20k, find, parts


@pytest.fixture
def root(tmp_path):
    street_trees.ade20k(tmp_path / "sets é" / "ade20k" / "ADEChallengeData2016")
    return tmp_path / "sets é"


def test_the_parts(root):
    found = parts(root)
    assert {split: len(data) for split, data in found.items()} == {"train": 38, "val": 2, "test": 3}
    assert not set(found["train"].names) & set(found["val"].names)
    assert found["val"].names == parts(root)["val"].names
    assert found["test"].names == tuple(f"ADE_val_{number:08d}" for number in (1, 2, 3))
    official = parts(root, "official", 4, 8)
    assert len(official["train"]) == 40 and official["val"].names == found["test"].names
    assert official["train"].name == "ade20k-official-8x4" and found["train"].name == "ade20k"


def test_the_first_class_is_1_and_nothing_is_0(root):
    assert len(set(CLASSES)) == 150 and (CLASSES[0], CLASSES[12], CLASSES[149]) == ("wall", "person", "flag")
    sample = Ade20k(root, "test")[0]
    owner = street_trees.ids(1, 128).astype(int)
    assert np.array_equal(sample["mask"].numpy(), np.where(owner == 0, 255, owner - 1))


def test_images_of_all_sizes_and_kinds(root):
    folder = find(root)
    image, mask = (folder / kind / "validation" / "ADE_val_00000001" for kind in ("images", "annotations"))
    save(street_trees.picture(1)[:5, :7, 0], image.with_suffix(".jpg"))  # the owner has grey photographs
    save(street_trees.ids(1, 128)[:5, :7], mask.with_suffix(".png"))
    assert Ade20k(root, "test")[0]["image"].shape == (3, 5, 7)
    image.with_suffix(".jpg").rename(image.with_suffix(".JPG"))
    assert Ade20k(root, "test")[0]["image"].shape == (3, 5, 7)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda image, mask: truncate(image), r"ADE_val_00000001\.jpg cannot be decoded"),
        (lambda image, mask: image.write_bytes(b""), r"ADE_val_00000001\.jpg is not an image"),
        (lambda image, mask: mask.write_bytes(b""), r"ADE_val_00000001\.png is not an image"),
        (lambda image, mask: mask.unlink(), r"ADE_val_00000001\.jpg has no partner: .*annotations/validation"),
        (lambda image, mask: image.unlink(), r"ADE_val_00000001\.png has no partner: .*images/validation"),
        (
            lambda image, mask: save(np.full((8, 16), 151, np.uint8), mask),
            r"ADE_val_00000001\.png holds the label value 151",
        ),
        (lambda image, mask: save(street_trees.ids(1, 9)[:4], mask), r"ADE_val_00000001\.png is 16x4 .* 16x8 was"),
        (lambda image, mask: Image.new("RGB", (16, 8)).save(mask), r"ADE_val_00000001\.png holds RGB colours"),
        (lambda image, mask: mask.rename(mask.with_name("ade_val_00000001.png")), r"differs in case"),
    ],
)
def test_a_broken_copy_is_one_sentence(root, damage, told):
    folder = find(root)
    name = "ADE_val_00000001"
    damage(folder / "images/validation" / f"{name}.jpg", folder / "annotations/validation" / f"{name}.png")
    with pytest.raises((FileNotFoundError, ValueError), match=told) as caught:
        Ade20k(root, "test").load()
    assert "\n" not in str(caught.value)
    assert len(Ade20k(root, "train").load()) == 38  # the other parts can be read


def test_what_there_is_not_is_refused(root):
    with pytest.raises(ValueError, match="ADE20K has no variant 'full'"):
        parts(root, "full")
    with pytest.raises(ValueError, match="ADE20K has no split 'training'"):
        Ade20k(root, "training")
    with pytest.raises(FileNotFoundError, match=r"no ADE20K in .*images/training/ and annotations/training/"):
        parts(root / "nowhere")
