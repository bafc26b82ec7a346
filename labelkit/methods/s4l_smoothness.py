"""Virtual adversarial training as S4L re-tuned it, and MOAM, the mix of all models that S4L ends with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from labelkit.losses.adversarial_perturbation import virtual_adversarial_loss
from labelkit.losses.entropy import mean_entropy
from labelkit.losses.rotation import four_rotations, repeat_labels, rotation_loss
from labelkit.methods.s4l import Batch, centred
from labelkit.models.layers import statistics_kept


class VirtualAdversarial(nn.Module):
    """Classify the labelled images, and predict alike in the neighbourhood of every image; perhaps be decided as well.

    Loss: cross-entropy + weight * mean KL[f(x + r) || f(x)] + entropy_weight * mean entropy, the last two over labelled
    and unlabelled images together. No rotations. Perturbed passes leave the running statistics of batch normalisation
    alone.

    Args:
        network: with ``features`` and the head ``classes``.
        radius: length of the perturbation, in units of images in -1..1. The authors write 40 at 224 x 224 pixels, but
            their direction is shorter than 1.
        weight: of the divergence.
        entropy_weight: of entropy minimisation; 0 for pure virtual adversarial training.
        xi, floor: of the power iteration; see :func:`labelkit.losses.adversarial_perturbation.perturbation_direction`.
    """

    def __init__(
        self,
        network: nn.Module,
        radius: float,
        weight: float = 0.5,
        entropy_weight: float = 0.0,
        xi: float = 1e-2,
        floor: float = 0.0,
    ):
        super().__init__()
        self.network, self.radius, self.weight, self.entropy_weight = network, radius, weight, entropy_weight
        self.xi, self.floor = xi, floor

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, label) and ``unlabelled`` (image); returns loss, classes, vat, entropy."""
        unlabelled = batch["unlabelled"]["image"]
        images = centred(torch.cat([unlabelled, batch["labelled"]["image"]]))
        scores = self.network(images)
        classes = F.cross_entropy(scores[len(unlabelled) :], batch["labelled"]["label"])
        with statistics_kept(self.network):
            vat = virtual_adversarial_loss(
                self.network, images, scores, radius=self.radius, xi=self.xi, floor=self.floor
            )
        entropy = mean_entropy(scores)
        loss = classes + self.weight * vat
        if self.entropy_weight:
            loss = loss + self.entropy_weight * entropy
        return {"loss": loss, "classes": classes, "vat": vat, "entropy": entropy}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> class scores (B, C)."""
        return self.network(centred(images))


class MOAM(nn.Module):
    """Step 1 of the mix of all models: rotation, virtual adversarial training and entropy minimisation together.

    Loss: class_weight * classes (four rotations) + vat_weight * vat + (1 - class_weight - vat_weight) * rotation +
    entropy_weight * entropy. Divergence and entropy are taken on the rotated unlabelled images alone, unlike in
    :class:`VirtualAdversarial`. Steps 2 and 3 are supervised training, on pseudo labels and then on the labels.

    Args:
        network: with ``features`` and the heads ``classes`` and ``rotations``.
        radius: length of the perturbation, in units of images in -1..1.
        class_weight, vat_weight, entropy_weight: see above.
        xi, floor: of the power iteration.
        average_halflife: predict with a running average of the weights with this half-life in steps; 0 for none. The
            authors take an epoch of the labelled images. The average trails the weights by one step.

    Attributes:
        last_part: whether a batch is the last of its step; the training loop says so. The average takes a step once.

    Raises:
        ValueError: the weights leave less than nothing for the rotation loss.
    """

    last_part = True

    def __init__(
        self,
        network: nn.Module,
        radius: float,
        class_weight: float = 0.3,
        vat_weight: float = 0.3,
        entropy_weight: float = 0.3,
        xi: float = 1e-2,
        floor: float = 0.0,
        average_halflife: float = 0.0,
    ):
        super().__init__()
        if min(class_weight, vat_weight) < 0 or class_weight + vat_weight > 1:
            raise ValueError(f"class_weight {class_weight} and vat_weight {vat_weight} must be shares of 1")
        self.network, self.radius, self.xi, self.floor = network, radius, xi, floor
        self.class_weight, self.vat_weight, self.entropy_weight = class_weight, vat_weight, entropy_weight
        self.average: AveragedModel | None = None
        if average_halflife:
            average = get_ema_multi_avg_fn(0.5 ** (1 / average_halflife))
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True).requires_grad_(False)

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, label) and ``unlabelled`` (image).

        Returns:
            loss, classes, vat, rotation and entropy.
        """
        if self.average is not None and self.last_part:
            self.average.update_parameters(self.network)
        unlabelled = four_rotations(centred(batch["unlabelled"]["image"]))
        labelled = four_rotations(centred(batch["labelled"]["image"]))
        features = self.network.features(torch.cat([unlabelled, labelled]))
        scores, scores_labelled = self.network.heads["classes"](features).split([len(unlabelled), len(labelled)])
        turns = self.network.heads["rotations"](features).split([len(unlabelled), len(labelled)])
        classes = F.cross_entropy(scores_labelled, repeat_labels(batch["labelled"]["label"]))
        rotation = rotation_loss(*turns)
        with statistics_kept(self.network):
            vat = virtual_adversarial_loss(
                self.network, unlabelled, scores, radius=self.radius, xi=self.xi, floor=self.floor
            )
        entropy = mean_entropy(scores)
        rest = 1 - self.class_weight - self.vat_weight
        loss = self.class_weight * classes + self.vat_weight * vat + rest * rotation + self.entropy_weight * entropy
        return {"loss": loss, "classes": classes, "vat": vat, "rotation": rotation, "entropy": entropy}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> class scores (B, C) of the averaged weights, if there are any."""
        network = self.network if self.average is None else self.average
        return network(centred(images))
