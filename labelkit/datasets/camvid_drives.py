"""CamVid as a small shift between real domains: three daylight drives as source, the dusk drive as target.

The names of the frames tell drive and moment, in both layouts that `camvid` reads: ``0016E5_07959`` is frame 7959 at
30 Hz. All drives are labelled once a second; 101 frames of 0016E5, SegNet's validation part, are labelled at 15 Hz.
0001TP is the dusk drive. SegNet's parts cut across drives, so the parts here are others.

Which frame is in which part:

- target (0001TP): in order of time the first 3/8 train, the next 1/8 validate, the last half tests. That half is in
  SegNet's test part, the rest in its training part.
- source (0006R0, 0016E5 at one frame a second, Seq05VD): of each drive the first 7/8 train, the last 1/8 validates.
- clip: the dense frames of 0016E5, a daylight drive: for temporal consistency, in no other part.
- Two parts of a drive are at least five seconds apart. The frames in between are dropped, from the later part; next to
  the clip from the source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from labelkit.datasets.camvid import CLASSES, LICENCE, PALETTE, SPLITS, UNLABELLED, CamVid, find
from labelkit.datasets.clip_files import ClipFiles, windows_of
from labelkit.datasets.images import image_size, label_table
from labelkit.datasets.pairs import Pair, PairedFiles

SOURCES, TARGET = ("0006R0", "0016E5", "Seq05VD"), "0001TP"
DENSE = "0016E5"  # the drive that holds the clip
GUARD = 150  # frames of the video at 30 Hz: five seconds between two parts of a drive
SECOND = (29, 31)  # steps that count as one second; the owner's numbers wander by one
CLIP_STEP = 2  # 15 Hz
NAME = re.compile(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)")

Moment = tuple[int, Pair]  # frame number within its drive, and the files


def parts(
    root: str | Path,
    variant: str = "",
    *,
    height: int | None = None,
    width: int | None = None,
    frames: int = 6,
    cache: bool = True,
) -> dict[str, Any]:
    """The parts of a run file's ``camvid_drives``.

    Args:
        root: CamVid's folder, or one that holds it; see `camvid.find`.
        variant: must be empty.
        height, width: delivered size in pixels; None delivers the size of the files.
        frames: frames in a clip.
        cache: keep decoded frames in memory.

    Returns:
        Single frames, as `CamVid` delivers them: ``source_train``, ``source_val``, ``target_train``, ``target_val``,
        ``target_test``. Clips, as `ClipFiles` delivers them, one second from frame to frame:
        ``source_train_clips`` and ``target_train_clips`` (each frame may begin one), ``target_val_clips`` and
        ``target_test_clips`` (no frame is in two). ``clip``: clips at 15 Hz, no frame in two. The target's
        masks are there to measure with: methods learn from its frames alone, and choose nothing by its masks.

    Raises:
        FileNotFoundError: CamVid is not there.
        ValueError: a variant is asked for, a name does not tell its drive, a drive is missing, or a part has too few
            frames for a clip.
    """
    if variant:
        raise ValueError(f"camvid_drives has no variant {variant!r}: the name camvid_drives was expected")
    if frames < 1:
        raise ValueError(f"clips of {frames} frames were asked for: at least one was expected")
    drives = _drives(root)
    dense, sparse = _dense_clip(drives[DENSE])
    drives[DENSE] = _away_from(sparse, dense)
    moments: dict[str, list[list[Moment]]] = {"clip": [dense], "source_train": [], "source_val": []}
    for drive in SOURCES:
        train, val = _cut(drives[drive], (0, 7 / 8, 1))
        moments["source_train"].append(train)
        moments["source_val"].append(val)
    for part, piece in zip(("target_train", "target_val", "target_test"), _cut(drives[TARGET], (0, 3 / 8, 1 / 2, 1))):
        moments[part] = [piece]

    first = drives[TARGET][0][1].image
    rows, columns = (height, width) if height and width else image_size(first)

    def files(part: str) -> PairedFiles:
        pairs = [pair for piece in moments[part] for _, pair in piece]
        if not pairs:
            raise ValueError(f"the part {part} of camvid_drives is empty: frames of its drives were expected")
        return PairedFiles(
            name=f"camvid_drives-{columns}x{rows}", pairs=pairs, classes=CLASSES, palette=PALETTE, licence=LICENCE,
            table=label_table(range(len(CLASSES)), (UNLABELLED, 255)), height=height, width=width, cache=cache,
        )  # fmt: skip

    found: dict[str, Any] = {part: files(part) for part in moments}
    for part in ("source_train", "target_train", "target_val", "target_test", "clip"):
        steps, stride = SECOND if part != "clip" else (CLIP_STEP, CLIP_STEP), 1 if part.endswith("train") else frames
        windows = [w for run in _runs(moments[part], steps) for w in windows_of(run, frames, stride)]
        if not windows:
            raise ValueError(f"the part {part} of camvid_drives has no {frames} frames in a row: fewer were expected")
        name = part if part == "clip" else f"{part}_clips"
        found[name] = ClipFiles(f"camvid_drives-{columns}x{rows}", found[part], windows)
    return found


def moment(name: str) -> tuple[str, int]:
    """Drive and frame number of a CamVid name, such as ("0016E5", 7959).

    Raises:
        ValueError: the name does not tell them.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise ValueError(f"CamVid's frame {name} does not tell its drive: a name such as 0016E5_07959 was expected")
    return match[1], int(match[2])


def _drives(root: str | Path) -> dict[str, list[Moment]]:
    """The frames of each drive in order of time, all of SegNet's parts together."""
    drives: dict[str, list[Moment]] = {drive: [] for drive in (*SOURCES, TARGET)}
    for split in SPLITS:
        for pair in CamVid(root, split, cache=False).pairs:
            drive, number = moment(pair.name)
            drives[drive].append((number, pair))
    for drive, frames in drives.items():
        if not frames:
            raise ValueError(f"CamVid in {find(root)[0]} has no frame of the drive {drive}: all four were expected")
        frames.sort(key=lambda each: each[0])
    return drives


def _dense_clip(frames: list[Moment]) -> tuple[list[Moment], list[Moment]]:
    """The longest run of frames at 15 Hz, and all the others."""
    numbers = [number for number, _ in frames]
    runs, start = [], 0
    for i in range(1, len(numbers) + 1):
        if i == len(numbers) or numbers[i] - numbers[i - 1] != CLIP_STEP:
            runs.append((i - start, start))
            start = i
    length, start = max(runs)
    if length < 2:
        raise ValueError(f"CamVid's drive {DENSE} has no frames {CLIP_STEP} apart: its clip at 15 Hz was expected")
    return frames[start : start + length], frames[:start] + frames[start + length :]


def _away_from(frames: list[Moment], dense: list[Moment]) -> list[Moment]:
    low, high = dense[0][0] - GUARD, dense[-1][0] + GUARD
    return [each for each in frames if not low < each[0] < high]


def _cut(frames: list[Moment], shares: Sequence[float]) -> list[list[Moment]]:
    """Cut a drive at shares of its frames; a later part begins at least `GUARD` after the one before ends."""
    marks = [round(share * len(frames)) for share in shares]
    pieces: list[list[Moment]] = []
    last = -GUARD
    for begin, end in pairwise(marks):
        piece = [each for each in frames[begin:end] if each[0] - last >= GUARD]
        pieces.append(piece)
        last = piece[-1][0] if piece else last
    return pieces


def _runs(pieces: list[list[Moment]], steps: tuple[int, int]) -> list[list[int]]:
    """Indices, counted over all pieces, of frames that follow each other at the wanted step."""
    runs: list[list[int]] = []
    index = 0
    for piece in pieces:
        before = None
        for number, _ in piece:
            if before is None or not steps[0] <= number - before <= steps[1]:
                runs.append([])
            runs[-1].append(index)
            before, index = number, index + 1
    return runs
