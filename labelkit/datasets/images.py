"""Checked reading of one image file and one label file.

Everything that can be wrong with a single file is found here, and said in one sentence that names the file.
"""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
GREY, PALETTE = 0, 3  # colour types of PNG
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error, Image.DecompressionBombError)


def image_size(path: Path) -> tuple[int, int]:
    """Read height and width from a file's head, without decoding it.

    Args:
        path: the image file.

    Returns:
        Height and width in pixels.

    Raises:
        FileNotFoundError, ValueError: as `read_image`.
    """
    width, height = _open(path, "image", decode=False).size
    return height, width


def read_image(path: Path) -> np.ndarray:
    """Read a picture as 8-bit RGB.

    Args:
        path: PNG, JPEG, TIFF or BMP, with 8 bits a channel; grey and palette pictures become RGB.

    Returns:
        uint8 array (H, W, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated, is not an image, or holds more than 8 bits a channel.
    """
    image = _open(path, "image")
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"image {path} has pixels of mode {image.mode}: 8 bits a channel were expected")
    if (bits := png_form(path)[0]) > 8:  # of colours decoders drop the lower half, and say nothing
        raise ValueError(f"image {path} has {bits} bits a channel: 8 bits a channel were expected")
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))  # of RGB, convert makes a copy


def read_label(path: Path, colours: np.ndarray | None = None) -> np.ndarray:
    """Read a label file as class ids, as its owner wrote them.

    A palette PNG (as in PASCAL VOC) counts as an index mask: its indices are the ids.

    Args:
        path: one channel with a class id per pixel; or RGB colours if `colours` is given.
        colours: (K, 3) uint8, the colour of each id. Used only where the file holds colours.

    Returns:
        uint8 or uint16 array (H, W).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated, is not an image, holds colours that `colours` does not list, or is a grey
            PNG of 2 or 4 bits, whose values decoders scale.
    """
    image = _open(path, "mask")
    bits, kind = png_form(path)
    if (kind == GREY and bits in (2, 4)) or (kind != GREY and bits > 8):
        form = "grey PNG with" if kind == GREY else "PNG of colours with"
        scaled = ", which decoders scale" if kind == GREY else " a channel"
        raise ValueError(f"mask {path} is a {form} {bits} bits{scaled}: 8 bits were expected")
    if image.mode in ("L", "P"):
        return np.array(image)
    if image.mode == "1":
        return np.array(image).astype(np.uint8)
    if image.mode.startswith("I"):
        wide = np.array(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise ValueError(f"mask {path} holds values {wide.min()} to {wide.max()}: ids of 0 to 65535 were expected")
        return wide.astype(np.uint16)
    if image.mode not in ("RGB", "RGBA"):
        raise ValueError(f"mask {path} has pixels of mode {image.mode}: one class id per pixel was expected")
    if colours is None:
        raise ValueError(
            f"mask {path} holds {image.mode} colours where one class id per pixel was expected: "
            "give the colours of the classes as `palette` to convert it"
        )
    return _ids_of_colours(np.array(image.convert("RGB")), colours, path)


def _ids_of_colours(picture: np.ndarray, colours: np.ndarray, path: Path) -> np.ndarray:
    codes = picture.astype(np.uint32) @ np.array([1, 256, 65536], dtype=np.uint32)  # (H, W)
    ids = np.full(codes.shape, 65535, dtype=np.uint16)
    for index, (red, green, blue) in reversed(list(enumerate(colours.tolist()))):  # of two equal rows the first counts
        ids[codes == red + 256 * green + 65536 * blue] = index
    if (ids == 65535).any():
        row, column = np.argwhere(ids == 65535)[0]
        colour = tuple(int(value) for value in picture[row, column])
        raise ValueError(
            f"mask {path} holds the colour {colour} at row {row}, column {column}: a colour of the palette was expected"
        )
    return ids


def png_form(path: Path) -> tuple[int, int]:
    """Bits a channel and colour type in the head of a PNG, such as `GREY`; 0 and -1 for any other file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: an image file was expected")
    with path.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return 0, -1
    return head[24], head[25]


def label_table(owner_ids: Sequence[int], ignored: Sequence[int]) -> np.ndarray:
    """Build the table that turns an owner's label values into ours.

    Args:
        owner_ids: the owner's value of each class; its position is our id. At most 254 classes.
        ignored: the owner's values that mean "do not score".

    Returns:
        uint8 array (65536,): our id, 255 for ignored, 254 for a value that nobody announced.

    Raises:
        ValueError: too many classes, or a value that is both a class and ignored.
    """
    if len(owner_ids) > 254:
        raise ValueError(f"{len(owner_ids)} classes were given: at most 254 fit beside the ignore label 255")
    if both := sorted(set(owner_ids) & set(ignored)):
        raise ValueError(f"label value {both[0]} was given as a class and as an ignored value: only one was expected")
    table = np.full(65536, 254, dtype=np.uint8)
    table[list(owner_ids)] = np.arange(len(owner_ids), dtype=np.uint8)
    table[list(ignored)] = 255
    return table


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a picture (H, W, 3): area average when it shrinks, bilinear when it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(image).resize((width, height), method))


def resize_label(label: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize class ids (H, W) uint8 by nearest neighbour, so that no new id appears."""
    if label.shape == (height, width):
        return label
    return np.array(Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST))


def _open(path: Path, kind: str, decode: bool = True) -> Image.Image:
    if not path.is_file():
        raise FileNotFoundError(f"{kind} {path} does not exist: a PNG or JPEG file was expected")
    try:
        with Image.open(path) as image:
            if decode:
                image.load()
            return image
    except Image.UnidentifiedImageError:
        raise ValueError(f"{kind} {path} is not an image: a PNG or JPEG file was expected") from None
    except _DECODER_ERRORS as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise ValueError(f"{kind} {path} cannot be decoded ({reason}): a whole PNG or JPEG file was expected") from None
