"""DAVIS 2016 in its layouts: whole videos and clips, and what is wrong with a copy."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from trees import save, truncate

from labelkit.datasets.checking_video import check_davis2016
from labelkit.datasets.checking_video import recognised as recognised_video
from labelkit.datasets.davis2016 import Davis2016, parts
from labelkit.datasets.davis2016_files import VALIDATION, find

VIDEOS = {"bear": 5, "blackswan": 4, "bus": 6, "camel": 5}  # bear and bus train


def tree(folder: Path, layout: str) -> Path:
    owner = layout != "compact"
    images, labels = ("JPEGImages/480p", "Annotations/480p") if owner else ("images", "labels")
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for number, (video, frames) in enumerate(VIDEOS.items()):
        if not owner and video not in VALIDATION:
            continue
        for t in range(frames):
            mask = np.zeros((6, 8), np.uint8)
            mask[t % 6, number] = 255 if owner else 1
            save(np.full((6, 8, 3), 10 * number + t, np.uint8), folder / images / video / f"{t:05d}.jpg")
            save(mask, folder / labels / video / f"{t:05d}.png")
            line = f"/{images}/{video}/{t:05d}.jpg /{labels}/{video}/{t:05d}.png"
            lists["val" if video in VALIDATION else "train"].append(line)
    if layout == "lists":
        for split, lines in lists.items():
            path = folder / "ImageSets" / "480p" / f"{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
    if not owner:
        videos = {v: {"frames": [f"{t:05d}" for t in range(n)]} for v, n in VIDEOS.items() if v in VALIDATION}
        (folder / "sequences.json").write_text(json.dumps(videos))
        classes = [{"id": 0, "name": "background"}, {"id": 1, "name": "foreground object(s)"}]
        (folder / "classes.json").write_text(json.dumps({"classes": classes}))
    return folder


@pytest.mark.parametrize("layout", ["lists", "folders", "compact"])
def test_a_sample_is_a_video(tmp_path, layout):
    found = parts(tree(tmp_path, layout))
    assert set(found) == ({"val"} if layout == "compact" else {"train", "val"})
    val = found["val"]
    assert (val.sequences, val.names) == (("blackswan", "camel"), ("blackswan/00000+4", "camel/00000+5"))
    assert (val.name, val.classes, val.layout) == (
        "davis2016-8x6", ("background", "object"), "compact" if layout == "compact" else "official",
    )  # fmt: skip
    sample = val[1]
    assert set(sample) == {"frames", "masks", "name"} and sample["frames"].shape == (5, 3, 6, 8)
    assert sample["masks"].dtype == torch.int64 and sample["masks"].sum((1, 2)).tolist() == [1] * 5
    assert sample["masks"][2, 2, 3] == 1
    grey = (255 * sample["frames"]).mean((1, 2, 3))
    assert torch.allclose(grey, torch.arange(30.0, 35.0), atol=1)
    if layout != "compact":
        assert found["train"].sequences == ("bear", "bus")


def test_videos_can_be_cut_into_clips_and_made_small(tmp_path):
    val = Davis2016(tree(tmp_path, "lists"), "val", height=3, width=4, frames=2)
    assert val.names == ("blackswan/00000+2", "blackswan/00002+2", "camel/00000+2", "camel/00002+2")
    assert val[3]["frames"].shape == (2, 3, 3, 4)
    whole = Davis2016(tmp_path, "val", height=3, width=4)
    assert torch.equal(whole[1]["frames"][2:4], val[3]["frames"]) and whole.fingerprint != val.fingerprint
    with pytest.raises(ValueError, match=r"video blackswan .* has 4 frames: 5 were expected"):
        Davis2016(tmp_path, "val", frames=5)


@pytest.mark.parametrize("layout", ["lists", "folders", "compact"])
def test_a_missing_frame_or_mask_is_named(tmp_path, layout):
    images, labels = ("images", "labels") if layout == "compact" else ("JPEGImages/480p", "Annotations/480p")
    first, second = tree(tmp_path / "1", layout), tree(tmp_path / "2", layout)
    for root in (first, second):
        (root / labels / "camel" / "00002.png").unlink()
    (second / images / "camel" / "00002.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="00002"):
        Davis2016(first, "val")
    with pytest.raises(FileNotFoundError, match="00002"):
        Davis2016(second, "val")
    assert not check_davis2016(first).ok


def test_frames_of_unequal_size_are_named(tmp_path):
    root = tree(tmp_path, "lists")
    save(np.zeros((6, 7, 3), np.uint8), root / "JPEGImages/480p/camel/00003.jpg")
    with pytest.raises(ValueError, match=r"00003\.png is 8x6 pixels: 7x6 was expected"):
        Davis2016(root, "val")[1]
    save(np.zeros((6, 7), np.uint8), root / "Annotations/480p/camel/00003.png")
    with pytest.raises(ValueError, match=r"camel/00003\.jpg is 7x6 pixels: 8x6 was expected, the size of camel/00000"):
        Davis2016(root, "val")[1]
    report = check_davis2016(root)
    assert any("video camel has frames of 7x6, 8x6: one size was expected" in line for line in report.lines)


def test_what_is_not_there_or_not_a_mask_is_refused(tmp_path):
    root = tree(tmp_path / "lists", "lists")
    with pytest.raises(ValueError, match="has no split 'test': train or val was expected"):
        Davis2016(root, "test")
    with pytest.raises(ValueError, match="has no split 'train': val was expected"):
        Davis2016(tree(tmp_path / "compact", "compact"), "train")
    with pytest.raises(ValueError, match="no variant 'small'"):
        parts(root, "small")
    with pytest.raises(FileNotFoundError, match=r"no DAVIS 2016 in .*JPEGImages/480p/ and Annotations/480p/"):
        find(tmp_path)
    save(np.full((6, 8), 3, np.uint8), root / "Annotations/480p/camel/00003.png")
    with pytest.raises(ValueError, match=r"00003\.png holds the label value 3"):
        Davis2016(root, "val")[1]
    listing = root / "ImageSets/480p/val.txt"
    listing.write_text("/JPEGImages/480p/camel/00000.jpg\n")
    with pytest.raises(ValueError, match=r"val\.txt line 1 holds 1 paths: an image and its label"):
        Davis2016(root, "val")
    listing.write_text("\n")
    with pytest.raises(ValueError, match="is empty: a name a line"):
        Davis2016(root, "val")
    compact = tmp_path / "compact"
    for text in ("[1]", "{}", '{"camel": {}}', '{"camel": {"frames": []}}'):
        (compact / "sequences.json").write_text(text)
        with pytest.raises(ValueError, match=r"sequences\.json"):
            Davis2016(compact, "val")


def test_a_check_counts_and_finds_a_broken_file(tmp_path):
    root = tree(tmp_path, "folders")
    assert recognised_video(root) is check_davis2016 and recognised_video(tmp_path / "JPEGImages") is None
    report = check_davis2016(root)
    assert [line for line in report.lines if "2 videos, 20 were expected, 9 frames" in line] and not report.ok
    truncate(root / "JPEGImages/480p/camel/00001.jpg")
    assert any("camel/00001.jpg cannot be decoded" in line for line in check_davis2016(root).lines)


REAL = Path(os.environ.get("LABELKIT_DATA", "/nowhere")) / "davis2016_val_214x120"


@pytest.mark.skipif(not REAL.is_dir(), reason="LABELKIT_DATA has no davis2016_val_214x120")
def test_flow_carries_the_real_masks():
    """On the real videos the flow moves an object's mask onto that of the next frame better than standing still."""
    pytest.importorskip("cv2")
    from labelkit.models.optical_flow import flow_estimator
    from labelkit.models.warping import backward_warp

    val = parts(REAL.parent)["val"]
    assert val.sequences == VALIDATION and len(val.files) == 800
    estimate, moved, still = flow_estimator("dis"), [], []
    for index in (1, 4, 11):  # bmx-trees, car-roundabout, goat
        clip = val[index]
        frames, masks = clip["frames"][:9], clip["masks"][:9].bool()
        flow = estimate(frames[1:], frames[:-1])
        carried, inside = backward_warp(masks[:-1, None], flow, "nearest")
        for list_, guess in ((moved, carried[:, 0]), (still, masks[:-1])):
            guess, truth = guess & inside, masks[1:] & inside
            list_.append(((guess & truth).sum() / (guess | truth).sum()).item())
    assert np.mean(moved) > np.mean(still) + 0.03
