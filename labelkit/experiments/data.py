"""Data by name: a world or a reader is found by its file, so that a new one changes no other.

The name of a run file is ``<module>`` or ``<module>-<variant>``: ``streets``, ``streets-sim``, ``camvid``. The
module is ``labelkit.worlds.<module>`` or ``labelkit.datasets.<module>`` and offers ``parts``: a world
``parts(variant, **options)``, a reader ``parts(root, variant, **options)``. Both give a dict of data sets, mostly
``train``, ``val`` and ``test``; which options there are depends on the kind of data, and the experiment knows it.
"""

import importlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labelkit.datasets.memory import InMemory
from labelkit.datasets.splits import refuse_overlap

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        name: as in the run file.
        module: dotted name of the module that makes or reads it.
        variant: what follows the first hyphen of the name; empty if nothing does.
        drawn: True for a world, False for real data.
    """

    name: str
    module: str
    variant: str
    drawn: bool

    def parts(self, root: Path | None, **options: Any) -> dict[str, Any]:
        """The parts of the data set.

        Args:
            root: folder that holds the user's data sets; real data need it.
            options: handed on.

        Raises:
            ValueError: real data, and no root is known.
        """
        found = importlib.import_module(self.module)
        if self.drawn:
            return found.parts(self.variant, **options)
        if root is None:
            raise ValueError(
                f"data {self.name!r} needs the environment variable LABELKIT_DATA: the folder that holds it"
            )
        return found.parts(root, self.variant, **options)


@dataclass(frozen=True)
class Parts:
    """Training, validation and test part of a data set."""

    train: Any
    val: Any
    test: Any

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes

    @property
    def fingerprint(self) -> str:
        """Of the three parts together."""
        return "-".join(part.fingerprint[:8] for part in (self.train, self.val, self.test))

    def summary(self) -> dict[str, Any]:
        """What a record says about the data."""
        counts = {"train": len(self.train), "val": len(self.val), "test": len(self.test)}
        return {"name": self.train.name, "fingerprint": self.fingerprint, **counts}


@lru_cache(maxsize=4)
def three_parts(
    name: str, height: int | None, width: int | None, images: int, test_images: int, root: Path | None
) -> Parts:
    """The three parts of a data set; kept in memory for the next cell.

    Args:
        name: as in the run file.
        height, width: at which samples are delivered, in pixels; None delivers real images at their own size.
        images, test_images: of a world, in training and test; half as many as in the test for validation.
        root: folder that holds the user's data sets.

    Raises:
        ValueError: the name is unknown, no root is known for real data, or an image is in two parts.
    """
    source = find(name)
    if source.drawn:
        lengths = {"train": images, "val": max(1, test_images // 2), "test": test_images}
        parts = source.parts(root, height=height, width=width, lengths=lengths)
        parts = {part: InMemory(dataset) for part, dataset in parts.items()}
    else:
        parts = source.parts(root, height=height, width=width)
        for part in ("val", "test"):
            if all(hasattr(parts[each], "names") for each in ("train", part)):
                refuse_overlap(parts["train"].names, parts[part].names, {"val": "validation"}.get(part, part))
    return Parts(parts["train"], parts["val"], parts["test"])


def find(name: str) -> Source:
    """The source of a data set.

    Raises:
        ValueError: no module offers it; lists those that there are.
    """
    base, _, variant = name.partition("-")
    for kind in ("worlds", "datasets"):
        if base in _modules(kind):
            return Source(name, f"labelkit.{kind}.{base}", variant, drawn=kind == "worlds")
    there = ", ".join([*_modules("worlds"), *_modules("datasets")])
    raise ValueError(f"data {name!r} has no reader in this version; there are: {there}")


def _modules(kind: str) -> list[str]:
    """Names of the modules and packages of a folder that offer ``parts``."""
    files = {path.stem: path for path in (PACKAGE / kind).glob("*.py")}
    files |= {path.parent.name: path for path in (PACKAGE / kind).glob("*/__init__.py")}
    return sorted(name for name, path in files.items() if _offers_parts(path))


def _offers_parts(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "\ndef parts(" in text or '"parts"' in text  # defined here, or re-exported by a package
