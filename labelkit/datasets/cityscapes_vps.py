"""Cityscapes-VPS [kim2020video]: Cityscapes' validation videos, six labelled frames each, things numbered over time.

What the owner's scripts leave is read: `SPLIT/img/NAME_newImg8bit.png` (`NAME_leftImg8bit.png` for the frame that
Cityscapes itself labels), where NAME is such as `0001_0001_frankfurt_000000_000279`: video, count, frame of Cityscapes.
Labels are `SPLIT/panoptic_video/NAME_final_mask.png` (`NAME_gtFine_color.png`), whose colours are the ids of segments
that `panoptic_gt_SPLIT_city_vps.json` lists; where these are missing, as usual in train, `SPLIT/labelmap/` with the
numbers of the 19 classes, and no things. `val/img_all/` holds all thirty frames of a video.

Which video is in which part: the owner's val is the test part (the owner's test has no public labels). Of the owner's
train one video in ten, chosen by a hash of its number, is the validation part. `cityscapes_vps-15` has the classes that
VIPER shares, see `viper_classes`.
"""

import hashlib
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from labelkit.datasets.cityscapes import CLASSES, OWNER_IDS, PALETTE, THINGS
from labelkit.datasets.cityscapes_vps_files import (
    Frame,
    Segments,
    layout_of,
    owner_frames,
    owner_segments,
    read_ids,
    unlabelled_frames,
)
from labelkit.datasets.clip_files import ClipFiles, windows_of
from labelkit.datasets.clip_instances import InstanceClips
from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import image_size, label_table
from labelkit.datasets.locate import locate, sized
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import light_fingerprint
from labelkit.datasets.tagged import one_in
from labelkit.datasets.viper_classes import CITYSCAPES_IDS, lookup
from labelkit.datasets.viper_classes import CLASSES as SHARED_CLASSES

LABELLED = 6  # frames of each video
STEP = 5  # frames of Cityscapes' video, at 17 Hz, from one labelled frame to the next
HELD_OUT = 10  # validation is one in so many training videos
VARIANTS = ("", "15")
LICENCE = "CC BY-NC-SA 4.0 and Cityscapes' terms: non-commercial research use after registration."
SUBFOLDERS = ("cityscapes_vps", "cityscapes-vps")  # looked into, in this order, below a given folder


class VpsFrames(GreyLabelFiles):
    """Labelled frames, sorted by video and time.

    Args:
        frames: the frames.
        segments: the segments of each frame by its name, for panoptic PNG; None reads numbers of classes.
        variant: "" for 19 classes, "15" for those of VIPER.
        height, width: delivered size in pixels; None delivers 1024 x 2048.
        cache: keep decoded frames in memory; see `GreyLabelFiles`.
    """

    def __init__(
        self,
        frames: list[Frame],
        segments: Segments | None,
        variant: str = "",
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
    ) -> None:
        table, classes = label_table(range(len(CLASSES)), (255,)), classes_of(variant)
        if variant:
            shared = lookup({label: CITYSCAPES_IDS.get(owner, "") for label, owner in enumerate(OWNER_IDS)})
            table[: len(CLASSES)] = shared[: len(CLASSES)]
        self.segments = segments
        super().__init__(
            name=sized(f"cityscapes_vps{variant and '-'}{variant}", height, width),
            pairs=[frame.pair for frame in frames], classes=classes,
            palette=PALETTE[[CLASSES.index(name) for name in classes]], licence=LICENCE, table=table,
            height=height, width=width, cache=cache,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """As that of `GreyLabelFiles`, and of the lists of segments."""
        listed = None if self.segments is None else [sorted(self.segments[name].items()) for name in self.names]
        return hashlib.sha256(repr((super().fingerprint, listed)).encode()).hexdigest()[:16]

    def _read_mask(self, pair: Pair) -> np.ndarray:
        if self.segments is None:
            return super()._read_mask(pair)
        listed, ids = self.segments[pair.name], read_ids(pair.mask)
        found, where = np.unique(ids, return_inverse=True)
        if strange := sorted(set(found.tolist()) - listed.keys() - {0}):
            raise ValueError(f"mask {pair.mask} holds the segment {strange[0]}, which the list of segments lacks")
        if lost := sorted(listed.keys() - set(found.tolist())):
            raise ValueError(
                f"mask {pair.mask} has no pixel of the segment {lost[0]}, which the list of segments names"
            )
        categories = np.array([listed.get(each, 255) for each in found.tolist()])
        return self._table[categories][where].reshape(ids.shape)


class UnlabelledFrames(GreyLabelFiles):
    """Frames without labels: every pixel of their masks is 255, so that nothing can be learnt from them."""

    @cached_property
    def fingerprint(self) -> str:
        """Of names and lengths of pictures; see `picking.light_fingerprint`."""
        return light_fingerprint(self, "unlabelled")

    def _read_mask(self, pair: Pair) -> np.ndarray:
        return np.full(image_size(pair.image), 255, dtype=np.uint8)


def parts(
    root: str | Path, variant: str = "", height: int | None = None, width: int | None = None, frames: int = LABELLED
) -> dict[str, ClipFiles]:
    """The clips of a run file's ``cityscapes_vps`` or ``cityscapes_vps-15``, five frames of video from frame to frame.

    Args:
        root: the folder with `train` and `val`, or one that holds it as `cityscapes_vps`.
        variant: "" for 19 classes, "15" for those of VIPER.
        height, width: delivered size in pixels; None delivers 1024 x 2048.
        frames: frames in a clip, at most the six of a video; no frame is in two clips.

    Returns:
        "train", "val" and "test"; clips with instances where panoptic PNG are there.

    Raises:
        FileNotFoundError: the data set, or the partner of a file, is not there.
        ValueError: the variant is unknown, a video has not six frames, or a list is not what it should be.
    """
    classes_of(variant)
    if not 1 <= frames <= LABELLED:
        raise ValueError(f"clips of {frames} frames of Cityscapes-VPS were asked for: 1 to {LABELLED} was expected")
    folder = find(root)
    videos = owner_videos(folder, "train")
    held_out = one_in(HELD_OUT, videos, "validation")
    chosen = {
        "train": [each for name, video in videos.items() if name not in held_out for each in video],
        "val": [each for name, video in videos.items() if name in held_out for each in video],
        "test": [each for video in owner_videos(folder, "val").values() for each in video],
    }
    found: dict[str, ClipFiles] = {}
    for part, listed in chosen.items():
        if not listed:
            raise ValueError(f"the part {part} of Cityscapes-VPS in {folder} is empty: videos were expected")
        segments = owner_segments(folder, "val" if part == "test" else "train")
        files = VpsFrames(listed, segments, variant, height, width)
        runs = [range(start, start + LABELLED) for start in range(0, len(listed), LABELLED)]
        windows = [window for run in runs for window in windows_of(run, frames, frames)]
        if segments is None:
            found[part] = ClipFiles(files.name, files, windows)
        else:
            masks = [frame.pair.mask for frame in listed]
            found[part] = InstanceClips(files.name, files, windows, masks, read_ids, THINGS)
    return found


def dense(
    root: str | Path, variant: str = "", height: int | None = None, width: int | None = None, frames: int = LABELLED
) -> ClipFiles:
    """Clips of `val/img_all` at the video's own 17 Hz, without labels; no frame is in two.

    Args:
        root, variant, height, width, frames: see `parts`; up to 26 frames.

    Raises:
        FileNotFoundError: the frames are not there.
        ValueError: the videos are shorter than a clip.
    """
    folder = find(root)
    pairs: list[Pair] = []
    windows: list[tuple[int, ...]] = []
    for video in owner_videos(folder, "val").values():
        there = unlabelled_frames(folder / "val" / "img_all", video[0], video[-1])
        windows += windows_of(range(len(pairs), len(pairs) + len(there)), frames, frames)
        pairs += there
    classes = classes_of(variant)
    name = sized(f"cityscapes_vps{variant and '-'}{variant}", height, width)
    files = UnlabelledFrames(
        name=name, pairs=pairs, classes=classes, palette=PALETTE[[CLASSES.index(each) for each in classes]],
        licence=LICENCE, table=label_table(range(len(classes)), (255,)), height=height, width=width,
    )  # fmt: skip
    return ClipFiles(name, files, windows)


def owner_videos(folder: Path, split: str) -> dict[str, list[Frame]]:
    """The labelled frames of each video of the owner's "train" or "val", in order of time.

    Raises:
        FileNotFoundError: a file has no partner.
        ValueError: a video has not six frames five apart; or as for `owner_frames`.
    """
    videos: dict[str, list[Frame]] = {}
    for frame in owner_frames(folder, split):
        videos.setdefault(frame.video, []).append(frame)
    for name, frames in videos.items():
        if len(frames) != LABELLED:
            where = folder / split / "img"
            raise ValueError(f"video {name} in {where} has {len(frames)} frames: {LABELLED} were expected")
        for before, after in pairwise(frames):
            if (before.place, before.number + STEP) != (after.place, after.number):
                raise ValueError(
                    f"{after.pair.image} does not follow {before.pair.name}: {STEP} frames later was expected"
                )
    return videos


def classes_of(variant: str) -> tuple[str, ...]:
    """The names of the classes of a variant, "" or "15".

    Raises:
        ValueError: there is no such variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"Cityscapes-VPS has no variant {variant!r}: 15, or none, was expected")
    return SHARED_CLASSES if variant else CLASSES


def find(root: str | Path) -> Path:
    """The folder of Cityscapes-VPS: the given one or a folder below it; see `locate`."""
    return locate(root, SUBFOLDERS, layout_of, "Cityscapes-VPS", "train/img/, val/img/ and labels")[0]
