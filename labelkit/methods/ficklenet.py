"""FickleNet (Lee, Kim, Lee, Lee, Yoon; CVPR 2019): a classifier that sees another part of every window in every pass.

No code of the authors was found in public. What is from the paper's abstract and what is our reading is told in
`labelkit.models.stochastic_selection` and in the chapter.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.models.selection_maps import expected_maps, random_maps
from labelkit.models.stochastic_selection import StochasticSelection
from labelkit.pseudo_labels.activation_maps import normalise, resize_maps
from labelkit.pseudo_labels.stochastic_union import StochasticUnion


class FickleNet(nn.Module):
    """A trunk and a stochastic last layer, trained on image tags; its random maps are united into one.

    With rate 0 in training this is the deterministic classifier of the same architecture, the baseline.

    Args:
        trunk: images (B, 3, H, W) in 0..1 to features (B, K, h, w).
        head: the last layer.
    """

    def __init__(self, trunk: nn.Module, head: StochasticSelection) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def training_step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step on ``image`` (B, 3, H, W) and ``tags`` (B, C): mean binary cross-entropy of one random pass."""
        logits = self.head.logits(self.trunk(batch["image"]), stochastic=True)
        return {"loss": F.multilabel_soft_margin_loss(logits, batch["tags"])}

    def predict(self, images: Tensor) -> Tensor:
        """Tag logits (B, C) of the deterministic pass, in which each position counts its expected factor."""
        return self.head.logits(self.trunk(images), stochastic=False)

    @torch.no_grad()
    def maps(self, images: Tensor, tags: Tensor, elementwise: bool = True) -> Tensor:
        """Deterministic localisation maps.

        Args:
            images: (B, 3, H, W).
            tags: (B, C), above 0 where a class is present.
            elementwise: weigh each position by its own gradient (FickleNet), or by the mean over positions (Grad-CAM).

        Returns:
            (B, C, H, W) in 0..1, each divided by its maximum; 0 for absent classes.
        """
        return resize_maps(self.coarse_maps(images, tags, elementwise), images.shape[-2:])

    @torch.no_grad()
    def coarse_maps(self, images: Tensor, tags: Tensor, elementwise: bool = True) -> Tensor:
        """The same at the resolution of the features, (B, C, h, w)."""
        return normalise(expected_maps(self.head, self._features(images), elementwise), tags)

    @torch.no_grad()
    def unite(
        self,
        images: Tensor,
        tags: Tensor,
        counts: Sequence[int] = (200,),
        *,
        rate: float | None = None,
        elementwise: bool = True,
        generator: torch.Generator | None = None,
    ) -> dict[int, tuple[Tensor, Tensor]]:
        """Draw random maps and unite them. The draws are nested: a smaller number of maps is part of a larger one.

        Each map is divided by its own maximum. The union is made at the resolution of the features, so that an image's
        maps never lie in memory at full size; only largest and mean value are resized.

        Args:
            images: (B, 3, H, W).
            tags: (B, C), above 0 where a class is present; the others are not computed.
            counts: numbers of maps after which the union is wanted. Paper: 200 (from memory).
            rate: at which positions are dropped; that of training if None.
            elementwise: see `maps`.
            generator: of the masks, on the device of the images; torch's global one if None.

        Returns:
            Number of maps -> largest and mean value, (B, C, h, w) each, 0 for absent classes.

        Raises:
            ValueError: no count, or one below 1.
        """
        if not counts or min(counts) < 1:
            raise ValueError(f"counts is {list(counts)}; expected numbers of maps of at least 1.")
        head = copy(self.head)  # shares the weights; the rate of the copy can be another
        head.rate = head.rate if rate is None else rate
        features = self._features(images)
        found = {count: [features.new_zeros(*tags.shape, *features.shape[2:]) for _ in range(2)] for count in counts}
        for number, (x, present) in enumerate(zip(features, tags)):
            classes = (present > 0).nonzero()[:, 0]
            if len(classes) == 0:
                continue  # an image without any tag has no map
            union = StochasticUnion()
            drawn = random_maps(head, x, classes, max(counts), elementwise=elementwise, generator=generator)
            for maps in _split_at(drawn, counts):
                union.add(normalise(maps))
                if union.count in found:
                    highest, mean = found[union.count]
                    highest[number, classes], mean[number, classes] = union.highest, union.mean
        return {count: (highest, mean) for count, (highest, mean) in found.items()}

    def _features(self, images: Tensor) -> Tensor:
        """Features with the statistics of training, whatever mode the network is in: only the masks are random."""
        with evaluating(self.trunk):
            return self.trunk(images)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Within the block the module is in evaluation mode; afterwards as it was."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def _split_at(parts: Iterator[Tensor], counts: Sequence[int]) -> Iterator[Tensor]:
    """The same rows in parts that also end at each of the counts."""
    done = 0
    for part in parts:
        ends = sorted({count - done for count in counts if 0 < count - done < len(part)} | {len(part)})
        yield from (part[start:end] for start, end in zip([0, *ends], ends))
        done += len(part)
