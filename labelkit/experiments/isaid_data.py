"""The scenes of a run file's data, cut into patches or shrunk as a whole.

Drawn scenes are few and stay in memory. The data set's own do not fit there: each is decoded once, and its patches are
kept in a folder beside the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.aerial_shrunk import Shrunk
from labelkit.datasets.memory import InMemory
from labelkit.datasets.splits import refuse_overlap
from labelkit.experiments.data import Parts, find
from labelkit.experiments.isaid_settings import Settings
from labelkit.experiments.settings import Context

STORE = "isaid_cut"  # folder of cut patches, beside the data set; a link to another disk will do


@dataclass(frozen=True)
class AerialData(Parts):
    """Patches of the training, validation and test scenes; training patches without an object are left out.

    Attributes:
        scenes: whole scenes by part; drawn ones in memory, others decoded whenever they are asked for.
    """

    scenes: dict[str, Any]

    def shrunk(self, part: str, factor: int) -> InMemory:
        """The scenes of a part shrunk as a whole."""
        return _shrunk(self.scenes[part], factor)


def load_data(name: str, settings: Settings, context: Context) -> AerialData:
    """The data of a run file's name; kept for the next cell.

    Raises:
        ValueError: the name is unknown, no root is known for real data, or a scene is in two parts.
        OSError: the folder for cut patches beside real data cannot be written.
    """
    size = (settings.height, settings.width, settings.images, settings.test_images)
    return _load(name, *size, settings.patch, settings.overlap, context.data_root)


@lru_cache(maxsize=2)
def _load(
    name: str, height: int, width: int, images: int, test_images: int, patch: int, overlap: int, root: Path | None
) -> AerialData:
    source = find(name)
    if source.drawn:
        lengths = {"train": images, "val": max(1, test_images // 2), "test": test_images}
        scenes = source.parts(root, height=height, width=width, lengths=lengths)
    else:
        scenes = source.parts(root)
        for part in ("val", "test"):
            refuse_overlap(scenes["train"].names, scenes[part].names, {"val": "validation"}.get(part, part))
    if source.drawn:
        scenes = {part: InMemory(each) for part, each in scenes.items()}
    patches = {
        part: AerialPatches(
            each,
            patch,
            overlap,
            keep_empty=part != "train",
            alive=len(each) if source.drawn else 1,
            store=None if source.drawn else root / STORE,
        )
        for part, each in scenes.items()
    }
    return AerialData(patches["train"], patches["val"], patches["test"], scenes)


@lru_cache(maxsize=4)
def _shrunk(scenes: Any, factor: int) -> InMemory:
    return InMemory(Shrunk(scenes, factor))


def crowded_patches(settings: Settings) -> AerialPatches:
    """Test patches of drawn scenes with several times as many vehicles; kept in memory for the next cell."""
    return _crowded(settings.height, settings.width, settings.dense_images, settings.patch, settings.overlap)


@lru_cache(maxsize=1)
def _crowded(height: int, width: int, scenes: int, patch: int, overlap: int) -> AerialPatches:
    dense = find("aerial-dense").parts(None, height=height, width=width, lengths={"train": 1, "val": 1, "test": scenes})
    return AerialPatches(InMemory(dense["test"]), patch, overlap, keep_empty=True, alive=scenes)
