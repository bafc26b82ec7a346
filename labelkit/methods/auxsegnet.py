"""AuxSegNet (Xu, Ouyang, Bennamoun, Boussaid, Sohel, Xu; ICCV 2021): segmentation from image tags, with help.

One trunk learns tags, saliency and segmentation together. The two dense tasks learn which positions belong together;
out of both affinities comes one that refines their predictions, and after a stage of training spreads the class
activation maps to make better labels for the next. Read against the authors' code, xulianuwa/AuxSegNet at 9f40a5d.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.crf.mean_field import Bilateral, Gaussian, mean_field
from labelkit.crf.unaries import negative_log, saliency_energy
from labelkit.losses.cross_entropy import cross_entropy
from labelkit.models.affinity_propagation import propagate
from labelkit.models.auxsegnet import AuxSegNetwork, Outputs
from labelkit.pseudo_labels.activation_maps import normalise, resize_maps
from labelkit.pseudo_labels.saliency_fusion import fuse

PROPAGATIONS = ("learned", "identity", "random", "uniform", "transposed")
SaliencyCRF = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Weights:
    """Weights of the five losses; the paper's are all 1. A loss of weight 0, or of an absent head, is not computed."""

    classification: float = 1.0
    saliency: float = 1.0
    refined_saliency: float = 1.0
    segmentation: float = 1.0
    refined_segmentation: float = 1.0


@dataclass(frozen=True)
class Relabelled:
    """New labels of some images.

    Attributes:
        labels: (B, H, W) int64: 0 background, 1..C, 255 unsure.
        saliency: (B, 1, H, W) in 0..1, the next stage's target.
        maps: (B, C, H, W), class activation maps after propagation; their maxima are no longer 1.
    """

    labels: Tensor
    saliency: Tensor
    maps: Tensor


class AuxSegNet(nn.Module):
    """The training step and the relabelling.

    Args:
        network: a trunk with the three heads, or some of them.
        weights: of the five losses.
    """

    def __init__(self, network: AuxSegNetwork, weights: Weights | None = None) -> None:
        super().__init__()
        self.network, self.weights = network, weights or Weights()

    def training_step(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One step on image, mask (pseudo labels), tags and saliency (the target, binarised here).

        Returns:
            loss, and under their names the terms that it is the weighted sum of.
        """
        terms = losses(self.network(batch["image"]), batch, self.weights)
        return {"loss": sum(getattr(self.weights, name) * term for name, term in terms.items()), **terms}

    def predict(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, C + 1, H, W), refined if the network has an affinity."""
        outputs = self.network(images)
        refined = outputs.refined_segmentation
        return resize_maps(outputs.segmentation if refined is None else refined, images.shape[-2:])

    def predict_unrefined(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, C + 1, H, W) of the segmentation head before the affinity."""
        return resize_maps(self.network(images).segmentation, images.shape[-2:])

    @torch.no_grad()
    def relabel(
        self,
        images: Tensor,
        tags: Tensor,
        saliency: Tensor,
        crf: SaliencyCRF | None = None,
        propagation: str = "learned",
    ) -> Relabelled:
        """Labels for the next stage; the method must be in evaluation mode.

        Args:
            images: (B, 3, H, W) in 0..1.
            tags: (B, C), above 0 where a class is present.
            saliency: (B, 1, H, W), the original maps of the detector, not those of an earlier stage.
            crf: images and saliency (B, 1, H, W) to smoothed saliency; None leaves it as it is.
            propagation: what spreads the maps; "learned" is the paper's, see :func:`propagator`.

        Raises:
            ValueError: the network lacks a head, or the propagation is unknown.
        """
        outputs, maps = self.network.with_maps(images)
        if outputs.affinity is None or outputs.refined_saliency is None:
            raise ValueError("relabelling needs an affinity and a saliency head; this network has not both")
        updated = updated_saliency(outputs.refined_saliency, saliency, images, crf)
        spread = spread_maps(maps, propagator(outputs.affinity, propagation), images.shape[-2:])
        return Relabelled(fuse(spread, updated, tags), updated, spread)


def losses(outputs: Outputs, batch: Mapping[str, Tensor], weights: Weights) -> dict[str, Tensor]:
    """The terms of the loss, unweighted, by the names of :class:`Weights`.

    Args:
        outputs: of the network.
        batch: ``tags`` (B, C), ``saliency`` (B, 1, H, W) and ``mask`` (B, H, W) with 255 ignored.
        weights: what is not 0 is computed, if the network has it.
    """
    wanted = {
        "classification": (classification_loss, outputs.tags, "tags"),
        "saliency": (saliency_loss, outputs.saliency, "saliency"),
        "refined_saliency": (saliency_loss, outputs.refined_saliency, "saliency"),
        "segmentation": (segmentation_loss, outputs.segmentation, "mask"),
        "refined_segmentation": (segmentation_loss, outputs.refined_segmentation, "mask"),
    }
    return {
        name: loss(logits, batch[target])
        for name, (loss, logits, target) in wanted.items()
        if logits is not None and getattr(weights, name)
    }


def classification_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Multi-label soft margin: binary cross-entropy of (B, C) logits and tags, mean over images and classes."""
    return F.multilabel_soft_margin_loss(_full(logits), tags.to(_full(logits).dtype))


def saliency_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy over all pixels, after bilinear upsampling to the size of the target.

    Args:
        logits: (B, 1, h, w).
        target: (B, 1, H, W) in 0..1; above 0.5 is salient. It is made binary here, after any resizing.
    """
    logits = resize_maps(_full(logits), target.shape[-2:])
    return F.binary_cross_entropy_with_logits(logits, (target > 0.5).to(logits.dtype))


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy over the labelled pixels, after bilinear upsampling: (B, C + 1, h, w), (B, H, W) with 255."""
    return cross_entropy(resize_maps(_full(logits), labels.shape[-2:]), labels)


def updated_saliency(logits: Tensor, original: Tensor, images: Tensor, crf: SaliencyCRF | None) -> Tensor:
    """The next stage's saliency: the network's opinion and the detector's, averaged, then smoothed.

    Args:
        logits: refined saliency (B, 1, h, w).
        original: the detector's maps (B, 1, H, W) in 0..1.
        images: (B, 3, H, W) in 0..1.
        crf: as for :meth:`AuxSegNet.relabel`.

    Returns:
        (B, 1, H, W) in 0..1.
    """
    opinion = resize_maps(torch.sigmoid(_full(logits)), original.shape[-2:])
    mean = (opinion + original) / 2
    return mean if crf is None else crf(images, mean)


def spread_maps(maps: Tensor, affinity: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Class activation maps, each divided by its maximum, then spread by an affinity, then enlarged.

    All classes are treated alike here; what is absent from an image is left out when labels are made.

    Args:
        maps: raw maps (B, C, h, w).
        affinity: (B, N, N) with N = h * w, or None to leave the maps where they are.
        size: (H, W) of the result.

    Returns:
        (B, C, H, W).
    """
    maps = normalise(maps)
    return resize_maps(maps if affinity is None else propagate(maps, affinity), size)


def propagator(affinity: Tensor, kind: str) -> Tensor:
    """The matrix that spreads the maps: the learned one, or a control.

    Args:
        affinity: (B, N, N), as learned.
        kind: "learned"; "identity" (nothing spreads); "random" (rows drawn uniformly, then made to sum to 1, from
            PyTorch's global generator); "uniform" (every position gets the mean); "transposed" (as the paper's text,
            but not its code, has it).

    Returns:
        (B, N, N).

    Raises:
        ValueError: the kind is none of those.
    """
    if kind not in PROPAGATIONS:
        raise ValueError(f"propagation is {kind!r}; expected one of {', '.join(PROPAGATIONS)}")
    n = affinity.shape[-1]
    if kind == "identity":
        return torch.eye(n, dtype=affinity.dtype, device=affinity.device).expand_as(affinity)
    if kind == "random":
        drawn = torch.rand_like(affinity)
        return drawn / drawn.sum(-1, keepdim=True)
    if kind == "uniform":
        return torch.full_like(affinity, 1 / n)
    return affinity if kind == "learned" else affinity.transpose(1, 2)


def saliency_crf(images: Tensor, saliency: Tensor, scale: float = 1.0, exact: bool | None = None) -> Tensor:
    """One step of a dense CRF with two labels, as the authors smooth the next stage's saliency.

    Args:
        images: (B, 3, H, W) in 0..1.
        saliency: (B, 1, H, W) in 0..1.
        scale: divides the widths of both kernels, for images smaller than photographs.
        exact: see :func:`labelkit.crf.mean_field.mean_field`.

    Returns:
        (B, 1, H, W) in 0..1.
    """
    kernels = Gaussian(sxy=3 / scale, compat=3), Bilateral(sxy=60 / scale, srgb=5, compat=5)
    return mean_field(saliency_energy(saliency), images, *kernels, iterations=1, exact=exact)[:, 1:]


def segmentation_crf(images: Tensor, probabilities: Tensor, scale: float = 1.0) -> Tensor:
    """Ten steps of a dense CRF over all classes, the authors' optional end: (B, 3, H, W), (B, K, H, W) -> (B, K, H, W).

    ``scale`` as for :func:`saliency_crf`.
    """
    kernels = Gaussian(sxy=4 / scale, compat=3), Bilateral(sxy=83 / scale, srgb=5, compat=3)
    return mean_field(negative_log(probabilities), images, *kernels, iterations=10)


def _full(logits: Tensor) -> Tensor:
    """At least single precision: under autocast logits arrive as bfloat16."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
