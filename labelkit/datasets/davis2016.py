"""DAVIS 2016: short videos with a mask of the moving object in every frame [perazzi2016davis].

Two layouts are read. The owner's has `JPEGImages/480p/SEQUENCE/00000.jpg`, `Annotations/480p/SEQUENCE/00000.png` (0
and 255) and, if wanted, `ImageSets/480p/{train,val}.txt` with a pair of paths per line. The compact one has
`images/SEQUENCE/`, `labels/SEQUENCE/` (0 and 1), `sequences.json` and `classes.json`, and holds the first frames of the
validation part.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labelkit.datasets.clip_files import ClipFiles, windows_of
from labelkit.datasets.davis2016_files import find, splits, videos_of
from labelkit.datasets.images import image_size, label_table
from labelkit.datasets.pairs import PairedFiles

CLASSES = ("background", "object")
PALETTE = np.array([[30, 30, 34], [240, 240, 240]], dtype=np.uint8)
LICENCE = "BSD licence, as the owners' page says; cite Perazzi et al. 2016."


class Davis2016(ClipFiles):
    """One part of DAVIS 2016; sample i is a video, or a piece of one.

    Args:
        root: the data set's folder, or one that holds it.
        split: "train" or "val"; the compact layout has "val" alone.
        height, width: delivered size in pixels; None delivers the size of the files.
        frames: cut the videos into clips of so many frames, no frame in two; None leaves them whole.
        cache: keep decoded frames in memory (4 bytes a pixel).

    Attributes:
        sequences: names of the videos, sorted.
        root, layout, split: what was read.

    Raises:
        FileNotFoundError: no known layout is found, or a frame or its mask is missing.
        ValueError: the split is unknown, a video has another size than its masks say, or is shorter than a clip.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "val",
        height: int | None = None,
        width: int | None = None,
        frames: int | None = None,
        cache: bool = True,
    ) -> None:
        self.root, self.layout = find(root)
        if split not in splits(self.root):
            there = " or ".join(splits(self.root)) or "an owner's copy with videos"
            raise ValueError(f"DAVIS 2016 in {self.root} has no split {split!r}: {there} was expected")
        self.split = split
        videos = videos_of(self.root, self.layout, split)
        self.sequences = tuple(videos)
        pairs, windows = [], []
        for sequence, found in videos.items():
            run = list(range(len(pairs), len(pairs) + len(found)))
            pieces = [tuple(run)] if frames is None else windows_of(run, frames, frames)
            if not pieces:
                raise ValueError(f"the video {sequence} in {self.root} has {len(found)} frames: {frames} were expected")
            pairs += found
            windows += pieces
        rows, columns = (height, width) if height and width else image_size(pairs[0].image)
        name = f"davis2016-{columns}x{rows}"
        owner = (0, 1) if self.layout == "compact" else (0, 255)
        files = PairedFiles(
            name=name, pairs=pairs, classes=CLASSES, palette=PALETTE, licence=LICENCE, table=label_table(owner, ()),
            height=height, width=width, cache=cache,
        )  # fmt: skip
        super().__init__(name, files, windows)


def parts(
    root: str | Path,
    variant: str = "",
    height: int | None = None,
    width: int | None = None,
    frames: int | None = None,
) -> dict[str, Davis2016]:
    """The parts of a run file's ``davis2016``: those that the layout has.

    Args:
        root: see `Davis2016`.
        variant: must be empty.
        height, width: delivered size in pixels; None delivers the size of the files.
        frames: frames in a clip; None delivers whole videos.

    Raises:
        ValueError: a variant is asked for.
    """
    if variant:
        raise ValueError(f"DAVIS 2016 has no variant {variant!r}: the name davis2016 was expected")
    return {split: Davis2016(root, split, height, width, frames) for split in splits(find(root)[0])}
