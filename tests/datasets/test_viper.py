"""VIPER: 15 of 32 ids, the bonnet ignored, clips at equal steps, instances, lists of frames."""

import shutil

import numpy as np
import pytest
import street_trees
import torch
from trees import save, truncate

from labelkit.datasets.viper import CLASSES, PALETTE, ViperFrames, clips, find, parts, read_instances
from labelkit.datasets.viper_classes import VIPER_IDS
from labelkit.metrics.panoptic_pairs import instance_segments

CAR = CLASSES.index("car")


@pytest.fixture
def root(tmp_path):
    street_trees.viper(tmp_path / "spiele é" / "viper")
    return tmp_path / "spiele é"


def expected_mask(number: int) -> np.ndarray:
    owner = street_trees.viper_ids(number)
    known = [CLASSES.index(VIPER_IDS[value]) if value in VIPER_IDS else 255 for value in range(32)]
    mask = np.array(known)[owner]
    mask[6:, 4:12] = 255  # the bonnet
    return mask


def test_frames_are_those_with_a_label(root):
    files = ViperFrames(root)
    assert files.names[:2] == ("001_00010", "001_00020") and len(files) == 26
    sample = files[0]
    assert np.array_equal(sample["mask"].numpy(), expected_mask(10))
    assert (sample["mask"][4, :3] == CAR).all()  # a car that does not touch the bonnet stays
    assert PALETTE.shape == (15, 3) and tuple(PALETTE[CAR]) == (0, 0, 142)


def test_clips_have_equal_steps_and_share_no_frame(root):
    found = parts(root)
    assert set(found) == {"train", "val"} and len(found["train"]) == 4
    assert found["train"].frame_names[0] == tuple(f"001_{number:05d}" for number in range(10, 70, 10))
    names = [name for clip in found["train"].frame_names for name in clip]
    assert len(names) == len(set(names)) and {name[:3] for name in found["val"].frame_names[0]} == {"001"}
    clip = found["train"][1]
    assert clip["frames"].shape == (6, 3, 8, 16) and clip["name"] == "001_00070+6"
    assert torch.equal(clip["masks"], torch.stack([found["train"].files[index]["mask"] for index in range(6, 12)]))


@pytest.mark.parametrize(("every", "step"), [(5, 5), (10, 10), (15, 15)])
def test_the_step_follows_the_labels(tmp_path, every, step):
    street_trees.viper(tmp_path, every=every, instances=False)
    first = parts(tmp_path, frames=3)["train"].frame_names[0]
    assert np.diff([int(name[4:]) for name in first]).tolist() == [step] * 2


def test_a_missing_label_breaks_a_clip(root):
    before = parts(root)["train"].names
    (find(root) / "train/cls/001/001_00030.png").unlink()
    after = parts(root)["train"].frame_names
    assert after[0][0] == "001_00040" and len(after) == len(before) - 1


def test_instances_are_numbered_over_time_and_only_where_a_thing_is(root):
    clip = parts(root, frames=2)["train"][0]
    cars = clip["masks"] == CAR
    assert clip["instances"].dtype == torch.int64 and torch.equal(clip["instances"] > 0, cars)
    assert clip["instances"].unique().tolist() == [0, (CAR << 24) + 258]
    assert read_instances(find(root) / "train/inst/001/001_00010.png").max() == 258
    instance_segments(clip["masks"], clip["instances"], 15)  # refuses a number in two classes
    small = parts(root, height=4, width=8, frames=2)["train"][0]
    assert small["instances"].shape == (2, 4, 8) and torch.equal(small["instances"] > 0, small["masks"] == CAR)


def test_without_instances_the_clips_are_the_same(root):
    with_things = parts(root)["train"]
    clip, fingerprint = with_things[0], with_things.fingerprint
    shutil.rmtree(find(root) / "train" / "inst")
    without = parts(root)["train"]
    assert "instances" not in without[0] and torch.equal(without[0]["masks"], clip["masks"])
    assert without.windows == with_things.windows and without.fingerprint != fingerprint


def test_a_list_leaves_frames_out(root):
    listing = find(root) / "train.txt"
    listing.write_bytes("\ufeff002\r\n001/001_00010.jpg\r\n".encode())
    assert ViperFrames(root).names == ("001_00010", *(f"002_{number:05d}" for number in range(10, 131, 10)))
    for content, told in (
        ("001/001_00015.jpg\n", r"no labelled frame or sequence 001/001_00015\.jpg: .*train\.txt line 1"),
        ("002\n009\n", r"no labelled frame or sequence 009: .*train\.txt line 2"),
        ("002\n002\n", r"train\.txt names 002 in lines 1 and 2"),
    ):
        listing.write_text(content)
        with pytest.raises((FileNotFoundError, ValueError), match=told):
            ViperFrames(root)


def test_fingerprint_follows_files_and_size(root):
    first = ViperFrames(root).fingerprint
    assert first == ViperFrames(root).fingerprint != ViperFrames(root, "train", 4, 8).fingerprint
    save(np.zeros((8, 16), np.uint8), find(root) / "train/cls/001/001_00010.png")
    assert ViperFrames(root).fingerprint != first


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda at: (at / "img/001/001_00010.jpg").unlink(), r"cls/001/001_00010\.png has no partner: .*img/001"),
        (lambda at: truncate(at / "img/001/001_00010.jpg"), r"img/001/001_00010\.jpg cannot be decoded"),
        (lambda at: truncate(at / "cls/001/001_00010.png"), r"cls/001/001_00010\.png cannot be decoded"),
        (lambda at: (at / "inst/001/001_00010.png").unlink(), r"001_00010\.png has no partner: .*train/inst"),
        (lambda at: (at / "inst/001/001_00010.png").write_bytes(b""), r"inst/001/001_00010\.png is not an image"),
        (lambda at: save(np.zeros((4, 16, 3), np.uint8), at / "inst/001/001_00010.png"), r"inst.* are 16x4 pixels"),
        (lambda at: save(np.full((8, 16), 32, np.uint8), at / "cls/001/001_00010.png"), r"holds the label value 32"),
        (lambda at: save(np.zeros((8, 16, 3), np.uint8), at / "cls/001/001_00010.png"), r"holds RGB colours"),
        (lambda at: shutil.rmtree(at / "img/001"), r"img/001 is not a folder"),
        (lambda at: (at / "cls/001/001_00010.png").rename(at / "cls/002/001_00010.png"), r"folder of another sequence"),
        (lambda at: (at / "cls/001/001_00010.png").rename(at / "cls/001/first.png"), r"first does not tell its number"),
        (
            lambda at: save(np.zeros((6, 9, 3), np.uint8), at / "img/001/001_00010.png"),
            r"00010\.jpg and 001_00010\.png",
        ),
        (lambda at: (at / "cls/003").symlink_to("."), r"cls/003 is a symbolic link to a folder that holds it"),
    ],
)
def test_a_broken_copy_is_one_sentence(root, damage, told):
    damage(find(root) / "train")
    with pytest.raises((FileNotFoundError, ValueError), match=told) as caught:
        parts(root)["train"][0]
    assert "\n" not in str(caught.value)


def test_what_there_is_not_is_refused(root):
    with pytest.raises(ValueError, match="VIPER has no variant 'day'"):
        parts(root, "day")
    with pytest.raises(ValueError, match="VIPER has no split 'test'"):
        ViperFrames(root, "test")
    with pytest.raises(ValueError, match=r"the split train of VIPER in .* has no 20 labelled frames at equal steps"):
        clips(ViperFrames(root), 20)
    with pytest.raises(ValueError, match="clips of 0 frames"):
        clips(ViperFrames(root), 0)
    with pytest.raises(FileNotFoundError, match=r"no VIPER in .*train/img/ and train/cls/"):
        parts(root / "viper" / "train")
