"""Label files that look right and hold other numbers: greys of 4 bits, palettes of greys; and files that are broken."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import street_trees
from PIL import Image
from trees import save, truncate

from labelkit.datasets.grey_labels import GreyLabelFiles
from labelkit.datasets.images import label_table
from labelkit.datasets.pairs import Pair
from labelkit.datasets.picking import ROOM

PALETTE = np.zeros((20, 3), np.uint8)


def dataset(folder: Path, **named) -> GreyLabelFiles:
    pair = Pair("a", folder / "ä b.png", folder / "mäsk b.png")
    table = label_table(range(20), (255,))
    return GreyLabelFiles("grey", [pair], [str(label) for label in range(20)], PALETTE, "none", table, **named)


@pytest.fixture
def folder(tmp_path):
    save(street_trees.picture(1), tmp_path / "ä b.png")
    save(street_trees.ids(1, 20), tmp_path / "mäsk b.png")
    return tmp_path


def grey_png(path: Path, ids: np.ndarray, bits: int) -> None:
    """A grey PNG with fewer than 8 bits, as tools that make files smaller write it."""
    packed = np.packbits(
        ((ids[..., None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(len(ids), -1).astype(np.uint8), axis=1
    )
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    coded = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + coded)


@pytest.mark.parametrize("bits", [2, 4])
def test_greys_of_few_bits_are_refused(folder, bits):
    ids = np.arange(8, dtype=np.uint8).reshape(1, 8) % (1 << bits)
    grey_png(folder / "mäsk b.png", np.repeat(ids, 8, axis=0), bits)
    scaled = np.array(Image.open(folder / "mäsk b.png"))
    assert scaled[0, 1] == 255 // ((1 << bits) - 1)  # why it matters: 1 is read as 85 or 17
    with pytest.raises(ValueError, match=rf"mäsk b\.png is a grey PNG with {bits} bits"):
        dataset(folder)[0]


def test_a_palette_of_colours_or_of_equal_greys_is_read(folder):
    expected = dataset(folder)[0]["mask"]
    for palette in (np.random.default_rng(0).integers(0, 256, 768), np.repeat(np.arange(256), 3), np.zeros(768, int)):
        image = Image.fromarray(street_trees.ids(1, 20)).convert("P")
        image.putpalette(palette.tolist())
        image.save(folder / "mäsk b.png")
        assert dataset(folder)[0]["mask"].equal(expected)


def test_a_palette_of_other_greys_is_refused(folder):
    greys = np.unique(ids := street_trees.ids(1, 20) // 3 * 3)
    image = Image.fromarray(np.searchsorted(greys, ids).astype(np.uint8)).convert("P")
    image.putpalette(np.repeat(greys, 3).tolist())
    image.save(folder / "mäsk b.png")
    assert np.array_equal(np.array(image.convert("L")), ids)  # it looks the same
    with pytest.raises(ValueError, match=r"mäsk b\.png is a palette PNG whose index 1 shows the grey 3"):
        dataset(folder)[0]


def corrupt(folder: Path, kind: str) -> None:
    image, mask = folder / "ä b.png", folder / "mäsk b.png"
    ids = street_trees.ids(1, 20)
    if kind == "truncated image":
        truncate(image)
    elif kind == "empty image":
        image.write_bytes(b"")
    elif kind == "no image":
        image.unlink()
    elif kind == "16-bit image":
        save(ids.astype(np.uint16) * 257, image)
    elif kind == "truncated mask":
        truncate(mask)
    elif kind == "empty mask":
        mask.write_bytes(b"")
    elif kind == "16-bit mask":
        save(ids.astype(np.uint16) * 257, mask)
    elif kind == "id out of range":
        save(ids + np.uint8(1), mask)
    elif kind == "colours":
        save(street_trees.picture(2), mask)
    elif kind == "another size":
        save(ids[:5], mask)
    elif kind == "text":
        mask.write_text("no image")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("truncated image", r"image .*ä b\.png cannot be decoded"),
        ("empty image", r"image .*ä b\.png is not an image"),
        ("no image", r"image .*ä b\.png does not exist"),
        ("16-bit image", r"image .*ä b\.png has pixels of mode I;16: 8 bits"),
        ("truncated mask", r"mask .*mäsk b\.png cannot be decoded"),
        ("empty mask", r"mask .*mäsk b\.png is not an image"),
        ("16-bit mask", r"mask .*mäsk b\.png holds the label value 257"),
        ("id out of range", r"mask .*mäsk b\.png holds the label value 20"),
        ("colours", r"mask .*mäsk b\.png holds RGB colours"),
        ("another size", r"mask .*mäsk b\.png is 16x5 pixels: 16x8 was expected"),
        ("text", r"mask .*mäsk b\.png is not an image"),
    ],
)
def test_every_corruption_is_one_sentence(folder, kind, told):
    before = {path.name for path in folder.iterdir()}
    corrupt(folder, kind)
    for cache in (False, True):
        with pytest.raises((ValueError, FileNotFoundError), match=told) as caught:
            dataset(folder, cache=cache)[0]
        assert "\n" not in str(caught.value)
    assert {path.name for path in folder.iterdir()} | ({"ä b.png"} if kind == "no image" else set()) == before


def test_what_stays_in_memory(folder):
    kept = dataset(folder, height=4, width=8)
    assert kept._cache is not None and dataset(folder)._cache is None
    assert dataset(folder, height=ROOM // 4, width=2)._cache is None
    assert dataset(folder, height=ROOM // 4, width=2, cache=True)._cache is not None


def test_fingerprint_follows_labels_and_lengths(folder):
    first = dataset(folder).fingerprint
    assert dataset(folder).fingerprint == first != dataset(folder, height=4, width=8).fingerprint
    save(street_trees.ids(2, 20), folder / "mäsk b.png")
    second = dataset(folder).fingerprint
    truncate(folder / "ä b.png")
    assert len({first, second, dataset(folder).fingerprint}) == 3
    (folder / "ä b.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"ä b\.png does not exist"):
        dataset(folder).fingerprint  # noqa: B018
