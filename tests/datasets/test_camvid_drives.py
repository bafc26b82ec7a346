"""The drives of CamVid: nothing of a drive on two sides of a cut, clips of consecutive frames, both layouts."""

import json
import os
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import trees

from labelkit.datasets.camvid_drives import GUARD, moment, parts

SECONDS = 80  # of each drive in miniature
DENSE = [f"0016E5_{number:05d}" for number in range(7959, 7979, 2)]
STILLS = ("source_train", "source_val", "target_train", "target_val", "target_test")


def names_by_split() -> dict[str, list[str]]:
    dusk = [f"0001TP_{6690 + 30 * i:06d}" for i in range(SECONDS)]
    train = [f"0006R0_f{930 + 30 * i:05d}" for i in range(SECONDS)]
    train += [f"0016E5_{number:05d}" for number in [*range(6990, 7951, 30), *range(7980, 8400, 30)]]
    return {
        "train": dusk[: SECONDS // 2] + train,
        "val": DENSE,
        "test": dusk[SECONDS // 2 :] + [f"Seq05VD_f{30 * i:05d}" for i in range(SECONDS)],
    }


def tree(folder: Path, layout: str, splits: dict[str, list[str]] | None = None) -> Path:
    splits = splits or names_by_split()
    number = 0
    for split, names in splits.items():
        for name in names:
            number += 1
            images, labels = ("images", "labels") if layout == "compact" else (split, f"{split}annot")
            trees.save(np.full((6, 8, 3), number % 256, np.uint8), folder / images / f"{name}.png")
            trees.save(np.full((6, 8), number % 12, np.uint8), folder / labels / f"{name}.png")
    if layout == "compact":
        (folder / "splits.json").write_text(json.dumps(splits))
    return folder


def stills(found, part):
    return found[part].files.names if part == "clip" else found[part].names


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tree(tmp_path_factory.mktemp("camvid"), "compact")


def check_guard(found):
    times = {part: [moment(name) for name in stills(found, part)] for part in (*STILLS, "clip")}
    for one, other in combinations(times, 2):
        for drive in {drive for drive, _ in times[one]} & {drive for drive, _ in times[other]}:
            ours, theirs = ([t for d, t in times[part] if d == drive] for part in (one, other))
            assert min(abs(a - b) for a in ours for b in theirs) >= GUARD == 150, (one, other, drive)


def test_two_parts_of_a_drive_are_five_seconds_apart(folder):
    check_guard(parts(folder, frames=1))


def test_each_drive_is_in_its_parts(folder):
    found = parts(folder, frames=2)
    drives = {part: {moment(name)[0] for name in stills(found, part)} for part in (*STILLS, "clip")}
    assert all(drives[part] == {"0001TP"} for part in STILLS if part.startswith("target"))
    assert drives["source_train"] == drives["source_val"] == {"0006R0", "0016E5", "Seq05VD"}
    assert list(stills(found, "clip")) == DENSE
    # Of 80 frames: 30 train; of the next 10 four are too near to those; of the last 40 four are too near to these.
    assert [len(found[f"target_{part}"]) for part in ("train", "val", "test")] == [30, 6, 36]
    splits = names_by_split()
    assert {*found["target_train"].names, *found["target_val"].names} <= set(splits["train"])
    assert set(found["target_test"].names) <= set(splits["test"])
    assert {found[part].name for part in found} == {"camvid_drives-8x6"}


def test_clips_are_consecutive_frames_of_one_part_of_one_drive(folder):
    found = parts(folder, frames=3)
    for part, step in (
        ("source_train", 30),
        ("target_train", 30),
        ("target_val", 30),
        ("target_test", 30),
        ("clip", 2),
    ):
        clips = found["clip" if part == "clip" else f"{part}_clips"]
        for names in clips.frame_names:
            seen = [moment(name) for name in names]
            assert len({drive for drive, _ in seen}) == 1 and set(names) <= set(stills(found, part))
            assert [after[1] - before[1] for before, after in pairwise(seen)] == [step, step]
        if not part.endswith("train"):
            flat = [name for names in clips.frame_names for name in names]
            assert len(flat) == len(set(flat))
    # 0006R0, 0016E5 before and after the clip, Seq05VD: each frame that has two more after it begins a clip.
    starts = {moment(names[0]) for names in found["source_train_clips"].frame_names}
    assert ("0006R0", 930) in starts and ("0016E5", 7800) not in starts and len(found["target_train_clips"]) == 28


def test_a_clip_holds_the_frames_as_the_stills_do(folder):
    found = parts(folder, height=3, width=4, frames=3)
    clip, still = found["target_train_clips"][1], [found["target_train"][i] for i in (1, 2, 3)]
    assert clip["frames"].shape == (3, 3, 3, 4) and clip["masks"].dtype == torch.int64
    assert torch.equal(clip["frames"], torch.stack([each["image"] for each in still]))
    assert torch.equal(clip["masks"], torch.stack([each["mask"] for each in still]))
    assert clip["name"] == "0001TP_006720+3"
    with pytest.raises(IndexError, match="0 to 27 was expected"):
        found["target_train_clips"][28]


def test_both_layouts_give_the_same(folder, tmp_path):
    original = parts(tree(tmp_path, "original"), frames=3)
    for part, data in parts(folder, frames=3).items():
        assert data.fingerprint == original[part].fingerprint and data.names == original[part].names


def test_fingerprint_follows_the_windows(folder):
    three, four = (parts(folder, frames=frames)["clip"].fingerprint for frames in (3, 4))
    assert three != four


def without(pattern: str) -> dict[str, list[str]]:
    return {split: [n for n in names if not n.startswith(pattern)] for split, names in names_by_split().items()}


def test_what_does_not_tell_its_drive_or_lacks_one_is_refused(tmp_path, folder):
    odd = names_by_split()
    odd["train"][3] = "0001TQ_006780"
    with pytest.raises(ValueError, match="CamVid's frame 0001TQ_006780 does not tell its drive"):
        parts(tree(tmp_path / "odd", "compact", odd))
    with pytest.raises(ValueError, match="has no frame of the drive 0006R0"):
        parts(tree(tmp_path / "three", "compact", without("0006R0")))
    sparse = names_by_split() | {"val": DENSE[::5]}
    with pytest.raises(ValueError, match="drive 0016E5 has no frames 2 apart"):
        parts(tree(tmp_path / "sparse", "compact", sparse))
    with pytest.raises(ValueError, match="no variant 'dusk'"):
        parts(folder, "dusk")
    with pytest.raises(ValueError, match="part target_val of camvid_drives has no 7 frames in a row"):
        parts(folder, frames=7)
    with pytest.raises(ValueError, match="at least one was expected"):
        parts(folder, frames=0)


def test_frames_of_unequal_size_are_named(tmp_path):
    root = tree(tmp_path, "compact")
    for kind, shape in (("images", (5, 8, 3)), ("labels", (5, 8))):
        trees.save(np.zeros(shape, np.uint8), root / kind / "0001TP_006720.png")
    clips = parts(root, frames=3)["target_train_clips"]
    with pytest.raises(ValueError, match=r"0001TP_006720\.png is 8x5 pixels: 8x6 was expected, .* 0001TP_006690"):
        clips[0]


REAL = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "camvid_240x180"


@pytest.mark.skipif(not REAL.is_dir(), reason="LABELKIT_DATA has no camvid_240x180")
def test_the_real_drives():
    found = parts(REAL.parent, height=45, width=60)
    check_guard(found)
    assert {part: len(found[part]) for part in STILLS} == {
        "source_train": 410, "source_val": 46, "target_train": 46, "target_val": 12, "target_test": 58,
    }  # fmt: skip
    assert len(found["clip"].files) == 101 and len(found["clip"]) == 16 and len(found["target_test_clips"]) == 9
    grey = {part: np.mean([found[part][i]["image"].mean() for i in range(12)]) for part in STILLS}
    assert max(grey[p] for p in STILLS if p.startswith("target")) < min(grey[p] for p in STILLS if "source" in p)
