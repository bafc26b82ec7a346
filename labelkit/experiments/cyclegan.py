"""CycleGAN: its arms differ in the share of labels, and in which terms tie the two generators together."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from labelkit.datasets.streams import Joined, Stream
from labelkit.experiments import segmentation
from labelkit.experiments.segmentation import Data, SegmentationSettings, fingerprint, prepare
from labelkit.experiments.settings import Context, Outcome
from labelkit.methods.cyclegan import CycleGAN, SupervisedSegmenter, Weights
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.metrics.released import released_miou
from labelkit.models.cyclegan import ImageGenerator, PixelDiscriminator, SegmentationGenerator
from labelkit.training import Schedule, constant

__all__ = ["ARMS", "Arm", "Settings", "build", "fingerprint", "optimizer", "prepare", "run"]

COMPUTE = 6  # a step of all four networks costs five to six of the segmenter alone (benchmarks/cyclegan_step.py)
DROPPED = ("background", "void")  # what the authors' metric cuts out: background on VOC, void on Cityscapes
POOLS = ("image_pool.", "mask_pool.")


class Settings(SegmentationSettings):
    """Run-file keys of the CycleGAN chapter."""

    paper: Literal["cyclegan"]
    weight_decay: float = Field(default=0.0, ge=0)
    generator_width: int = Field(default=64, ge=1, description="channels of the generators' first convolution")
    blocks: int = Field(default=9, ge=1, description="residual blocks of a generator")
    dropout: float = Field(default=0.5, ge=0, lt=1)
    discriminator_width: int = Field(default=64, ge=1)
    adversarial_weight: float = Field(default=0.5, ge=0, description="of both adversarial terms of the generators")
    cycle_image_weight: float = Field(default=1.0, ge=0)
    cycle_mask_weight: float = Field(default=0.05, ge=0)
    pool_size: int = Field(default=50, ge=0, description="batches of earlier fakes that a discriminator is shown again")
    decay_from: float = Field(default=0.25, ge=0, lt=1, description="share of the steps before the rate falls to 0")
    baseline_decay: bool = Field(default=True, description="the baseline's rate falls, too; the authors' does not")
    ignored_as: int | None = Field(default=None, ge=0, description="class that pixels labelled 255 are trained as")
    augment: bool = Field(default=False, description="resize, crop and flip at random; the authors do not")

    @model_validator(mode="after")
    def _keys_that_would_do_nothing(self) -> Self:
        if self.pretraining != "none":
            raise ValueError(f"pretraining is {self.pretraining!r}; the generators are trained from scratch ('none')")
        if not self.augment and (self.scales != [1.0] or self.brightness):
            raise ValueError("scales and brightness act only with augment: true")
        return self


@dataclass(frozen=True)
class Arm:
    """What an arm trains with.

    ``without`` names a term of :class:`labelkit.methods.cyclegan.Weights` whose weight becomes 0. ``compute``:
    supervised steps in place of one.
    """

    method: str
    fraction: str
    without: str = ""
    mask_adversary: str = "argmax"
    mask_input: str = "scalar"
    compute: int = 1


def _arms() -> dict[str, Arm]:
    arms = {"supervised-1": Arm("supervised", "1")}
    for fraction in ("1/10", "1/5", "3/10", "1/2"):
        arms[f"supervised-{fraction}"] = Arm("supervised", fraction)
        arms[f"supervised-compute-{fraction}"] = Arm("supervised", fraction, compute=COMPUTE)
        arms[f"cyclegan-{fraction}"] = Arm("cyclegan", fraction)
        arms[f"soft-{fraction}"] = Arm("cyclegan", fraction, mask_adversary="soft")
    full, soft = arms["cyclegan-3/10"], arms["soft-3/10"]
    for term in vars(Weights()):
        arms[f"no-{term.replace('_', '-')}-3/10"] = replace(full, without=term)
    arms["soft-no-adversarial-image-3/10"] = replace(soft, without="adversarial_image")
    arms["soft-one-hot-3/10"] = replace(soft, mask_input="one-hot")
    arms["straight-through-3/10"] = replace(full, mask_adversary="straight-through")
    return arms


ARMS = _arms()


def build(arm: str, classes: int, settings: Settings, seed: int) -> nn.Module:
    """The method of an arm with freshly drawn weights; one seed gives every arm the same networks."""
    chosen = ARMS[arm]
    torch.manual_seed(seed)
    size = (settings.generator_width, settings.blocks, settings.dropout)
    segmenter = SegmentationGenerator(classes, *size)
    if chosen.method == "supervised":
        return SupervisedSegmenter(segmenter, settings.ignored_as)
    weights = Weights(
        adversarial_image=settings.adversarial_weight,
        adversarial_mask=settings.adversarial_weight,
        cycle_image=settings.cycle_image_weight,
        cycle_mask=settings.cycle_mask_weight,
    )
    return CycleGAN(
        segmenter,
        ImageGenerator(classes, *size),
        PixelDiscriminator(3, settings.discriminator_width),
        PixelDiscriminator(classes if chosen.mask_input == "one-hot" else 1, settings.discriminator_width),
        classes,
        replace(weights, **{chosen.without: 0.0}) if chosen.without else weights,
        mask_adversary=chosen.mask_adversary,
        mask_input=chosen.mask_input,
        ignored_as=settings.ignored_as,
        pool_size=settings.pool_size,
    )


def optimizer(method: nn.Module, settings: Settings) -> torch.optim.Adam:
    """Adam as the authors': first-moment decay 0.5 for the four networks together, 0.9 for the baseline."""
    beta = 0.5 if isinstance(method, CycleGAN) else 0.9
    return torch.optim.Adam(
        method.parameters(), lr=settings.learning_rate, betas=(beta, 0.999), weight_decay=settings.weight_decay
    )


def constant_then_linear(share: float) -> Schedule:
    """Factor 1 for a share of the steps, then falling in a straight line to 0.

    The authors hold the rate for 100 of 400 epochs and change it once an epoch; here it changes every step.
    """
    return lambda step, steps: 1.0 - max(0.0, step / steps - share) / (1.0 - share)


def run(arm: str, data: str, seed: int, settings: Settings, context: Context) -> Outcome:
    """Train and test one cell. All arms of a seed and a share of labels see the same split and labelled batches."""
    chosen = ARMS[arm]
    parts = segmentation.load_data(data, settings, context)
    method = build(arm, len(parts.classes), settings, seed)
    split = segmentation.split_of(parts, Fraction(chosen.fraction), seed)

    def stream(indices: tuple[int, ...], number: int) -> Stream:
        augment = segmentation.augmentation(settings) if settings.augment else None
        return Stream(parts.train, indices, settings.batch_size, augment, seed=3 * seed + number, **context.place)

    streams = {"labelled": stream(split.labelled, 0)}
    if chosen.method == "cyclegan":
        streams["unlabelled"] = stream(split.unlabelled, 1)
    falls = chosen.method == "cyclegan" or settings.baseline_decay
    outcome = segmentation.train_and_evaluate(
        method,
        Joined(**streams),
        label=f"{data} {arm} seed {seed}",
        data=parts,
        split=split,
        settings=settings,
        context=context,
        seed=seed,
        steps=settings.steps * chosen.compute,
        images_a_step=settings.batch_size * len(streams),
        network=method.segmenter,
        extra=lambda confusion: released(confusion, parts),
        evaluate_every=settings.evaluate_every * chosen.compute,
        optimizer=optimizer(method, settings),
        schedule=constant_then_linear(settings.decay_from) if falls else constant(),
    )
    # The pools are there for resuming; beside a record they would take more room than the networks.
    return replace(outcome, weights={k: v for k, v in outcome.weights.items() if not k.startswith(POOLS)})


def released(confusion: ConfusionMatrix, data: Data) -> dict[str, Any]:
    """The authors' metric and what to hold it against; empty for data without a class that it would drop.

    Returns:
        ``miou_released``: with row and column of background or void cut out; ``miou_foreground``: the usual IoU, mean
        over the same classes.
    """
    dropped = next((data.classes.index(name) for name in DROPPED if name in data.classes), None)
    if dropped is None:
        return {}
    usual = confusion.iou()
    kept = [label for label in range(len(usual)) if label != dropped]
    return {
        "miou_released": released_miou(confusion, dropped),
        "miou_foreground": float(usual[kept].nanmean()),
    }
