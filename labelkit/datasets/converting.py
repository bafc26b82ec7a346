"""Label files that an owner publishes in another format (MAT, JSON), drawn once as PNG in a folder beside the data.

A conversion may be killed at any time: a PNG gets its name only when it is whole, and counts only once the manifest
lists it with its length and its sha256. The next run draws what is missing and leaves the rest alone. A changed
source, or a changed rule of drawing, draws anew. Several processes may convert at once.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from labelkit.datasets.voc_colours import voc_colours
from labelkit.files import write_whole
from labelkit.progress import Progress

FOLDER = "labelkit-masks"  # below an owner's folder
MANIFEST = "manifest"  # of each mask: stamp, length and sha256, in up to 256 files by the hash of its name
STALE = 3600.0  # seconds after which a half-written file belongs to a process that was killed
SHOWN = 200  # conversions of so many masks show how far they are


@dataclass(frozen=True)
class Conversion:
    """What is to be drawn.

    Attributes:
        folder: receives NAME.png for each name, and the manifest.
        rule: says how masks are drawn; another rule draws them anew.
        sources: a stamp for each name, a text that changes when its source does.
        draw: gives the mask of a name, uint8 (H, W).
    """

    folder: Path
    rule: str
    sources: Mapping[str, str]
    draw: Callable[[str], np.ndarray]

    @classmethod
    def of_files(
        cls,
        folder: Path,
        suffix: str,
        names: Iterable[str],
        rule: str,
        draw: Callable[[Path], np.ndarray],
        listing: str,
    ) -> "Conversion":
        """The conversion of one file for each name; the masks lie beside the folder of the files.

        Args:
            folder: holds NAME and suffix.
            suffix: such as ".mat".
            names: of the images.
            rule: see the class.
            draw: a path to its mask, uint8 (H, W).
            listing: what names the files, for the error.

        Raises:
            FileNotFoundError: a file is missing.
        """
        stamps = {}
        for name in names:
            path = folder / f"{name}{suffix}"
            if not path.is_file():
                raise FileNotFoundError(f"{path} does not exist: {listing} names {name}")
            state = path.stat()
            stamps[name] = f"{state.st_size} {state.st_mtime_ns}"
        return cls(folder.parent / FOLDER, rule, stamps, lambda name: draw(folder / f"{name}{suffix}"))

    def path(self, name: str) -> Path:
        """Where the mask of a name lies."""
        return self.folder / f"{name}.png"

    def missing(self) -> list[str]:
        """The names whose mask is not there as the manifest says, sorted; nothing is decoded."""
        names = []
        for bucket, members in self._buckets(self.sources).items():
            listed = self._listed(bucket)
            names += [name for name in members if not self._there(name, listed)]
        return sorted(names)

    def run(self) -> None:
        """Draw what is missing. Sources that cannot be read are left out, and the first is named at the end.

        Raises:
            FileNotFoundError, ValueError: a source is missing or broken; the others are done.
            OSError: the folder cannot be written, or the disk is full; what was drawn before stays.
        """
        if not (names := self.missing()):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = f"{self.folder} cannot be written ({error.strerror})"
            raise OSError(f"{reason}: a writable folder for {len(names)} masks was expected beside the data") from None
        self._sweep()
        problems: list[Exception] = []
        bar = Progress(len(names), f"masks in {self.folder}", "mask") if len(names) >= SHOWN else None
        done = 0
        for bucket, members in self._buckets(dict.fromkeys(names)).items():
            listed, drawn = self._listed(bucket), 0
            try:
                for name in members:
                    try:
                        mask = self.draw(name)
                    except (FileNotFoundError, ValueError) as error:
                        problems.append(error)
                        continue
                    listed[name] = self._write(name, mask)
                    drawn += 1
            finally:
                if drawn:
                    text = json.dumps({"rule": self.rule, "files": dict(sorted(listed.items()))})
                    write_whole(self._manifest(bucket), lambda path, text=text: path.write_text(text, "utf-8"))
            done += len(members)
            if bar:
                bar.update(done)
        if bar:
            bar.close()
        if problems:
            first = problems[0]
            more = f" (and {len(problems) - 1} more label files cannot be converted)" if len(problems) > 1 else ""
            raise type(first)(f"{first}{more}") from None

    def damaged(self) -> list[str]:
        """The names whose mask is there but differs from what was drawn; every file is read."""
        found = []
        for bucket, members in self._buckets(self.sources).items():
            listed = self._listed(bucket)
            for name in members:
                if self._there(name, listed) and _sha256(self.path(name).read_bytes()) != listed[name][2]:
                    found.append(name)
        return found

    def problems(self) -> list[str]:
        """A sentence for each mask that is there but differs from what was drawn."""
        return [
            f"{self.path(name)} differs from what was drawn: delete it, and the reader redraws it"
            for name in self.damaged()
        ]

    def forget(self, name: str) -> None:
        """Remove a mask, so that it is drawn again."""
        self.path(name).unlink(missing_ok=True)

    def _write(self, name: str, mask: np.ndarray) -> list[str | int]:
        data = _png(mask)
        if not np.array_equal(np.array(Image.open(io.BytesIO(data))), mask):
            raise OSError(f"{self.path(name)} does not hold what was drawn: a lossless PNG was expected")
        write_whole(self.path(name), lambda path: path.write_bytes(data))
        return [self.sources[name], len(data), _sha256(data)]

    def _there(self, name: str, listed: Mapping[str, list]) -> bool:
        entry = listed.get(name)
        if entry is None or entry[0] != self.sources[name]:
            return False
        try:
            return self.path(name).stat().st_size == entry[1]
        except OSError:
            return False

    def _listed(self, bucket: str) -> dict[str, list]:
        """The manifest's entries; none if they were made by another rule or cannot be read."""
        try:
            stated = json.loads(self._manifest(bucket).read_text(encoding="utf-8"))
            files = stated["files"] if stated["rule"] == self.rule else {}
            return {name: list(entry) for name, entry in files.items() if len(entry) == 3}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _manifest(self, bucket: str) -> Path:
        return self.folder / MANIFEST / f"{bucket}.json"

    def _sweep(self) -> None:
        """Remove what killed processes left half-written."""
        for folder in (self.folder, self.folder / MANIFEST):
            for path in folder.glob("*.partial"):
                try:
                    if time.time() - path.stat().st_mtime > STALE:
                        path.unlink()
                except OSError:  # another process was quicker, or the file is not ours
                    continue

    @staticmethod
    def _buckets(names: Mapping[str, object]) -> dict[str, list[str]]:
        buckets: dict[str, list[str]] = {}
        for name in sorted(names):
            buckets.setdefault(hashlib.sha256(name.encode()).hexdigest()[:2], []).append(name)
        return buckets


def _png(mask: np.ndarray) -> bytes:
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"a mask of {mask.dtype} and shape {mask.shape} was drawn: uint8 (H, W) was expected")
    image = Image.fromarray(mask)
    image.putpalette(voc_colours().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
