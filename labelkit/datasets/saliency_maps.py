"""Saliency maps that a detector made beforehand, read from files beside the pictures.

The image-tag papers take the maps of a saliency detector that others trained (DSS, mostly). Whoever has such maps
places them as ``saliency/<data set>/<name of the picture>.png`` in the folder of all data, 8 bits of grey, 255 for the
surest object, each of its picture's size.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F


def folder_of(root: Path | None, name: str) -> Path | None:
    """Where the maps of a data set lie, such as ``saliency/voc2012`` for ``voc2012-official``; None if nowhere."""
    folder = root / "saliency" / name.partition("-")[0] if root else None
    return folder if folder and folder.is_dir() else None


class SaliencyMaps:
    """A data set whose samples also have a ``saliency`` map (1, H, W) in 0..1, read from a file.

    Args:
        dataset: samples with ``image`` (3, H, W), and ``names``.
        folder: holds one ``<name>.png`` a sample.
        needed: whether every sample must have its map; otherwise a sample without one goes without.

    Raises:
        FileNotFoundError: a map is missing; names the first and says how many are.
    """

    def __init__(self, dataset: Any, folder: Path, needed: bool = True) -> None:
        self.dataset, self.folder = dataset, folder
        self._there = {path.stem for path in folder.glob("*.png")}
        missing = [name for name in dataset.names if name not in self._there]
        if needed and missing:
            raise FileNotFoundError(
                f"{folder / missing[0]}.png does not exist, nor do {len(missing) - 1} other saliency maps: one for "
                f"each of {len(dataset)} pictures was expected"
            )

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A sample; its map is resized where the sample is delivered at another size.

        Raises:
            ValueError: the map is not one of 8 bits of grey; names the file.
        """
        sample = self.dataset[index]
        name = self.dataset.names[index]
        if name not in self._there:
            return sample
        found = torch.from_numpy(self._read(self.folder / f"{name}.png"))[None, None].float() / 255
        size = sample["image"].shape[-2:]
        if found.shape[-2:] != size:
            found = F.interpolate(found, size, mode="bilinear", antialias=True).clamp_(0, 1)
        return sample | {"saliency": found[0]}

    @staticmethod
    def _read(path: Path) -> np.ndarray:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as picture:
                mode, found = picture.mode, np.array(picture)
        except (OSError, UnidentifiedImageError, SyntaxError) as error:
            raise ValueError(f"{path} is not a readable picture: a saliency map was expected") from error
        if mode != "L":
            raise ValueError(f"{path} has the mode {mode}: 8 bits of grey were expected of a saliency map")
        return found

    @cached_property
    def maps_fingerprint(self) -> str:
        """First 16 hex digits of a sha256 over names and bytes of the maps of these samples."""
        digest = hashlib.sha256(b"saliency 1")
        for name in sorted(set(self.dataset.names) & self._there):
            digest.update(name.encode() + hashlib.sha256((self.folder / f"{name}.png").read_bytes()).digest())
        return digest.hexdigest()[:16]
