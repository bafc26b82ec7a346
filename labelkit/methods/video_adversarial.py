"""Video adversarial training (VAT), the first phase of Shin, Park, Woo and Kweon, arXiv 2107.11052: our reading.

No code of the paper is public and its text could not be had. The abstract speaks of losses on the source, plural, and
later papers of a discriminator of sequences of predictions; a discriminator of single frames beside it is from memory.
The form follows ADVENT (Vu et al., CVPR 2019, valeoai/ADVENT at 3e58d45). There the segmenter's gradient is taken
first, with the discriminators frozen, then the discriminators' on detached maps, and all optimisers step last; one
backward pass through one sum does the same.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from labelkit.losses.cross_entropy import cross_entropy
from labelkit.losses.domain_adversarial import fooling, right_answers, telling_apart, weighted_self_information
from labelkit.losses.tube import tube_matching

Batch = Mapping[str, Mapping[str, Tensor]]
SHOWN = ("softmax", "self-information")
LENGTHS = ("window", "frame")


class VideoAdversarial(nn.Module):
    """A segmentation network that learns from labelled source clips and must not look different on target clips.

    Args:
        network: images (B, 3, H, W) to logits (B, C, H, W); frames go through one by one.
        image_discriminator: of single frames' maps (B, C, H, W), or None.
        sequence_discriminator: of the maps of T consecutive frames stacked along channels, (B, T * C, H, W), or None.
        image_weight, sequence_weight: of the segmenter's two adversarial terms.
        tube_weight: of the tube matching loss on the source; 0 leaves it out.
        tube_length: how far a tube goes: over all of the "window", or one "frame", the overlap loss of single pictures
            and the control of what time is worth in it. A class that a frame lacks costs nothing in that frame then.
        shown: what discriminators see: "softmax" maps or ADVENT's weighted "self-information". The softmax is taken
            frame by frame, before stacking.
        target_statistics: pass target frames through the network even without a discriminator, so that they enter
            the running statistics of its normalisation as they do with one: the control of what that alone is worth.

    Raises:
        ValueError: ``shown`` or ``tube_length`` is neither.
    """

    def __init__(
        self,
        network: nn.Module,
        image_discriminator: nn.Module | None = None,
        sequence_discriminator: nn.Module | None = None,
        image_weight: float = 1e-3,
        sequence_weight: float = 1e-3,
        tube_weight: float = 1.0,
        tube_length: str = "window",
        shown: str = "softmax",
        target_statistics: bool = False,
    ) -> None:
        super().__init__()
        if shown not in SHOWN:
            raise ValueError(f"shown is {shown!r}; expected one of {', '.join(SHOWN)}")
        if tube_length not in LENGTHS:
            raise ValueError(f"tube_length is {tube_length!r}; expected one of {', '.join(LENGTHS)}")
        self.network = network
        self.image_discriminator, self.sequence_discriminator = image_discriminator, sequence_discriminator
        self.image_weight, self.sequence_weight, self.tube_weight = image_weight, sequence_weight, tube_weight
        self.tube_length, self.shown, self.target_statistics = tube_length, shown, target_statistics

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``source`` (frames (B, T, 3, H, W), masks (B, T, H, W)) and ``target`` (frames).

        Returns:
            Every term unweighted: supervised, tube, and for each discriminator (image, sequence) fool_*, tell_* and
            right_* (its share of right answers); loss is the segmenter's weighted sum plus the discriminators' losses.
            The segmenter learns from the first, each discriminator from its own.
        """
        frames, masks = batch["source"]["frames"], batch["source"]["masks"]
        logits = self.over_frames(frames)
        terms = {"supervised": cross_entropy(logits.flatten(0, 1), masks.flatten(0, 1))}
        loss = terms["supervised"]
        if self.tube_weight:
            terms["tube"] = self.overlap(logits, masks)
            loss = loss + self.tube_weight * terms["tube"]
        if self.image_discriminator is None and self.sequence_discriminator is None:
            if self.target_statistics:
                with torch.no_grad():
                    self.over_frames(batch["target"]["frames"])
            return {"loss": loss, **terms}
        source = self.maps(logits).detach()  # detached: the source teaches the discriminators, not the other way round
        target = self.maps(self.over_frames(batch["target"]["frames"]))
        for name, discriminator, weight, joined in (
            ("image", self.image_discriminator, self.image_weight, lambda maps: maps.flatten(0, 1)),
            ("sequence", self.sequence_discriminator, self.sequence_weight, lambda maps: maps.flatten(1, 2)),
        ):
            if discriminator is None:
                continue
            terms[f"fool_{name}"] = fooling(frozen(discriminator, joined(target)))
            on_source, on_target = discriminator(joined(source)), discriminator(joined(target.detach()))
            terms[f"tell_{name}"] = telling_apart(on_source, on_target)
            terms[f"right_{name}"] = right_answers(on_source, on_target)
            loss = loss + weight * terms[f"fool_{name}"] + terms[f"tell_{name}"]
        return {"loss": loss, **terms}

    def overlap(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Tube matching of logits (B, T, C, H, W) and masks (B, T, H, W); frames apart if a tube is one frame long."""
        if self.tube_length == "frame":
            logits, masks = logits.flatten(0, 1)[:, None], masks.flatten(0, 1)[:, None]
        return tube_matching(logits, masks)

    def over_frames(self, frames: Tensor) -> Tensor:
        """Frames (B, T, 3, H, W) -> logits (B, T, C, H, W)."""
        return self.network(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    def maps(self, logits: Tensor) -> Tensor:
        """Logits (B, T, C, H, W) -> what discriminators are shown, frame by frame, as large."""
        probabilities = logits.softmax(2)
        if self.shown == "softmax":
            return probabilities
        return weighted_self_information(probabilities.flatten(0, 1)).unflatten(0, logits.shape[:2])

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, C, H, W)."""
        return self.network(images)


def frozen(network: nn.Module, x: Tensor) -> Tensor:
    """A network's output through which gradient reaches ``x`` but none of its parameters."""
    return functional_call(network, {name: value.detach() for name, value in network.named_parameters()}, (x,))
