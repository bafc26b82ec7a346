"""VIPER [richter2017playing]: video from a game, every pixel labelled, with the 15 classes shared with Cityscapes.

The layout of the owner is `SPLIT/img/SEQUENCE/SEQUENCE_00010.jpg` (or .png), the same name as PNG in `SPLIT/cls`,
with the owner's 32 ids, and, where it is there, in `SPLIT/inst`, whose red channel is the class and whose green and
blue ones are the number of the thing. Every picture may be there and only every tenth label: the frames are those with
a label. The car that drives shows its bonnet, which is ignored; see `viper_classes`.

The parts are the owner's train (77 sequences) and val (47); the test has no public labels. A file `train.txt` or
`val.txt` beside them, with a sequence (`001`) or a frame (`001/001_00010.jpg`) a line, leaves the others out: the
frames of a paper, or the sequences of one weather.

A clip is a run of labelled frames at equal steps, about a third of a second (five frames at 15 Hz) or, with every tenth
label, two thirds. No frame is in two clips.
"""

from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np

from labelkit.datasets.cityscapes import CLASSES as CITYSCAPES_CLASSES
from labelkit.datasets.cityscapes import PALETTE as CITYSCAPES_PALETTE
from labelkit.datasets.cityscapes import THINGS
from labelkit.datasets.clip_files import ClipFiles
from labelkit.datasets.clip_instances import InstanceClips
from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import read_image
from labelkit.datasets.listing import files_in, folders_in, paired, read_names
from labelkit.datasets.locate import locate, sized
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import light_fingerprint
from labelkit.datasets.viper_classes import CLASSES, VIPER_IDS, lookup, without_ego_vehicle

PALETTE = CITYSCAPES_PALETTE[[CITYSCAPES_CLASSES.index(name) for name in CLASSES]]
OWNER_LABELS = 32  # ids 0 to 31
HEIGHT, WIDTH = 1080, 1920
SPLITS = {"train": 77, "val": 47}  # sequences in each
STEP = 5  # frames from one frame of a clip to the next, or the smallest larger number for which there are labels
LICENCE = "Research use under the owner's terms."
SUBFOLDERS = ("viper", "VIPER", "Viper")  # looked into, in this order, below a given folder


class ViperFrames(GreyLabelFiles):
    """The labelled frames of one split, sorted by sequence and number.

    Args:
        root: the folder with `train` and `val`, or one that holds it as `viper`.
        split: "train" or "val".
        height, width: delivered size in pixels; None delivers 1080 x 1920.
        cache: keep decoded frames in memory; see `GreyLabelFiles`.

    Raises:
        FileNotFoundError: the layout is not found, a label has no picture, or a list names what is not there.
        ValueError: the split is unknown or empty, or a listing is not what it should be.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        height: int | None = None,
        width: int | None = None,
        cache: bool | None = None,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"VIPER has no split {split!r}: train or val was expected")
        self.root, self.split = find(root), split
        pairs = owner_pairs(self.root, split)
        if not pairs:
            raise ValueError(f"the split {split} of VIPER in {self.root} is empty: frames with labels were expected")
        table = np.full(65536, 254, dtype=np.uint8)
        table[:OWNER_LABELS] = lookup(VIPER_IDS)[:OWNER_LABELS]
        super().__init__(
            name=sized("viper", height, width), pairs=pairs, classes=CLASSES, palette=PALETTE, licence=LICENCE,
            table=table, height=height, width=width, cache=cache,
        )  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """Of names and lengths of pictures and label files, which have many gigabytes."""
        lengths = [pair.mask.stat().st_size for pair in self.pairs]
        return light_fingerprint(self, "viper 1", lengths)

    def _read_mask(self, pair: Pair) -> np.ndarray:
        return without_ego_vehicle(super()._read_mask(pair))


def parts(
    root: str | Path, variant: str = "", height: int | None = None, width: int | None = None, frames: int = 6
) -> dict[str, ClipFiles]:
    """The clips of a run file's ``viper``: "train" and "val", with instances where the owner's `inst` is there.

    Args:
        root: see `ViperFrames`.
        variant: must be empty.
        height, width: delivered size in pixels; None delivers the size of the files.
        frames: frames in a clip.

    Raises:
        FileNotFoundError: VIPER or a file is not there.
        ValueError: a variant is asked for, or a split has no run of so many labelled frames.
    """
    if variant:
        raise ValueError(f"VIPER has no variant {variant!r}: the name viper was expected")
    return {split: clips(ViperFrames(root, split, height, width), frames) for split in SPLITS}


def clips(files: ViperFrames, frames: int) -> ClipFiles:
    """Cut the frames of a split into clips.

    Args:
        files: the frames.
        frames: in a clip, at least one.

    Raises:
        FileNotFoundError: `inst` is there, but not for a frame of `files`.
        ValueError: no sequence has so many labelled frames at equal steps.
    """
    if frames < 1:
        raise ValueError(f"clips of {frames} frames were asked for: at least one was expected")
    sequences: dict[str, list[int]] = {}
    for index, pair in enumerate(files.pairs):
        sequences.setdefault(moment(pair.name)[0], []).append(index)
    numbers = [moment(pair.name)[1] for pair in files.pairs]
    windows = [window for run in sequences.values() for window in _windows(run, numbers, frames)]
    if not windows:
        raise ValueError(
            f"the split {files.split} of VIPER in {files.root} has no {frames} labelled frames at equal steps: "
            "a longer run of labels, or fewer frames, were expected"
        )
    folder = files.root / files.split / "inst"
    if not folder.is_dir():
        return ClipFiles(files.name, files, windows)
    there = {name: files_in(folder / name) if (folder / name).is_dir() else {} for name in sequences}
    for pair in files.pairs:
        if pair.name not in there[moment(pair.name)[0]]:
            raise FileNotFoundError(f"{pair.mask} has no partner: a file {pair.name}.png was expected in {folder}")
    numbered = [there[moment(pair.name)[0]][pair.name] for pair in files.pairs]
    return InstanceClips(files.name, files, windows, numbered, read_instances, THINGS)


def read_instances(path: Path) -> np.ndarray:
    """The numbers of things in a file of `inst`, (H, W) int32: 256 times green plus blue.

    Raises:
        FileNotFoundError, ValueError: see `images.read_image`.
    """
    picture = read_image(path).astype(np.int32)
    return 256 * picture[..., 1] + picture[..., 2]


def moment(name: str) -> tuple[str, int]:
    """Sequence and number of a frame, such as ("001", 10) of ``001_00010``.

    Raises:
        ValueError: the name does not tell them.
    """
    sequence, _, number = name.partition("_")
    if not (sequence and number.isdecimal()):
        raise ValueError(f"VIPER's frame {name} does not tell its number: a name such as 001_00010 was expected")
    return sequence, int(number)


def owner_pairs(folder: Path, split: str) -> list[Pair]:
    """The labelled frames of a split that its list, if there is one, names; sorted by sequence and number.

    Raises:
        FileNotFoundError: a label has no picture, or the list names what is not there.
        ValueError: a frame lies in the folder of another sequence; or as for `listing`.
    """
    pairs: list[Pair] = []
    for labels in folders_in(folder / split / "cls"):
        images = folder / split / "img" / labels.name
        ids, pictures = files_in(labels), files_in(images)
        if odd := [name for name in ids if moment(name)[0] != labels.name]:
            raise ValueError(f"{ids[odd[0]]} lies in the folder of another sequence: {odd[0][:3]} was expected")
        lowered = {name.lower() for name in ids}
        labelled = {name: path for name, path in pictures.items() if name.lower() in lowered}
        found = paired(labelled, ids, images, labels)
        pairs += sorted(found, key=lambda pair: moment(pair.name))
    listing = folder / f"{split}.txt"
    return _listed(pairs, listing) if listing.is_file() else pairs


def layout_of(folder: Path) -> str | None:
    """ "official", or None if the folder is not VIPER."""
    there = (folder / "train" / "img").is_dir() and any((folder / "train" / "cls").glob("*/"))
    return "official" if there else None


def find(root: str | Path) -> Path:
    """VIPER's folder: the given one or a folder below it; see `locate`."""
    return locate(root, SUBFOLDERS, layout_of, "VIPER", "train/img/ and train/cls/ with a folder a sequence")[0]


def _listed(pairs: list[Pair], listing: Path) -> list[Pair]:
    sequences = {moment(pair.name)[0] for pair in pairs}
    names = {pair.name for pair in pairs}
    wanted: set[str] = set()
    for entry, line in read_names(listing).items():
        name = Path(entry).stem
        if name not in names and name not in sequences:
            raise FileNotFoundError(f"there is no labelled frame or sequence {entry}: {listing} line {line} names it")
        wanted.add(name)
    return [pair for pair in pairs if pair.name in wanted or moment(pair.name)[0] in wanted]


def _windows(run: list[int], numbers: list[int], frames: int) -> list[tuple[int, ...]]:
    """Clips of one sequence; `run` are its frames in order of time, `numbers` those of all frames."""
    places = {numbers[index]: index for index in run}
    gaps = Counter(after - before for before, after in zip(places, list(places)[1:]))
    gap = gaps.most_common(1)[0][0] if gaps else 1
    step = -(-STEP // gap) * gap
    windows: list[tuple[int, ...]] = []
    free = min(places)
    for number in places:
        window = [number + place * step for place in range(frames)]
        if number >= free and all(each in places for each in window):
            windows.append(tuple(places[each] for each in window))
            free = window[-1] + 1
    return windows
