"""S4L: self-supervised semi-supervised learning (Zhai, Oliver, Kolesnikov, Beyer; ICCV 2019), and its controls.

Read against the authors' code, google-research/s4l at 8f1cf05. A network here has ``features(images)`` and ``heads``,
linear layers on the features by name: ``classes``, and ``rotations`` or ``embeddings``. Batches hold images in 0..1;
networks and losses see -1..1, so a radius is in these units. Virtual adversarial training, and the mix of all models,
are in :mod:`labelkit.methods.s4l_smoothness`.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.losses.exemplar import exemplar_loss
from labelkit.losses.rotation import four_rotations, repeat_labels, rotation_loss

Batch = Mapping[str, Mapping[str, Tensor]]
ACTS_ON = ("both", "labelled", "unlabelled")


def centred(images: Tensor) -> Tensor:
    """0..1 -> -1..1."""
    return 2 * images - 1


class Supervised(nn.Module):
    """Cross-entropy on the labelled images; the baseline, the control, and the student of pseudo labels.

    Args:
        network: with ``features`` and the head ``classes``.
        rotations: train on all four rotations of each image, the label repeated. S4L-Rotation does so in its class
            loss; with this control its gain over plain training is not mistaken for the work of the rotation head.
    """

    def __init__(self, network: nn.Module, rotations: bool = False):
        super().__init__()
        self.network, self.rotations = network, rotations

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, label); returns loss and classes, which are the same."""
        images, labels = centred(batch["labelled"]["image"]), batch["labelled"]["label"]
        if self.rotations:
            images, labels = four_rotations(images), repeat_labels(labels)
        loss = F.cross_entropy(self.network(images), labels)
        return {"loss": loss, "classes": loss}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> class scores (B, C)."""
        return self.network(centred(images))


class S4LRotation(nn.Module):
    """Classify the labelled images, and tell of all images by how much they were turned.

    Every image enters with its four rotations. Loss: mean cross-entropy of the classes over all rotations of the
    labelled images + weight * average of the two means of the rotation cross-entropy, over unlabelled and over
    labelled images. Unlabelled and labelled rows share one forward pass, and so their batch statistics.

    Args:
        network: with ``features`` and the heads ``classes`` and ``rotations``.
        weight: of the rotation loss; 0 keeps the passes and drops the loss.
        acts_on: which images the rotation loss is taken on: "both", "labelled" or "unlabelled". The passes stay.

    Raises:
        ValueError: acts_on is none of those.
    """

    def __init__(self, network: nn.Module, weight: float = 1.0, acts_on: str = "both"):
        super().__init__()
        if acts_on not in ACTS_ON:
            raise ValueError(f"acts_on is {acts_on!r}; expected one of {', '.join(ACTS_ON)}")
        self.network, self.weight, self.acts_on = network, weight, acts_on

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, label) and ``unlabelled`` (image); returns loss, classes and rotation."""
        unlabelled = four_rotations(centred(batch["unlabelled"]["image"]))
        labelled = four_rotations(centred(batch["labelled"]["image"]))
        features = self.network.features(torch.cat([unlabelled, labelled]))
        scores = self.network.heads["classes"](features[len(unlabelled) :])
        classes = F.cross_entropy(scores, repeat_labels(batch["labelled"]["label"]))
        turns = self.network.heads["rotations"](features).split([len(unlabelled), len(labelled)])
        parts = {"both": turns, "unlabelled": turns[:1], "labelled": turns[1:]}[self.acts_on]
        rotation = rotation_loss(*parts)
        return {"loss": classes + self.weight * rotation, "classes": classes, "rotation": rotation}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> class scores (B, C)."""
        return self.network(centred(images))


class RotationPretraining(nn.Module):
    """The rotation loss alone, on unlabelled images: what is fine-tuned afterwards in the two-stage alternative.

    Args:
        network: with ``features`` and the heads ``classes`` (not trained here) and ``rotations``.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``unlabelled`` (image); returns loss and rotation, which are the same."""
        turned = four_rotations(centred(batch["unlabelled"]["image"]))
        loss = rotation_loss(self.network.heads["rotations"](self.network.features(turned)))
        return {"loss": loss, "rotation": loss}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> scores (B, C) of the class head, which is as it was drawn."""
        return self.network(centred(images))


class S4LExemplar(nn.Module):
    """Classify copies of the labelled images, and bring the copies of every image together in an embedding.

    Loss: mean cross-entropy of the classes over all copies of the labelled images + weight * average of the two mean
    triplet losses, over unlabelled and over labelled images.

    Args:
        network: with ``features`` and the heads ``classes`` and ``embeddings``.
        weight: of the triplet loss.
        grouping: "correct", or "swapped" as in the authors' code; see :func:`labelkit.losses.exemplar.identities`.
    """

    def __init__(self, network: nn.Module, weight: float = 1.0, grouping: str = "correct"):
        super().__init__()
        if grouping not in ("correct", "swapped"):
            raise ValueError(f"grouping is {grouping!r}; expected 'correct' or 'swapped'")
        self.network, self.weight, self.grouping = network, weight, grouping

    def training_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step on ``labelled`` (image, label) and ``unlabelled`` (image), images (B, copies, 3, H, W).

        Returns:
            loss, classes and exemplar.
        """
        unlabelled, labelled = batch["unlabelled"]["image"], batch["labelled"]["image"]
        copies = labelled.shape[1]
        images = torch.cat([unlabelled.flatten(0, 1), labelled.flatten(0, 1)])
        features = self.network.features(centred(images))
        sizes = [unlabelled.shape[0] * copies, labelled.shape[0] * copies]
        scores = self.network.heads["classes"](features[sizes[0] :])
        classes = F.cross_entropy(scores, repeat_labels(batch["labelled"]["label"], copies))
        embeddings = self.network.heads["embeddings"](features).split(sizes)
        exemplar = exemplar_loss(*embeddings, copies=copies, grouping=self.grouping)
        return {"loss": classes + self.weight * exemplar, "classes": classes, "exemplar": exemplar}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in 0..1 -> class scores (B, C)."""
        return self.network(centred(images))
