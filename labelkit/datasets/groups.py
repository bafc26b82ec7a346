"""Groups of images that belong together by their tags, as Group-WSSS trains on them.

The released sampler (Lixy1997/Group-WSSS at fc9ab8e) tries images at random until the tags fit. It never draws the
first and the last image of the list, may draw the image itself or one image twice, gives every loader process the same
numbers, and never ends if no other image shows the class it looks for. Here the images that fit are listed beforehand
and drawn from by a seeded generator.
"""

from typing import Any

import numpy as np
import torch

from labelkit.datasets.streams import Augment, Stream, stack

MODES = ("identical", "shared", "random")


class Partners:
    """Who may join an image.

    Args:
        tags: (n, C), above 0 where an image shows a class.
        mode: "identical" (released): images with the same tags; where there are too few, images that share one class
            of the first, the same class for all partners, drawn at random. "shared": images that share such a class,
            whatever else they show. "random": any images, a control without common meaning.
        untagged: take images without any tag, too: they join each other, as the identical tags they have ask for. Data
            with pictures of nothing need it; the paper's have none.

    Raises:
        ValueError: the mode is unknown, there are fewer than two images, an image has no tag, or nobody may join it.
    """

    def __init__(self, tags: Any, mode: str = "identical", untagged: bool = False) -> None:
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
        self.tags, self.mode = np.asarray(tags) > 0, mode
        if self.tags.ndim != 2 or len(self.tags) < 2:
            raise ValueError(f"tags have shape {self.tags.shape}; expected (images, classes) of at least two images")
        nothing = ~self.tags.any(1)
        if nothing.any() and not untagged:
            raise ValueError(f"image {nothing.argmax()} has no tag; a group needs images with at least one")
        self._shown = np.column_stack([self.tags, nothing])  # to show nothing is a class of its own here
        self._showing = [np.flatnonzero(column) for column in self._shown.T]
        shared = np.array([len(images) > 1 for images in self._showing])
        alone = ~(self._shown & shared).any(1)
        if mode != "random" and alone.any():
            raise ValueError(f"image {alone.argmax()} shares no class with another; expected a partner for each")
        _, self._kind = np.unique(self.tags, axis=0, return_inverse=True)
        self._kind = self._kind.reshape(-1)
        order = np.argsort(self._kind, kind="stable")
        self._alike = np.split(order, np.cumsum(np.bincount(self._kind))[:-1])

    def draw(self, image: int, count: int, rng: np.random.Generator) -> np.ndarray:
        """Partners of an image.

        Args:
            image: index of the first of the group.
            count: number of partners, K - 1.
            rng: generator of the draw.

        Returns:
            (count,) int64; never the image itself. Nobody twice, unless fewer fit than are wanted.

        Raises:
            ValueError: count is below 1; a group of one has no partners.
        """
        if count < 1:
            raise ValueError(f"a group of {count + 1} was asked for; expected at least 2 images")
        chosen = np.empty(0, dtype=np.int64)
        for candidates in self._candidates(image, rng):
            fresh = candidates[(candidates != image) & ~np.isin(candidates, chosen)]
            chosen = np.concatenate([chosen, rng.permutation(fresh)[: count - len(chosen)]])
        if len(chosen) < count:
            chosen = np.concatenate([chosen, rng.choice(chosen, count - len(chosen))])
        return chosen

    def alike(self, image: int) -> int:
        """How many other images have the very tags of this one."""
        return len(self._alike[self._kind[image]]) - 1

    def _candidates(self, image: int, rng: np.random.Generator) -> list[np.ndarray]:
        if self.mode == "random":
            return [np.arange(len(self.tags))]
        # A class that no other image shows would leave nobody to draw.
        classes = [c for c in np.flatnonzero(self._shown[image]) if len(self._showing[c]) > 1]
        sharing = self._showing[rng.choice(classes)]
        return [sharing] if self.mode == "shared" else [self._alike[self._kind[image]], sharing]


class Indexed:
    """Of each sample its ``image``, its ``tags`` and its ``index``, by which maps accumulate; masks stay behind.

    Args:
        dataset: gives samples (dicts) by index.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.dataset[index]
        return {"image": sample["image"], "tags": sample["tags"], "index": torch.tensor(index)}


class Gathered:
    """Makes a group of a sample; what a :class:`labelkit.datasets.streams.Stream` takes for its augmentation.

    Args:
        dataset: gives samples by index.
        partners: who may join whom, over the same indices.
        group_size: K, at least 2.
        augment: ``augment(sample, generator) -> sample``, for each image by itself.

    Raises:
        ValueError: a group of one, or partners of another data set.
    """

    def __init__(self, dataset: Any, partners: Partners, group_size: int = 3, augment: Augment | None = None) -> None:
        if group_size < 2:
            raise ValueError(f"group_size is {group_size}; a group needs at least 2 images")
        if len(partners.tags) != len(dataset):
            raise ValueError(f"tags of {len(partners.tags)} images for {len(dataset)}; expected one row for each image")
        self.dataset, self.partners, self.group_size, self.augment = dataset, partners, group_size, augment

    def __call__(self, sample: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """The group of a sample with ``index``: its tensors stacked, (K, ...), the sample first."""
        others = self.partners.draw(int(sample["index"]), self.group_size - 1, rng)
        members = [sample, *(self.dataset[int(index)] for index in others)]
        if self.augment is not None:
            members = [self.augment(member, rng) for member in members]
        return stack(members)


def group_stream(
    dataset: Any,
    partners: Partners,
    groups: int,
    group_size: int = 3,
    augment: Augment | None = None,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    parts: int = 1,
) -> Stream:
    """Batches of groups as a pure function of the step.

    The first images of the groups run over a fresh permutation of the data set each epoch, the very one that a
    :class:`labelkit.datasets.streams.Stream` of this seed runs over; their partners are drawn anew each time.

    Args:
        dataset, partners, group_size, augment: as for :class:`Gathered`.
        groups: G, groups of a joined batch, over all processes and parts.
        seed: chooses order, partners and augmentation.
        rank, world_size, parts: this process, their number, and the parts of its share; see
            :class:`labelkit.datasets.streams.Stream`.

    Returns:
        ``stream[step]``: ``image`` (G, K, 3, H, W), ``tags`` (G, K, C) and ``index`` (G, K).

    Raises:
        ValueError: as :class:`Gathered`, or the groups cannot be shared out evenly over processes and parts.
    """
    indexed = Indexed(dataset)
    gathered = Gathered(indexed, partners, group_size, augment)
    return Stream(indexed, range(len(dataset)), groups, gathered, seed, rank, world_size, parts)


def tags_of(dataset: Any) -> np.ndarray:
    """Tags (n, C) float32 of all samples of a data set."""
    return np.stack([np.asarray(dataset[index]["tags"], dtype=np.float32) for index in range(len(dataset))])
