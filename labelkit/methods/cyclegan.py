"""CycleGAN for semi-supervised segmentation (Mondal, Agarwal, Dolz, Desrosiers; 2019).

Read against the authors' code, arnab39/Semi-supervised-segmentation-cycleGAN at bc02d92, the state nearest to the
paper's date. There the generators' update comes first and the discriminators' second; but the second uses fakes made
before the first, and the first uses discriminators from before the second. So one backward pass through one sum
of both losses, and one optimiser step, does the same.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from labelkit.losses.adversarial import (
    discriminator_accuracy,
    least_squares_discriminator,
    least_squares_generator,
    mean_where,
)
from labelkit.losses.cross_entropy import cross_entropy
from labelkit.losses.cross_pseudo import hard_labels
from labelkit.models.history_pool import HistoryPool
from labelkit.models.layers import statistics_kept

Batch = Mapping[str, Mapping[str, Tensor]]

IGNORED = 255
ADVERSARIES = ("argmax", "soft", "straight-through")
INPUTS = ("scalar", "one-hot")


@dataclass(frozen=True)
class Weights:
    """Weights of the generators' unsupervised terms, as in the authors' code; the two supervised terms have weight 1.

    A term of weight 0 is still measured, without gradient.
    """

    adversarial_image: float = 0.5
    adversarial_mask: float = 0.5
    cycle_image: float = 1.0
    cycle_mask: float = 0.05


class CycleGAN(nn.Module):
    """Two generators, image to mask and mask to image, tied by cycles and judged by two discriminators.

    Args:
        segmenter: images (B, 3, H, W) in 0..1 to logits (B, C, H, W). Any segmentation network; it alone predicts.
        painter: class maps (B, C, H, W), one-hot or softmax, to images (B, 3, H, W) in -1..1.
        image_discriminator: images in -1..1 to scores (B, 1, H, W).
        mask_discriminator: masks to scores (B, 1, H, W); its input has one channel, or C with ``mask_input="one-hot"``.
        num_classes: C.
        weights: of the unsupervised terms.
        mask_adversary: how a predicted mask reaches its discriminator. "argmax" (the authors' code) passes hard
            classes, so the term has no gradient and teaches nothing; "soft" passes probabilities; "straight-through"
            passes hard classes forward and the gradient of the probabilities backward.
        mask_input: "scalar", the class id as a number (the authors' code; the expected id for "soft"), or "one-hot".
        ignored_as: class that pixels labelled 255 are trained as. The authors train on them (0, background, on VOC);
            None leaves them out of every term that looks at a mask.
        pool_size: batches in the two pools of earlier fakes.

    Raises:
        ValueError: an option is none of those named, or ignored_as is no class.
    """

    def __init__(
        self,
        segmenter: nn.Module,
        painter: nn.Module,
        image_discriminator: nn.Module,
        mask_discriminator: nn.Module,
        num_classes: int,
        weights: Weights | None = None,
        mask_adversary: str = "argmax",
        mask_input: str = "scalar",
        ignored_as: int | None = None,
        pool_size: int = 50,
    ):
        super().__init__()
        if mask_adversary not in ADVERSARIES:
            raise ValueError(f"mask_adversary is {mask_adversary!r}; expected one of {', '.join(ADVERSARIES)}")
        if mask_input not in INPUTS:
            raise ValueError(f"mask_input is {mask_input!r}; expected one of {', '.join(INPUTS)}")
        if ignored_as is not None and not 0 <= ignored_as < num_classes:
            raise ValueError(f"ignored_as is {ignored_as}; expected a class of 0..{num_classes - 1}, or None")
        self.segmenter, self.painter = segmenter, painter
        self.image_discriminator, self.mask_discriminator = image_discriminator, mask_discriminator
        self.num_classes, self.weights = num_classes, weights or Weights()
        self.mask_adversary, self.mask_input, self.ignored_as = mask_adversary, mask_input, ignored_as
        self.image_pool, self.mask_pool = HistoryPool(pool_size), HistoryPool(pool_size)

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, mask) and ``unlabelled`` (image).

        Returns:
            Every term unweighted (segmentation, image, adversarial_image, adversarial_mask, cycle_image, cycle_mask),
            generators, discriminator_image, discriminator_mask, the two accuracies of the discriminators, and loss:
            generators plus discriminators. Generators learn from the first alone, discriminators from the second.
        """
        image, other = batch["labelled"]["image"], batch["unlabelled"]["image"]
        mask = known(batch["labelled"]["mask"], self.ignored_as)
        valid = (mask != IGNORED)[:, None]

        painted = self.painter(self.one_hot(mask).to(image.dtype))
        guess = F.softmax(self.segmenter(other), dim=1)
        terms = {
            "segmentation": cross_entropy(self.segmenter(image), mask),
            "image": mean_where(F.mse_loss(painted, signed(image), reduction="none"), valid),
        }
        with self._measured_only("adversarial_image"):
            terms["adversarial_image"] = least_squares_generator(frozen(self.image_discriminator, painted))
        with self._measured_only("adversarial_mask"):
            terms["adversarial_mask"] = least_squares_generator(frozen(self.mask_discriminator, self.shown(guess)))
        with self._measured_only("cycle_image"):
            terms["cycle_image"] = F.l1_loss(self.painter(guess), signed(other))
        with self._measured_only("cycle_mask"), statistics_kept(self.segmenter):
            terms["cycle_mask"] = cross_entropy(self.segmenter((painted + 1) / 2), mask)
        generators = terms["segmentation"] + terms["image"]
        for name, weight in vars(self.weights).items():
            generators = generators + weight * terms[name]

        # Fakes from here on carry no gradient: what follows teaches the discriminators alone.
        real_image = self.image_discriminator(signed(other))
        fake_image = self.image_discriminator(self.image_pool.exchange(painted))
        real_mask = self.mask_discriminator(self.encoded(mask).to(image.dtype))
        fake_mask = self.mask_discriminator(self._earlier_masks(guess).to(image.dtype))
        on_images = least_squares_discriminator(real_image, fake_image)
        on_masks = least_squares_discriminator(real_mask, fake_mask, valid)
        return {
            "loss": generators + on_images + on_masks,
            **terms,
            "generators": generators,
            "discriminator_image": on_images,
            "discriminator_mask": on_masks,
            "accuracy_image": discriminator_accuracy(real_image, fake_image),
            "accuracy_mask": discriminator_accuracy(real_mask, fake_mask, valid),
        }

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, C, H, W) of the segmenter."""
        return self.segmenter(images)

    def one_hot(self, mask: Tensor) -> Tensor:
        """Labels (B, H, W) -> (B, C, H, W) of 0 and 1; a pixel of an unknown class is 0 in every channel."""
        return (mask[:, None] == torch.arange(self.num_classes, device=mask.device)[:, None, None]).float()

    def encoded(self, mask: Tensor) -> Tensor:
        """Hard labels (B, H, W) as the mask discriminator sees them: ids (B, 1, H, W) or one-hot (B, C, H, W)."""
        if self.mask_input == "one-hot":
            return self.one_hot(mask)
        return mask.masked_fill(mask == IGNORED, 0)[:, None].float()

    def shown(self, probabilities: Tensor) -> Tensor:
        """Softmax maps (B, C, H, W) as the mask discriminator sees them in the generators' term.

        With "argmax" the result carries no gradient, whatever the weight of the term.
        """
        hard = self.encoded(hard_labels(probabilities)).to(probabilities.dtype)
        if self.mask_adversary == "argmax":
            return hard
        soft = probabilities
        if self.mask_input == "scalar":
            ids = torch.arange(self.num_classes, device=soft.device, dtype=soft.dtype)
            soft = (soft * ids[:, None, None]).sum(1, keepdim=True)
        return soft if self.mask_adversary == "soft" else hard + (soft - soft.detach())

    def _earlier_masks(self, probabilities: Tensor) -> Tensor:
        """What the pool answers to the newest masks, as the discriminator sees them; hard ones are kept as bytes."""
        if self.mask_adversary == "soft":
            return self.mask_pool.exchange(self.shown(probabilities))
        ids = hard_labels(probabilities)[:, None].to(torch.uint8)
        return self.encoded(self.mask_pool.exchange(ids)[:, 0].long())

    def _measured_only(self, term: str) -> torch.no_grad | nullcontext:
        return nullcontext() if getattr(self.weights, term) else torch.no_grad()


class SupervisedSegmenter(nn.Module):
    """The baseline: the segmenter alone, with cross-entropy on the labelled images.

    Args:
        segmenter: images (B, 3, H, W) in 0..1 to logits (B, C, H, W).
        ignored_as: as for :class:`CycleGAN`.
    """

    def __init__(self, segmenter: nn.Module, ignored_as: int | None = None):
        super().__init__()
        self.segmenter, self.ignored_as = segmenter, ignored_as

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, mask)."""
        labelled = batch["labelled"]
        return {"loss": cross_entropy(self.segmenter(labelled["image"]), known(labelled["mask"], self.ignored_as))}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> logits (B, C, H, W)."""
        return self.segmenter(images)


def signed(images: Tensor) -> Tensor:
    """Images in 0..1 -> -1..1, the range in which the terms measure images."""
    return 2 * images - 1


def known(mask: Tensor, ignored_as: int | None) -> Tensor:
    """Labels (B, H, W) with 255 replaced by the class it is trained as; unchanged if None."""
    return mask if ignored_as is None else mask.masked_fill(mask == IGNORED, ignored_as)


def frozen(network: nn.Module, x: Tensor) -> Tensor:
    """A network's output through which gradient reaches ``x`` but none of its parameters."""
    return functional_call(network, {name: value.detach() for name, value in network.named_parameters()}, (x,))
