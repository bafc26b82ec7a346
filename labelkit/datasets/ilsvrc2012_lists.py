"""Lists of labelled ImageNet images, read and written: 13 or 128 of each class in S4L.

The authors publish theirs as `label_map_count_13000_index_0` and `label_map_count_128000_index_0`: JSON with the file
names in `values`. The smaller one is no subset of the larger one. A text file with a name a line is read, too.

To write lists of your own: `labelkit data lists ilsvrc2012 FOLDER --per-class 13 --per-class 128`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LabelList:
    """A list that was found to fit a data set.

    Attributes:
        indices: sorted indices of the listed images in the data set.
        per_class: how many there are of each class.
        hash: 16 hex digits over the sorted names.
    """

    indices: tuple[int, ...]
    per_class: int
    hash: str


def names_in(path: str | Path) -> list[str]:
    """The file names that a list holds, in its order; folders before a name are dropped.

    Args:
        path: JSON with a list of names in `values`, or text with a name a line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, neither JSON nor text, or names an image twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"label list {path} does not exist: a file with names of images was expected")
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
        listed = json.loads(text)["values"] if text.startswith("{") else text.split()
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError):
        raise ValueError(
            f"label list {path} is not readable: JSON with a list `values`, or a name a line, was expected"
        ) from None
    if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
        raise ValueError(f"label list {path} has no names: names of images were expected")
    names = [name.rpartition("/")[2] for name in listed]
    twice, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ValueError(f"label list {path} names {twice} {count} times: every name was expected once")
    return names


def read_list(path: str | Path, dataset: Any, per_class: int | None = None) -> LabelList:
    """Read a list of labelled images and hold it against a data set.

    Args:
        path: see `names_in`.
        dataset: has `names`, `labels` and `classes`; mostly the training part.
        per_class: how many images of each class are expected; None accepts any equal number.

    Returns:
        Which images of the data set are listed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a name is not in the data set, or the classes do not have as many images each as expected.
    """
    names = names_in(path)
    places = {name: index for index, name in enumerate(dataset.names)}
    missing = [name for name in names if name not in places]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ValueError(
            f"label list {path} names {missing[0]}{more}, which the data set does not have: names of its images were "
            "expected (a list in the data set's folder `lists` keeps its images out of the validation part)"
        )
    indices = sorted(places[name] for name in names)
    counts = np.bincount(np.asarray(dataset.labels)[indices], minlength=len(dataset.classes))
    expected = int(counts[0]) if per_class is None else per_class
    wrong = np.flatnonzero(counts != expected)
    if per_class is None and expected == 0 and len(wrong):
        wrong, expected = np.flatnonzero(counts == 0), int(counts.max())
    if len(wrong):
        label = int(wrong[0])
        raise ValueError(
            f"label list {path} has {counts[label]} images of class {dataset.classes[label]}: {expected} were expected"
        )
    digest = hashlib.sha256(json.dumps(sorted(names)).encode()).hexdigest()[:16]
    return LabelList(tuple(indices), expected, digest)


def write_lists(dataset: Any, folder: Path, per_class: Sequence[int] = (13, 128), seed: int = 0) -> list[Path]:
    """Write lists with as many random training images of each class; for one seed the shorter is part of the longer.

    The validation part of ImageNet depends on the lists in its folder `lists`: write there before the first run, not
    later.

    Args:
        dataset: a training part; has `names` and `labels`.
        folder: receives `<per_class>-a-class-seed-<seed>.json` for each number.
        per_class: images of each class.
        seed: 0 or above.

    Returns:
        The files written.

    Raises:
        ValueError: a class has too few images.
    """
    from labelkit.datasets.splits import class_balanced_split
    from labelkit.files import write_whole

    names, written = dataset.names, []
    for count in per_class:
        split = class_balanced_split(dataset.labels, count, seed, names)
        path = Path(folder) / f"{count}-a-class-seed-{seed}.json"
        text = json.dumps({"values": [names[index] for index in split.labelled]}) + "\n"
        write_whole(path, partial(_write, text))
        written.append(path)
    return written


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
