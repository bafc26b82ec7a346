"""PASCAL VOC 2012 with SBD in the owners' layout: which image has which mask, tags, broken files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import voc_trees as trees
from PIL import Image
from trees import save, truncate

from labelkit.datasets import voc2012_files as files
from labelkit.datasets.checking_voc import check_voc2012
from labelkit.datasets.checking_voc import recognised as recognised_voc
from labelkit.datasets.voc2012 import CLASSES, Voc2012, parts
from labelkit.datasets.voc_colours import check_palette, voc_colours


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.voc2012(tmp_path / "voc2012")


@pytest.fixture
def small_counts(monkeypatch) -> None:
    monkeypatch.setattr(files, "LISTS", {"train": 3, "val": 2})
    monkeypatch.setattr(files, "SBD_LISTS", {"train": 4, "val": 2})
    monkeypatch.setattr(files, "TRAINAUG", 6)
    lists = {**trees.VOC_NAMES, "trainaug": trees.TRAINAUG}
    monkeypatch.setattr(files, "DIGESTS", {key: files.names_digest(names) for key, names in lists.items()})


def voc(root: Path) -> Path:
    return root / "VOCdevkit" / "VOC2012"


def sbd(root: Path) -> Path:
    return root / "benchmark_RELEASE" / "dataset"


def test_trainaug_joins_both_and_leaves_vocs_val_out(root):
    whole = parts(root.parent, "official")
    assert whole["train"].names == tuple(trees.TRAINAUG)
    assert whole["test"].names == tuple(sorted(trees.VOC_NAMES["val"])) == whole["val"].names
    held = parts(root, "")
    assert sorted((*held["train"].names, *held["val"].names)) == trees.TRAINAUG and len(held["val"]) == 1
    assert held["test"].fingerprint == whole["test"].fingerprint
    assert len({part.fingerprint for part in (*held.values(), *whole.values())}) == 4


def test_vocs_own_mask_is_taken_where_both_exist(root):
    data = Voc2012(root, "train", "official")
    for index, name in enumerate(data.names):
        owner = "voc" if name in trees.VOC_NAMES["train"] else "sbd"
        assert np.array_equal(data.mask(index), trees.mask(name, owner)), name
        assert ((data.mask(index) == 255).any()) == (owner == "voc")


def test_masks_are_those_that_torchvision_reads(root):
    from torchvision.datasets import SBDataset, VOCSegmentation

    data = Voc2012(root, "test", "official")
    for index, (image, mask) in enumerate(VOCSegmentation(str(root), "2012", "val")):
        assert np.array_equal(data.mask(index), np.array(mask))
        assert torch.equal(data.arrays(index)[0], torch.from_numpy(np.array(image)).permute(2, 0, 1))
    shutil.copytree(voc(root) / "JPEGImages", sbd(root) / "img")
    data = Voc2012(root, "train", "official")
    found = SBDataset(str(sbd(root)), "train", "segmentation")
    for index, name in enumerate(trees.SBD_NAMES["train"][:2]):
        assert np.array_equal(data.mask(data.names.index(name)), np.array(found[index][1]))


def test_tags_are_the_owners_objects(root):
    data = Voc2012(root, "train", "official")
    index = data.names.index("2008_000002")
    label = int(trees.mask("2008_000002", "sbd").max())
    assert (data[index]["tags"].nonzero()[:, 0] + 1).tolist() == sorted({label, CLASSES.index("person")})
    before = data.fingerprint
    trees.save_xml(voc(root) / "Annotations" / "2008_000002.xml", ["cow"])
    other = Voc2012(root, "train", "official")
    assert (other.tags(index).nonzero()[:, 0] + 1).tolist() == [CLASSES.index("cow")] and other.fingerprint != before


def test_vocs_own_images_need_no_sbd(tmp_path):
    root = trees.voc2012(tmp_path, sbd=False)
    assert Voc2012(root, "train", "train-official").names == tuple(trees.VOC_NAMES["train"])
    with pytest.raises(
        FileNotFoundError, match=r"no SBD beside .*benchmark_RELEASE/dataset.*voc2012-train does without"
    ):
        Voc2012(root)
    report = check_voc2012(root)
    assert any(
        what == "SBD" and "labelkit data fetch voc2012" in found and not good for what, found, good in report.rows
    )


def test_the_fingerprint_follows_the_owners_files_and_not_our_png(root):
    before = Voc2012(root, "train", "official").fingerprint
    shutil.rmtree(sbd(root) / "labelkit-masks")
    assert Voc2012(root, "train", "official").fingerprint == before
    assert Voc2012(root, "train", "official", 7, 9).fingerprint != before
    changed = {"GTcls": {"Segmentation": np.zeros((trees.HEIGHT, trees.WIDTH), np.uint8)}}
    trees.save_mat(sbd(root) / "cls" / "2008_000003.mat", changed)
    data = Voc2012(root, "train", "official")
    assert data.fingerprint != before and not data.mask(3).any()


def test_colours_are_the_owners():
    from labelkit.datasets.coco128 import PALETTE

    assert np.array_equal(voc_colours()[:21], PALETTE) and voc_colours()[255].tolist() == [224, 224, 192]
    assert len(np.unique(voc_colours(), axis=0)) == 256


def test_masks_saved_as_colours_or_grey_read_the_same(root):
    path = voc(root) / "SegmentationClass" / "2007_000033.png"
    wanted = Voc2012(root, "test").mask(0)
    save(voc_colours()[wanted], path)
    assert np.array_equal(Voc2012(root, "test").mask(0), wanted)
    save(wanted, path)
    assert np.array_equal(Voc2012(root, "test").mask(0), wanted)


def broken_palette(path: Path) -> None:
    """What an editor does that sorts the colours anew: looks right, has other indices."""
    used = np.unique(indices := np.array(Image.open(path)))
    trees.save_palette(np.searchsorted(used, indices).astype(np.uint8), path, voc_colours()[used])


def luminance(path: Path) -> None:
    save(np.array(Image.open(path).convert("RGB").convert("L")), path)


def unknown_colour(path: Path) -> None:
    colours = voc_colours()[np.array(Image.open(path))]
    colours[5, 6] = 1, 2, 3
    save(colours, path)


def one_bit(path: Path) -> None:
    Image.fromarray(np.array(Image.open(path)) > 0).save(path)


MASK_FAULTS = {
    truncate: "cannot be decoded",
    lambda path: path.write_bytes(b""): "is not an image",
    broken_palette: "in the colour .* as in VOC's palette",
    luminance: "holds the label value",
    unknown_colour: r"holds the colour \(1, 2, 3\) at row 5, column 6",
    one_bit: "grey PNG with 1 bits",
    lambda path: save(np.full((14, 18), 21, np.uint8), path): "holds the label value 21",
    lambda path: save(np.full((14, 18), 300, np.uint16), path): "holds the label value 300",
    lambda path: trees.save_palette(np.zeros((14, 17), np.uint8), path): "is 17x14 pixels: 18x14",
}


@pytest.mark.parametrize(("spoil", "words"), MASK_FAULTS.items())
def test_a_broken_mask_is_named(root, spoil, words):
    path = voc(root) / "SegmentationClass" / "2007_000042.png"
    spoil(path)
    data = Voc2012(root, "test")
    data.arrays(0)
    with pytest.raises(ValueError, match=f"mask .*2007_000042.png .*({words})") as caught:
        data.arrays(1)
    assert "\n" not in str(caught.value)
    assert any("2007_000042.png" in found and not good for _, found, good in check_voc2012(root).rows)


def old_mat(path: Path) -> None:
    trees.save_mat(path, {"GTcls": np.zeros((14, 18))}, "4")


def hdf_mat(path: Path) -> None:
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")


def holding(labels: object, variable: str = "GTcls", field: str = "Segmentation"):
    return lambda path: trees.save_mat(path, {variable: {field: labels}})


MAT_FAULTS = {
    truncate: "cannot be read",
    lambda path: path.write_bytes(b""): "is empty",
    lambda path: path.write_bytes(b"no MATLAB file at all" * 20): "cannot be read|version",
    old_mat: "version 4: version 5 to 7",
    hdf_mat: r"version 7.3 \(HDF5\): version 5 to 7",
    holding(np.zeros((14, 18)), variable="GTinst"): "has no GTcls.Segmentation: a map",
    holding(np.zeros((14, 18)), field="Boundaries"): "has no GTcls.Segmentation: a map",
    holding(np.full((14, 18), 21)): "holds the label value 21",
    holding(np.full((14, 18), 0.5)): "other than whole numbers",
    holding(np.zeros((14, 18, 3))): r"has shape \(14, 18, 3\)",
    holding("text"): "has shape",
}


@pytest.mark.parametrize(("spoil", "words"), MAT_FAULTS.items())
def test_a_broken_mat_file_is_named_and_the_others_are_drawn(root, spoil, words):
    path = sbd(root) / "cls" / "2008_000003.mat"
    good = path.read_bytes()
    spoil(path)
    with pytest.raises(ValueError, match=words) as caught:
        Voc2012(root, "train", "official")
    assert "2008_000003.mat" in str(caught.value) and "\n" not in str(caught.value)
    assert {drawn.stem for drawn in (sbd(root) / "labelkit-masks").glob("*.png")} == {"2008_000002", "2008_000007"}
    assert any("2008_000003.mat" in found and not fine for _, found, fine in check_voc2012(root).rows)
    path.write_bytes(good)
    data = Voc2012(root, "train", "official")
    assert np.array_equal(data.mask(3), trees.mask("2008_000003", "sbd"))


def test_a_mask_of_sbd_of_another_size_is_named(root):
    trees.save_mat(sbd(root) / "cls" / "2008_000003.mat", {"GTcls": {"Segmentation": np.zeros((14, 17), np.uint8)}})
    with pytest.raises(ValueError, match=r"2008_000003.png is 17x14 pixels: 18x14 was expected"):
        Voc2012(root, "train", "official").load()
    assert any("2008_000003.mat is 17x14" in found for _, found, good in check_voc2012(root).rows if not good)


def test_broken_lists_and_missing_files_are_named(root):
    listing = voc(root) / "ImageSets" / "Segmentation" / "train.txt"
    names = trees.VOC_NAMES["train"]
    listing.write_bytes(b"\xef\xbb\xbf" + "".join(f" {name} \r\n" for name in names).encode() + b"\r\n")
    assert Voc2012(root, "train", "train-official").names == tuple(names)
    cases = {
        "\n".join([*names, names[0]]): "train.txt names 2007_000032 in lines 1 and 4",
        "": "train.txt is empty",
        "\n".join([*names, trees.VOC_NAMES["val"][0]]): "has image 2007_000033 in train.txt and in val.txt",
        "2007_000099\n": "SegmentationClass has no file 2007_000099.png: ImageSets/Segmentation names it",
    }
    for text, words in cases.items():
        listing.write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            Voc2012(root, "train", "train-official")
    listing.write_text("\n".join(names))
    (voc(root) / "JPEGImages" / "2007_000039.jpg").rename(voc(root) / "JPEGImages" / "2007_000039b.jpg")
    with pytest.raises(FileNotFoundError, match=r"JPEGImages has no file 2007_000039\.jpg"):
        Voc2012(root, "train", "train-official")
    (sbd(root) / "cls" / "2008_000007.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"2008_000007\.mat does not exist: a list of SBD names 2008_000007"):
        Voc2012(root, "train", "official")


def test_capitals_in_the_suffix_do_no_harm(root):
    path = voc(root) / "JPEGImages" / "2007_000042.jpg"
    path.rename(path.with_suffix(".JPG"))
    assert Voc2012(root, "test").load().names[1] == "2007_000042"


@pytest.mark.parametrize(
    ("text", "words"),
    [("<annotation><object>", "is not XML"), ("<annotation><object/></annotation>", "lists an object ''"),
     ("<annotation><object><name>kangaroo</name></object></annotation>", "lists an object 'kangaroo'")],
)  # fmt: skip
def test_a_broken_annotation_is_named(root, text, words):
    (voc(root) / "Annotations" / "2007_000042.xml").write_text(text)
    with pytest.raises(ValueError, match=f"2007_000042.xml {words}"):
        Voc2012(root, "test")[1]
    assert any("2007_000042.xml" in found and not good for _, found, good in check_voc2012(root).rows)


PICTURE_FAULTS = {
    truncate: "2007_000042.jpg cannot be decoded",
    lambda path: path.write_bytes(b""): "2007_000042.jpg is not an image",
    lambda path: trees.save_jpeg("x", path, 14, 17): "2007_000042.png is 18x14 pixels: 17x14 was expected",
}


@pytest.mark.parametrize(("spoil", "words"), PICTURE_FAULTS.items())
def test_a_broken_picture_is_named(root, spoil, words):
    spoil(voc(root) / "JPEGImages" / "2007_000042.jpg")
    with pytest.raises(ValueError, match=words):
        Voc2012(root, "test").load()
    report = check_voc2012(root)
    assert any("2007_000042" in found for what, found, good in report.rows if what == "VOC val" and not good)


def test_a_link_in_a_circle_is_named(root):
    (voc(root) / "JPEGImages" / "loop.jpg").symlink_to(voc(root) / "JPEGImages" / "loop.jpg")
    with pytest.raises(ValueError, match=r"loop.jpg is a symbolic link that leads nowhere or in a circle"):
        Voc2012(root, "test")


def test_run_files_find_the_parts(root):
    from labelkit.experiments.data import three_parts

    found = three_parts("voc2012-official", 7, 9, 0, 0, root.parent)
    assert found.summary() | {"fingerprint": ""} == {
        "name": "voc2012-official-9x7", "fingerprint": "", "train": 6, "val": 2, "test": 2,
    }  # fmt: skip
    assert len(three_parts("voc2012", None, None, 0, 0, root.parent).train) == 5


def test_unknown_names_are_refused(root):
    with pytest.raises(ValueError, match="no split 'trainaug'"):
        Voc2012(root, "trainaug")
    for variant in ("aug", "train-train", "official-"):
        with pytest.raises(ValueError, match=f"voc2012 has no variant '{variant}'"):
            parts(root, variant)
    with pytest.raises(FileNotFoundError, match=r"no PASCAL VOC 2012 in .*JPEGImages/, SegmentationClass/"):
        parts(root / "benchmark_RELEASE", "")


def test_paths_with_spaces_and_other_scripts(tmp_path):
    root = trees.voc2012(tmp_path / "Daten für alle" / "写真 1")
    data = Voc2012(root, "train", "official", 7, 9)
    assert data.name == "voc2012-official-9x7" and data.load()[5]["image"].shape == (3, 7, 9)


def test_the_check_of_a_whole_copy_is_ok_and_writes_nothing(root, small_counts):
    before = sorted(root.rglob("*"))
    report = check_voc2012(root)
    assert report.ok, report.lines
    assert sorted(root.rglob("*")) == before and "0 of 3" in "\n".join(report.lines)
    Voc2012(root, "train", "official")
    assert "3 of 3" in "\n".join(check_voc2012(root).lines)
    assert recognised_voc(root) is recognised_voc(voc(root)) is check_voc2012 and recognised_voc(sbd(root)) is None
    for path in (sbd(root) / "labelkit-masks").glob("2008_000002.png"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert any("2008_000002.png differs from what was drawn" in found for _, found, _ in check_voc2012(root).rows)


def test_the_check_counts_and_compares_the_names(root, small_counts, monkeypatch):
    monkeypatch.setattr(files, "TRAINAUG", 10_582)
    wrong = [f"{what}: {found}" for what, found, good in check_voc2012(root).rows if not good]
    assert wrong == ["trainaug: 6 names, 10582 were expected"]
    monkeypatch.setattr(files, "TRAINAUG", 6)
    monkeypatch.setattr(files, "DIGESTS", dict.fromkeys(files.DIGESTS, "0"))
    assert sum("but not those that the owners" in found for _, found, _ in check_voc2012(root).rows) == 3
    trees.save_palette(trees.mask("x"), voc(root) / "SegmentationClass" / "2009_000001.png")
    assert any("2009_000001.png is in no list" in found for _, found, _ in check_voc2012(root).rows)


def test_a_plain_grey_ramp_as_palette_is_accepted(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    trees.save_palette(trees.mask("a"), tmp_path / "a.png", ramp)
    check_palette(tmp_path / "a.png")
