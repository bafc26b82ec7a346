"""One recipe for the methods that learn from few labelled images: what differs between arms is the method alone.

Network, pretraining, split, labelled batches, augmentation, supervised loss, optimiser of the segmentation network,
steps and seeds are the same. What a method brings along (a second network, a generator, discriminators) is added to
that.
"""

from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from labelkit.datasets.streams import Joined
from labelkit.experiments import cps, dars, segmentation
from labelkit.experiments.segmentation import Data, SegmentationSettings, fingerprint, prepare
from labelkit.experiments.settings import Context, Outcome
from labelkit.methods.cyclegan import CycleGAN
from labelkit.metrics.calibration import Calibration
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.protocols import batches, summary
from labelkit.models.cyclegan import ImageGenerator, PixelDiscriminator
from labelkit.optimizers import SideBySide
from labelkit.papers import Contrast

__all__ = ["ARMS", "COMPARISONS", "FRACTIONS", "METHODS", "Settings", "build", "fingerprint", "prepare", "run"]

FRACTIONS = ("1/16", "1/8", "1/4", "1/2")
METHODS = {
    "supervised": "labelled images alone",
    "self": "own hard labels in every step",
    "cps": "hard labels of a second network in every step",
    "cutmix": "the same on mixed images",
    "dars": "own labels, chosen by aligned thresholds and drawn at random, in rounds",
    "cyclegan": "images painted from masks and masked again",
}
"""Method to what it does with unlabelled images."""

ARMS = {f"{method}-{fraction}": (method, fraction) for fraction in FRACTIONS for method in METHODS}

COMPARISONS = {
    fraction: [
        Contrast(
            name=f"{method} over supervised at {fraction}",
            weights={f"{method}-{fraction}": 1, f"supervised-{fraction}": -1},
            protocol="test/whole-image",
        )
        for method in METHODS
        if method != "supervised"
    ]
    for fraction in FRACTIONS
}
"""What is compared, written down before anything was run: each method with labels alone, at each fraction."""


class Settings(cps.Settings):
    """Run-file keys of the comparison: those of CPS, and what DARS and CycleGAN need beside them."""

    paper: Literal["few_labels"]
    ratios: list[float] = Field(default=[0.2, 0.5], min_length=1, description="of DARS, one a round")
    painter_width: int = Field(default=8, ge=1, description="first width of CycleGAN's generator of images")
    painter_blocks: int = Field(default=2, ge=0, description="residual blocks of CycleGAN's generator of images")
    discriminator_width: int = Field(default=16, ge=1, description="first width of CycleGAN's two discriminators")
    painter_learning_rate: float = Field(default=2.0e-4, gt=0, description="Adam, for all that CycleGAN adds")


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell, then ask how well the network labels the unlabelled images, and how well it knows."""
    method, fraction = ARMS[arm]
    parts = segmentation.load_data(data, settings, context)
    if method == "dars":
        outcome = dars.run(arm, data, seed, settings_of_dars(settings), context)
    elif method == "cyclegan":
        outcome = _cyclegan(fraction, data, seed, settings, context)
    else:
        outcome = cps.run(arm, data, seed, settings, context)
    trained = build(arm, len(parts.classes), settings, seed)
    trained.load_state_dict(outcome.weights)
    quality = pseudo_labels(
        trained.to(context.device).eval(),
        parts,
        segmentation.split_of(parts, fraction, seed).unlabelled,
        context.device,
    )
    return replace(outcome, metrics=outcome.metrics | {f"{parts.train.name}/unlabelled/pseudo-labels": quality})


def build(arm: str, classes: int, settings: Settings, seed: int, backbone: dict[str, Any] | None = None) -> nn.Module:
    """The method of an arm; one seed gives every arm a segmentation network with the same first weights.

    Args:
        arm: of ``ARMS``.
        classes: of the data.
        settings: of the run.
        seed: of the cell.
        backbone: weights that replace those of the backbone.
    """
    method, fraction = ARMS[arm]
    if method == "dars":
        return dars.build(classes, settings_of_dars(settings), seed, backbone)
    if method == "cyclegan":
        network = cps.build(f"supervised-{fraction}", classes, settings, seed, backbone).network_a
        painter = ImageGenerator(classes, settings.painter_width, settings.painter_blocks)
        judges = [PixelDiscriminator(channels, settings.discriminator_width) for channels in (3, 1)]
        return CycleGAN(network, painter, *judges, classes, pool_size=20)
    return cps.build(arm, classes, settings, seed, backbone)


def settings_of_dars(settings: Settings) -> dars.Settings:
    """The same recipe as run-file keys of DARS."""
    shared = {key: getattr(settings, key) for key in SegmentationSettings.model_fields}
    return dars.Settings(**shared | {"paper": "dars", "ratios": settings.ratios})


def _cyclegan(fraction: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    parts = segmentation.load_data(data, settings, context)
    split = segmentation.split_of(parts, fraction, seed)
    backbone = segmentation.backbone_weights(settings, context)
    method = build(f"cyclegan-{fraction}", len(parts.classes), settings, seed, backbone)
    added = [each for name, each in method.named_parameters() if not name.startswith("segmenter.")]
    optimizer = SideBySide(
        [
            segmentation.sgd(method.segmenter, settings),
            torch.optim.Adam(added, lr=settings.painter_learning_rate, betas=(0.5, 0.999)),
        ]
    )

    stream = partial(segmentation.stream_of, parts, seed=seed, settings=settings, context=context)
    return segmentation.train_and_evaluate(
        method,
        Joined(labelled=stream(split.labelled, 0), unlabelled=stream(split.unlabelled, 1)),
        label=f"{data} cyclegan-{fraction} seed {seed}",
        data=parts,
        split=split,
        settings=settings,
        context=context,
        seed=seed,
        steps=settings.steps,
        images_a_step=2 * settings.batch_size,
        network=method.segmenter,
        optimizer=optimizer,
    )


def pseudo_labels(method: nn.Module, parts: Data, indices: tuple[int, ...], device: str) -> dict[str, Any]:
    """How good the labels are that a method would give to some training images, and what its confidence is worth.

    Args:
        method: with ``predict``.
        parts: the data; the images' own labels are used here and nowhere else.
        indices: of the training images.
        device: where to predict.

    Returns:
        What ``summary`` of the confusion matrix and ``Calibration`` give, together.
    """
    calibration = Calibration(ignore_index=parts.train.ignore_index)
    confusion = ConfusionMatrix(len(parts.classes), parts.train.ignore_index)
    with torch.no_grad():
        for images, masks in batches(parts.train, indices, 16, device):
            logits = method.predict(images)
            calibration.update(logits, masks)
            confusion.update(logits.argmax(1), masks)
    return summary(confusion, parts.classes, parts.rarest) | calibration.summary()
