"""A folder of pseudo labels that knows where it came from, and a data set that reads it.

``manifest.json`` holds the identity (round, split, data, ratio, scheme, weights, ...), the selection once it is made,
and the number of labels once all masks are written; ``masks/000007.png`` is the label map of image 7 of the data set.
A folder is used only if its identity is the one expected: labels of another round or split look just as valid.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from labelkit.files import write_whole
from labelkit.pseudo_labels.histograms import IGNORE
from labelkit.pseudo_labels.selection import Selection

_RUNS = 3  # zlib's strategy for long runs of one value: smaller and twice as fast on label maps


class PseudoLabelFolder:
    """One round's pseudo labels on disk, complete or in the making.

    Args:
        path: the folder; made, with a manifest, if it is not there.
        identity: where the labels come from: names to numbers, strings or lists of them.
        palette: (C, 3) uint8, colours in which a viewer shows the masks; shades of grey if None.

    Raises:
        ValueError: the folder belongs to another identity (names the first difference), or its manifest is unreadable.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, Any], palette: np.ndarray | None = None) -> None:
        self.path = Path(path)
        colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        if palette is not None:
            colours[: len(palette)] = palette
        self.palette = colours.tobytes()
        self.identity = json.loads(json.dumps(dict(identity)))
        if (self.path / "manifest.json").exists():
            self._refuse_another()
        else:
            self._write({"identity": self.identity, "selection": None, "kept": None})

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the identity."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def complete(self) -> bool:
        """Whether all masks were written."""
        return self.manifest()["kept"] is not None

    @property
    def selection(self) -> Selection | None:
        """The selection, None before it is made."""
        values = self.manifest()["selection"]
        if values is None:
            return None
        arrays = {
            key: np.asarray([np.inf if x is None else x for x in value]) if isinstance(value, list) else value
            for key, value in values.items()
        }
        return Selection(**arrays)

    def manifest(self) -> dict[str, Any]:
        """Content of the manifest: identity, selection, kept."""
        path = self.path / "manifest.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["identity"], content["selection"], content["kept"]
        except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
            raise ValueError(f"{path} is not a readable manifest; delete the folder to label anew") from None
        return content

    def set_selection(self, selection: Selection) -> None:
        """Write the selection down; a resumed relabelling uses it and does not select again."""
        values = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(selection).items()}
        values["thresholds"] = [None if np.isinf(t) else t for t in values["thresholds"]]
        self._write(self.manifest() | {"selection": values})

    def set_complete(self, kept: Sequence[int]) -> None:
        """Write down that all masks are there, with the labels (C,) of each class."""
        self._write(self.manifest() | {"kept": [int(n) for n in kept]})

    @property
    def kept(self) -> np.ndarray:
        """(C,) labels of each class in all masks together."""
        return np.asarray(self.manifest()["kept"], dtype=np.int64)

    def mask_path(self, index: int) -> Path:
        """File of one image's labels."""
        return self.path / "masks" / f"{index:06d}.png"

    def write_mask(self, index: int, mask: np.ndarray) -> None:
        """Write the labels (H, W) uint8 of one image, whole or not at all; a stop leaves no half file."""
        path = self.mask_path(index)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        picture = Image.fromarray(mask)
        picture.putpalette(self.palette)  # shows the classes in a viewer; and an index mask is written without filters
        picture.save(partial, "PNG", compress_level=1, compress_type=_RUNS)
        partial.replace(path)

    def read_mask(self, index: int) -> np.ndarray:
        """Labels (H, W) uint8 of one image.

        Raises:
            FileNotFoundError, ValueError: the file is missing or broken; names it.
        """
        path = self.mask_path(index)
        try:
            with Image.open(path) as image:
                return np.array(image)
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} does not exist; expected the pseudo labels of image {index}") from None
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{path} cannot be decoded ({error}); delete it and label again") from None

    def _write(self, content: dict[str, Any]) -> None:
        text = json.dumps(content, indent=1)
        write_whole(self.path / "manifest.json", lambda path: path.write_text(text, encoding="utf-8"))

    def _refuse_another(self) -> None:
        found = self.manifest()["identity"]
        for key in dict.fromkeys([*self.identity, *found]):
            if found.get(key) != self.identity.get(key):
                raise ValueError(
                    f"{self.path} holds pseudo labels of another run: {key} is {found.get(key)!r}, "
                    f"expected {self.identity.get(key)!r}"
                )


class PseudoLabelled:
    """A data set whose masks are pseudo labels; everything that tells the truth is left out of its samples.

    Args:
        dataset: gives samples with ``image`` (3, H, W) by index.
        folder: complete pseudo labels for the indices that will be asked for.

    Raises:
        ValueError: the folder is not complete.
    """

    def __init__(self, dataset: Any, folder: PseudoLabelFolder) -> None:
        if not folder.complete:
            raise ValueError(f"{folder.path} is not complete; finish the relabelling first")
        self.dataset, self.folder = dataset, folder

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``image`` float32 (3, H, W) and ``mask`` int64 (H, W), 255 where there is no label.

        Raises:
            FileNotFoundError, ValueError: the labels are missing, broken, or of another size than the image.
        """
        image, mask = self.dataset[index]["image"], self.folder.read_mask(index)
        if mask.shape != tuple(image.shape[-2:]):
            raise ValueError(
                f"{self.folder.mask_path(index)} is {mask.shape[1]}x{mask.shape[0]} pixels; expected "
                f"{image.shape[-1]}x{image.shape[-2]}, the size of its image"
            )
        return {"image": image, "mask": torch.from_numpy(mask.astype(np.int64))}


def labels_in(mask: np.ndarray, num_classes: int) -> np.ndarray:
    """(C,) labels of each class in one mask (H, W) uint8.

    Raises:
        ValueError: a label outside the list.
    """
    counts = np.array([np.count_nonzero(mask == np.uint8(label)) for label in range(num_classes)], dtype=np.int64)
    if counts.sum() + np.count_nonzero(mask == np.uint8(IGNORE)) != mask.size:
        outside = int(mask[(mask >= num_classes) & (mask != IGNORE)][0])
        raise ValueError(f"a pseudo-label mask holds label {outside}; expected 0..{num_classes - 1} or {IGNORE}")
    return counts
