"""Masks drawn once as PNG: killed, disk full, broken manifests, changed sources; a second run completes."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelkit.datasets.converting import MANIFEST, Conversion
from labelkit.datasets.listing import picked
from labelkit.datasets.picking import fits, flags, three_parts

NAMES = [f"bild {number:02d} ß" for number in range(40)]


def array(name: str) -> np.ndarray:
    return np.random.default_rng(sum(map(ord, name))).integers(0, 256, (6, 9), dtype=np.uint8)


class Drawing:
    """Counts how often each mask is drawn; fails where it is told to."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.broken: set[str] = set()

    def __call__(self, name: str) -> np.ndarray:
        if name in self.broken:
            raise ValueError(f"label file {name}.mat is empty")
        self.drawn.append(name)
        return array(name)


def conversion(folder: Path, draw: Drawing, rule: str = "test 1", stamp: str = "7") -> Conversion:
    return Conversion(folder / "masks", rule, dict.fromkeys(NAMES, stamp), draw)


def complete(made: Conversion) -> bool:
    assert made.missing() == [] == made.problems()
    return all(np.array_equal(np.array(Image.open(made.path(name))), array(name)) for name in NAMES)


def test_what_was_drawn_is_not_drawn_again(tmp_path):
    draw = Drawing()
    made = conversion(tmp_path, draw)
    assert made.missing() == NAMES
    made.run()
    assert sorted(draw.drawn) == NAMES and complete(made)
    made.run()
    conversion(tmp_path, draw).run()
    assert len(draw.drawn) == len(NAMES)


def test_a_changed_rule_or_source_is_drawn_anew(tmp_path):
    draw = Drawing()
    for rule, stamp in (("test 1", "7"), ("test 2", "7"), ("test 2", "8")):
        conversion(tmp_path, draw, rule, stamp).run()
    assert len(draw.drawn) == 3 * len(NAMES)
    conversion(tmp_path, draw, "test 2", "8").run()
    assert len(draw.drawn) == 3 * len(NAMES)


def test_only_what_is_damaged_is_drawn_again(tmp_path):
    draw = Drawing()
    made = conversion(tmp_path, draw)
    made.run()
    made.path(NAMES[3]).unlink()
    made.path(NAMES[5]).write_bytes(b"")
    assert made.missing() == [NAMES[3], NAMES[5]]
    made.run()
    assert draw.drawn[len(NAMES) :] == sorted([NAMES[3], NAMES[5]], key=draw.drawn[len(NAMES) :].index) and complete(
        made
    )
    path = made.path(NAMES[9])
    path.write_bytes(path.read_bytes()[:-1] + b"x")  # as long as before
    assert made.missing() == [] and "differs from what was drawn" in made.problems()[0]
    for manifest in (tmp_path / "masks" / MANIFEST).glob("*.json"):
        manifest.write_text(manifest.read_text()[:20])
    made.run()
    assert complete(made) and len(draw.drawn) == 2 * len(NAMES) + 2


def test_broken_sources_are_named_and_the_others_are_done(tmp_path):
    draw = Drawing()
    draw.broken = {NAMES[4], NAMES[8]}
    made = conversion(tmp_path, draw)
    with pytest.raises(ValueError, match=r"\.mat is empty \(and 1 more label files cannot be converted\)$"):
        made.run()
    assert made.missing() == [NAMES[4], NAMES[8]]
    draw.broken = set()
    made.run()
    assert sorted(draw.drawn) == NAMES and complete(made)


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    draw, flushed = Drawing(), os.fsync

    def full(file: int) -> None:
        if len(draw.drawn) > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        flushed(file)

    monkeypatch.setattr(os, "fsync", full)
    made = conversion(tmp_path, draw)
    with pytest.raises(OSError, match=r"could not be written \(No space left on device\); nothing was changed"):
        made.run()
    left = made.missing()
    assert 0 < len(left) <= len(NAMES) - 15 and not list((tmp_path / "masks").rglob("*.partial"))
    monkeypatch.undo()
    before = len(draw.drawn)
    made.run()
    assert complete(made) and draw.drawn[before:] == sorted(left, key=draw.drawn[before:].index)


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_converting as here
def slow(name):
    time.sleep(0.02)
    return here.array(name)
here.conversion(Path(sys.argv[1]), slow).run()
"""


def test_a_killed_conversion_is_completed(tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "masks").glob("*.png"))) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    half = tmp_path / "masks" / "x.png.1.partial"
    half.write_bytes(b"half")
    os.utime(half, (0, 0))
    young = tmp_path / "masks" / "y.png.1.partial"
    young.write_bytes(b"of a process that still runs")
    draw = Drawing()
    made = conversion(tmp_path, draw)
    kept = len(NAMES) - len(made.missing())
    assert 0 < kept < len(NAMES)
    made.run()
    assert complete(made) and len(draw.drawn) == len(NAMES) - kept and not half.exists() and young.exists()


def test_two_conversions_of_one_folder_agree(tmp_path):
    first, second = Drawing(), Drawing()
    one, other = conversion(tmp_path, first), conversion(tmp_path, second)
    missing = other.missing()
    one.run()
    assert missing == NAMES and complete(other)
    other.run()
    assert second.drawn == [] and complete(one)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "masks").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"masks cannot be written \(.*\): a writable folder for 40 masks was expected"):
        conversion(tmp_path, Drawing()).run()


def test_only_uint8_maps_are_written(tmp_path):
    made = Conversion(tmp_path, "test 1", {"a": "1"}, lambda name: np.zeros((3, 4), np.int64))
    with pytest.raises(ValueError, match=r"int64 and shape \(3, 4\)"):
        made.run()
    assert made.missing() == ["a"] and not list(tmp_path.glob("*.png"))


def test_the_manifest_is_plain_json(tmp_path):
    conversion(tmp_path, Drawing()).run()
    files = {}
    for path in (tmp_path / "masks" / MANIFEST).glob("*.json"):
        stated = json.loads(path.read_text())
        assert stated["rule"] == "test 1"
        files |= stated["files"]
    assert sorted(files) == NAMES and all(stamp == "7" and len(digest) == 64 for stamp, _, digest in files.values())


# what the readers of large sets share besides


def test_parts_are_disjoint_and_stable():
    train, test = [f"a{number}" for number in range(60)], [f"b{number}" for number in range(40)]
    ours, papers = three_parts(train, test, False), three_parts(train, test, True)
    assert sorted(ours["train"] + ours["val"]) == sorted(train) and len(ours["val"]) == 3
    assert papers == {"train": sorted(train), "val": sorted(test), "test": sorted(test)}
    watched = three_parts(train, test, True, 20)["val"]
    assert len(watched) == 2 and set(watched) <= set(test)
    assert three_parts(train[::-1], test, False) == ours


def test_case_alone_is_pointed_out(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file A1.png \(a1.png differs in case\): the list names it"):
        picked({"a1": Path("a1.png")}, ["A1"], tmp_path, ".png", "the list")


def test_what_fits_into_memory():
    assert fits(10, 100, 100) and not fits(10, None, None) and not fits(82_081, 321, 321)


def test_variants_in_any_order():
    assert (
        flags("b-a", ("a", "b"), "x") == {"a", "b"} == flags("a-b", ("a", "b"), "x") and flags("", ("a",), "x") == set()
    )
