"""Cityscapes-VPS: six labelled frames a video, segments of panoptic PNG, 19 and 15 classes, and VIPER beside it."""

import json
from pathlib import Path

import numpy as np
import pytest
import street_trees
import torch
from trees import save, truncate

from labelkit.datasets import viper_vps
from labelkit.datasets.cityscapes import CLASSES, PALETTE
from labelkit.datasets.cityscapes_vps import LICENCE, dense, find, parts
from labelkit.datasets.cityscapes_vps_files import read_ids
from labelkit.datasets.viper_classes import CLASSES as SHARED
from labelkit.experiments.data import find as find_source
from labelkit.metrics.panoptic_pairs import instance_segments

CAR = CLASSES.index("car")


@pytest.fixture
def root(tmp_path):
    street_trees.vps(tmp_path / "videos é" / "cityscapes_vps")
    return tmp_path / "videos é"


def first_label(root: Path) -> Path:
    return find(root) / "val/panoptic_video/0201_0073_munster_000001_000004_final_mask.png"


def listing(root: Path) -> Path:
    return find(root) / "panoptic_gt_val_city_vps.json"


def test_a_clip_is_the_six_labelled_frames_of_a_video(root):
    found = parts(root)
    assert {part: len(clips) for part, clips in found.items()} == {"train": 10, "val": 2, "test": 2}
    names = found["test"].frame_names[0]
    assert [int(name[-6:]) for name in names] == [4, 9, 14, 19, 24, 29] and {name[:4] for name in names} == {"0201"}
    clip = found["test"][0]
    assert np.array_equal(clip["masks"][0].numpy(), street_trees.vps_labels(1))
    assert np.array_equal((clip["frames"][3] * 255).round().byte().permute(1, 2, 0), street_trees.picture(76))
    videos = {part: {name[:4] for names in clips.frame_names for name in names} for part, clips in found.items()}
    assert not (videos["train"] & videos["val"]) and len(videos["train"] | videos["val"]) == 12


def test_things_are_segments_and_stuff_is_not(root):
    clip = parts(root)["test"][0]
    things = (clip["masks"] >= 11) & (clip["masks"] != 255)
    assert torch.equal(clip["instances"] > 0, things)
    assert len(clip["instances"][clip["masks"] == CAR].unique()) == 2  # two cars, each one number in all frames
    assert all(torch.equal(frame, clip["instances"][0]) for frame in clip["instances"])
    segments, classes = instance_segments(clip["masks"], clip["instances"], 19)
    counted = np.unique(read_ids(first_label(root)))
    assert len(classes) == len(counted) - 1 and 0 in segments


def test_numbers_of_classes_alone_have_no_instances(root):
    clip = parts(root)["train"][0]
    assert "instances" not in clip and clip["masks"].shape == (6, 8, 16)
    both = street_trees.vps(root / "both", panoptic=("train", "val"))
    assert torch.equal(parts(both)["train"][0]["masks"], clip["masks"]) and "instances" in parts(both)["train"][0]


def test_fifteen_classes(root):
    found = parts(root, "15")["test"]
    assert found.classes == SHARED and found.name == "cityscapes_vps-15"
    wide, narrow = parts(root)["test"][0]["masks"], found[0]["masks"]
    renamed = {"rider": "person"}
    for label, name in enumerate(CLASSES):
        ours = renamed.get(name, name)
        expected = SHARED.index(ours) if ours in SHARED else 255
        assert (narrow[wide == label] == expected).all(), name
    assert np.array_equal(found.palette[SHARED.index("car")], PALETTE[CAR])
    assert find_source("cityscapes_vps-15").variant == "15"


def test_shorter_clips_and_sizes(root):
    found = parts(root, "", 4, 8, frames=3)["test"]
    assert len(found) == 4 and found[0]["instances"].shape == found[0]["masks"].shape == (3, 4, 8)
    assert found.name == "cityscapes_vps-8x4" and found.licence == LICENCE
    for frames in (0, 7):
        with pytest.raises(ValueError, match=rf"clips of {frames} frames .* 1 to 6 was expected"):
            parts(root, frames=frames)


def test_all_frames_of_a_video_have_no_label(root):
    found = dense(root, "15", frames=6)
    assert len(found) == 8 and found.classes == SHARED  # frames 4 to 29 of two videos
    assert found.frame_names[0] == tuple(f"munster_000001_{number:06d}" for number in range(4, 10))
    assert (found[0]["masks"] == 255).all() and found[0]["frames"].shape == (6, 3, 8, 16)
    (find(root) / "val/img_all/munster_000001_000011_leftImg8bit.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"munster_000001_000011_leftImg8bit\.png does not exist"):
        dense(root)


def test_the_setting_of_the_video_chapter(root):
    street_trees.viper(root / "viper")
    found = viper_vps.parts(root, height=4, width=8, frames=6)
    assert set(found) >= {"source_train", "source_val", "target_train", "target_test", "clip"}
    assert {clips.classes for clips in found.values()} == {SHARED}
    assert len(found["source_val"]) == 2 and len(found["source_train"]) == 4  # one a sequence; all
    for clips in found.values():
        assert clips[0]["frames"].shape == (6, 3, 4, 8)
    with pytest.raises(ValueError, match="viper_vps has no variant 'day'"):
        viper_vps.parts(root, "day")


def test_fingerprint_follows_the_list_of_segments(root):
    before = parts(root)["test"].fingerprint
    stated = json.loads(listing(root).read_text())
    stated["annotations"][0]["segments_info"][0]["category_id"] = 10
    listing(root).write_text(json.dumps(stated))
    assert parts(root)["test"].fingerprint != before


def edited(change):
    def damage(root: Path) -> None:
        stated = json.loads(listing(root).read_text())
        change(stated)
        listing(root).write_text(json.dumps(stated))

    return damage


def label(change):
    return lambda root: change(first_label(root))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (label(truncate), r"munster_000001_000004_final_mask\.png cannot be decoded"),
        (label(lambda path: path.write_bytes(b"")), r"000004_final_mask\.png is not an image"),
        (
            label(lambda path: path.unlink()),
            r"000004_newImg8bit\.png has no partner: .*final_mask\.png .*panoptic_video",
        ),
        (label(lambda path: save(street_trees.picture(3), path)), r"final_mask\.png holds the segment \d+, which"),
        (
            label(lambda path: save(np.zeros((8, 16, 3), np.uint8), path)),
            r"final_mask\.png has no pixel of the segment",
        ),
        (label(lambda path: save(street_trees.vps_labels(1), path)), r"final_mask\.png holds the segment \d+, which"),
        (label(lambda path: path.rename(path.with_name("x_final_mask.png"))), r"has no partner"),
        (edited(lambda stated: stated.pop("annotations")), r"city_vps\.json is no list of segments"),
        (
            edited(lambda stated: stated["annotations"][0].pop("segments_info")),
            r"city_vps\.json is no list of segments",
        ),
        (
            edited(lambda stated: stated["annotations"][0]["segments_info"][0].update(category_id=19)),
            r"city_vps\.json gives 0201_0073_.* the category 19: 0 to 18",
        ),
        (
            edited(lambda stated: stated["annotations"][0]["segments_info"][0].pop("id")),
            r"city_vps\.json is no list of segments",
        ),
        (
            edited(lambda stated: stated["annotations"][0]["segments_info"].append({"id": 70_000, "category_id": 1})),
            r"(gives 0201_.* a segment twice|has no pixel of the segment 70000)",
        ),
        (edited(lambda stated: stated["annotations"].pop()), r"city_vps\.json does not name 0202_.*_final_mask\.png"),
        (
            edited(lambda stated: stated["annotations"].append(stated["annotations"][0])),
            r"city_vps\.json names 0201_0073_.* twice",
        ),
        (
            edited(
                lambda stated: stated["annotations"].append({"file_name": "0203_x_final_mask.png", "segments_info": []})
            ),
            r"panoptic_video has no file of the frame 0203_x: .*json names it",
        ),
        (lambda root: listing(root).write_text("{"), r"city_vps\.json is not valid JSON"),
        (
            lambda root: [path.unlink() for path in find(root).glob("*/*/*_0073_*")],
            r"does not name|names it|has 5 frames",
        ),
    ],
)
def test_a_broken_copy_is_one_sentence(root, damage, told):
    damage(root)
    with pytest.raises((FileNotFoundError, ValueError), match=told) as caught:
        parts(root)["test"].files.load()
    assert "\n" not in str(caught.value)


def test_a_video_with_a_gap_is_refused(root):
    for folder, ending in (("img", "newImg8bit"), ("labelmap", "final_mask")):
        at = find(root) / "train" / folder / f"0002_0007_lindau_000002_000004_{ending}.png"
        at.rename(at.with_name(at.name.replace("000004", "000003")))
    with pytest.raises(ValueError, match=r"0002_0008_.*newImg8bit\.png does not follow .*000003: 5 frames later"):
        parts(root)
    for folder, ending in (("img", "newImg8bit"), ("labelmap", "final_mask")):
        (find(root) / "train" / folder / f"0002_0007_lindau_000002_000003_{ending}.png").unlink()
    with pytest.raises(ValueError, match=r"video 0002 in .* has 5 frames: 6 were expected"):
        parts(root)


def test_what_there_is_not_is_refused(root):
    with pytest.raises(ValueError, match="Cityscapes-VPS has no variant '20'"):
        parts(root, "20")
    with pytest.raises(FileNotFoundError, match=r"no Cityscapes-VPS in .*train/img/, val/img/"):
        parts(root / "nowhere")
