"""A reader for any two folders of images and masks that share their file names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labelkit.datasets.images import label_table
from labelkit.datasets.listing import files_in, match_by_stem, picked, read_lines
from labelkit.datasets.pairs import Pair, PairedFiles


class ImageMaskFolder(PairedFiles):
    """Images and masks in two folders, paired by file name without suffix and sorted by it.

    A mask holds one class id per pixel (grey or palette PNG). If it holds RGB colours, give the colours as `palette`
    and they are converted; a colour that is not in the palette is an error. An ignored value v gets a colour by a
    palette that is long enough to have a row v, as PASCAL VOC's has.

    Args:
        root: the data set's folder.
        images, masks: the two folders, relative to `root`.
        classes: class names; the position is the label id.
        palette: (K, 3) uint8, K at least the number of classes; None draws colours for display.
        ignore_values: label values in the files that become 255.
        split_file: text file, relative to `root`, with one file name (suffix optional) per line; None reads all files.
        height, width: delivered size in pixels; None delivers the size of the files.
        name: the data set's name in records; None takes the folder's name.
        licence: one sentence on the terms of the data.
        cache: keep decoded samples in memory (4 bytes a pixel).

    Raises:
        FileNotFoundError: a folder or the split file is missing, or a file has no partner.
        ValueError: no class, no pair of files, or a palette of the wrong shape.
    """

    def __init__(
        self,
        root: str | Path,
        images: str = "images",
        masks: str = "masks",
        *,
        classes: Sequence[str],
        palette: Sequence[Sequence[int]] | np.ndarray | None = None,
        ignore_values: Sequence[int] = (255,),
        split_file: str | None = None,
        height: int | None = None,
        width: int | None = None,
        name: str | None = None,
        licence: str = "The terms of this folder's data are not known to labelkit.",
        cache: bool = True,
    ) -> None:
        root = Path(root)
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder: a folder with {images}/ and {masks}/ was expected")
        if not classes:
            raise ValueError(f"no classes were given for {root}: at least one class name was expected")
        name = root.resolve().name if name is None else name
        colours = None if palette is None else _checked_palette(palette, len(classes))
        if split_file is None:
            pairs = match_by_stem(root / images, root / masks)
        else:
            pairs = _listed(root / images, root / masks, root / split_file)
        if not pairs:
            raise ValueError(f"{root / images} holds no image: at least one PNG or JPEG file was expected")
        super().__init__(
            name=name, pairs=pairs, classes=classes, licence=licence,
            palette=spread_colours(len(classes)) if colours is None else colours[: len(classes)],
            table=label_table(range(len(classes)), ignore_values),
            colours=colours, height=height, width=width, cache=cache,
        )  # fmt: skip


def spread_colours(count: int) -> np.ndarray:
    """Give `count` distinguishable colours, (count, 3) uint8: hues a golden angle apart, the first one dark."""
    import colorsys

    hues = [(index * 0.618034) % 1.0 for index in range(count)]
    colours = [colorsys.hsv_to_rgb(hue, 0.45 + 0.5 * (i % 2), 0.9 - 0.3 * (i % 3 == 2)) for i, hue in enumerate(hues)]
    palette = np.array([[int(255 * channel) for channel in colour] for colour in colours], dtype=np.uint8)
    palette[:1] = 40
    return palette


def _listed(images: Path, masks: Path, listing: Path) -> list[Pair]:
    pictures, labels = files_in(images), files_in(masks)
    pairs = []
    for entry, number in read_lines(listing):
        stem = entry if entry in pictures else Path(entry).stem
        for folder, files in ((images, pictures), (masks, labels)):
            picked(files, [stem], folder, "", f"{listing.name} line {number}")
        pairs.append(Pair(stem, pictures[stem], labels[stem]))
    return sorted(pairs, key=lambda pair: pair.name)


def _checked_palette(palette: Sequence[Sequence[int]] | np.ndarray, classes: int) -> np.ndarray:
    colours = np.asarray(palette)
    if colours.ndim != 2 or colours.shape[1] != 3 or len(colours) < classes:
        raise ValueError(f"palette has shape {colours.shape}: ({classes}, 3) was expected, a colour per class")
    if colours.min() < 0 or colours.max() > 255:
        raise ValueError(f"palette holds values {colours.min()} to {colours.max()}: 0 to 255 was expected")
    return colours.astype(np.uint8)
