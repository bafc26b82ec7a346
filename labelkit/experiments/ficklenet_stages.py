"""What follows the training of a FickleNet classifier: its maps are judged, become seeds, and train a segmentation."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labelkit.datasets.streams import Joined
from labelkit.experiments import segmentation, tagging
from labelkit.experiments.object_pretraining import Weights
from labelkit.experiments.segmentation import Data
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import TagData
from labelkit.methods.dsrg import DSRG, at_size
from labelkit.methods.ficklenet import FickleNet
from labelkit.methods.supervised import Supervised
from labelkit.models.initialise import initialise_head
from labelkit.pseudo_labels.activation_maps import resize_maps
from labelkit.pseudo_labels.map_quality import MapQuality
from labelkit.pseudo_labels.saliency_fusion import seeds as hard_seeds
from labelkit.pseudo_labels.stochastic_union import UnionQuality
from labelkit.training import Schedule

KEPT = ("miou_best", "miou_fixed", "threshold_best", "recall_at_precision_50", "recall_part", "recall_body")


class Weak:
    """Images with tags and seeds, and nothing else that tells the truth.

    Args:
        dataset: samples with ``image`` and ``tags``.
        seeds: (n, H, W) uint8, 255 where there is none.
    """

    def __init__(self, dataset: Any, seeds: Tensor) -> None:
        self.dataset, self.seeds = dataset, seeds

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self.dataset[index]
        return {"image": sample["image"], "tags": sample["tags"], "mask": self.seeds[index].long()}


@torch.no_grad()
def judge(method: FickleNet, rate: float, data: TagData, seed: int, settings: Any, context: Context) -> dict[str, Any]:
    """Maps of all training images, by the deterministic pass and by unions of random passes.

    Args:
        method: trained.
        rate: of its training; 0 is the deterministic classifier, whose random passes take ``inference_rate``.
        data, seed, settings, context: of the cell. One seed draws the same random numbers in every arm.

    Returns:
        What :class:`labelkit.pseudo_labels.map_quality.MapQuality` gives for the arm's own way to infer (random if it
        was trained so), and

        - ``recall_at_precision_50``, and ``miou_fixed`` at the fixed threshold;
        - ``deterministic``, ``stochastic`` (the largest number of maps): their main numbers;
        - ``union``: the same by number of maps, with the ``coverage`` at the fixed threshold;
        - ``inference_gain``: best-threshold mIoU, random minus deterministic;
        - ``union_gain`` (the largest number of maps over one), ``late_gain`` (over the one nearest to its tenth),
          ``bend`` (the gain up to there minus the late gain), ``fixed_gain`` (the largest over one at the fixed
          threshold);
        - ``part_gap``: recall on discriminative parts minus recall on bodies, where the data know them.
    """
    plain, fixed = UnionQuality(len(data.foreground)), round(100 * settings.theta)
    unions = {count: UnionQuality(len(data.foreground)) for count in settings.counts}
    fired, positions = dict.fromkeys(settings.counts, 0.0), 0
    generator = generator_of(seed, context)
    for batch in tagging.in_batches(data.train, context.device):
        known = [batch["tags"].cpu(), batch["mask"].cpu(), tagging.parts_of(batch)]
        size = batch["image"].shape[-2:]
        maps = method.maps(batch["image"], batch["tags"], settings.elementwise).cpu()
        plain.update(maps, maps, *known)
        for count, found in random_unions(method, rate, batch, settings.counts, generator, settings).items():
            unions[count].update(*(resize_maps(each, size).cpu() for each in found), *known)
            fired[count] += float((found[0] > settings.theta).any(1).float().mean((1, 2)).sum())
        positions += len(maps)
    union = {
        str(count): _kept(_summary(quality, fixed)) | {"coverage": fired[count] / positions}
        for count, quality in unions.items()
    }
    first, last = str(settings.counts[0]), str(settings.counts[-1])
    middle = str(min(settings.counts, key=lambda count: abs(count - settings.counts[-1] / 10)))
    best = {count: values["miou_best"] for count, values in union.items()}
    late = best[last] - best[middle]
    deterministic = _summary(plain, fixed)
    own = _summary(unions[settings.counts[-1]], fixed) if rate else deterministic
    return with_gap(own) | {
        "deterministic": _kept(deterministic),
        "stochastic": union[last],
        "union": union,
        "inference_gain": best[last] - deterministic["miou_best"],
        "union_gain": best[last] - best[first],
        "late_gain": late,
        "bend": best[middle] - best[first] - late,
        "fixed_gain": union[last]["miou_fixed"] - union[first]["miou_fixed"],
    }


def with_gap(summary: dict[str, Any]) -> dict[str, Any]:
    """The same with ``part_gap``, where both recalls are known."""
    recalls = summary.get("recall_part"), summary.get("recall_body")
    return summary if None in recalls else summary | {"part_gap": recalls[0] - recalls[1]}


def _summary(quality: MapQuality, fixed: int) -> dict[str, Any]:
    """The summary, and ``miou_fixed`` at the fixed threshold and ``recall_at_precision_50``.

    The usual precision of 0.8 is hardly reached by maps whose cells are as large as an object's telling part.
    """
    curves = quality.curves()
    recall = curves["recall"][curves["precision"] >= 0.5].nan_to_num(0.0)
    return quality.summary() | {
        "miou_fixed": float(curves["miou"][fixed]),
        "recall_at_precision_50": float(recall.max()) if len(recall) else 0.0,
    }


def _kept(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: summary[name] for name in KEPT if name in summary}


def generator_of(seed: int, context: Context) -> torch.Generator:
    """Of the masks at inference."""
    return torch.Generator(context.device).manual_seed(1_000_003 + seed)


def random_unions(
    method: FickleNet, rate: float, batch: dict[str, Any], counts: list[int], generator: torch.Generator, settings: Any
) -> dict[int, tuple[Tensor, Tensor]]:
    """Unions of the maps of a batch; see :meth:`labelkit.methods.ficklenet.FickleNet.unite`."""
    options = {"rate": rate or settings.inference_rate, "elementwise": settings.elementwise, "generator": generator}
    return method.unite(batch["image"], batch["tags"], counts, **options)


def seeds_of(
    method: FickleNet, stochastic: bool, batch: dict[str, Any], generator: torch.Generator, settings: Any
) -> Tensor:
    """Seeds of a batch: maps above the threshold name classes, low saliency the background, where both none.

    They are made at the resolution of the maps and enlarged to that of the images.

    Returns:
        (B, H, W) int64, 255 where there is no seed.
    """
    if stochastic:
        unions = random_unions(method, method.head.rate, batch, settings.counts[-1:], generator, settings)
        highest, mean = unions[settings.counts[-1]]
    else:
        highest = mean = method.coarse_maps(batch["image"], batch["tags"], settings.elementwise)
    saliency = F.adaptive_avg_pool2d(batch["saliency"], mean.shape[-2:])
    found = hard_seeds(
        mean, saliency, batch["tags"], settings.theta, settings.saliency_background, fired=highest > settings.theta
    )
    return at_size(found, tuple(batch["image"].shape[-2:]))


def segment(
    outcome: Outcome,
    method: FickleNet,
    strong: bool,
    label: str,
    data: TagData,
    seed: int,
    settings: Any,
    context: Context,
) -> Outcome:
    """DSRG on the seeds of a classifier: with seeds that grow, and with fixed ones.

    Args:
        outcome: of the classifier; gains what the seeds and the segmentation networks are worth.
        method: the classifier.
        strong: a share of the images has masks; there is no control with fixed seeds then.
        label, data, seed, settings, context: of the cell.

    Returns:
        The outcome, with the quality of the seeds under ``<data>/train/pseudo-labels`` and, under the protocol of the
        segmentation, the numbers of grown seeds, ``fixed`` ones, ``growing_gain`` (their difference in mIoU) and
        ``retrained`` if that stage is asked for. Weights of the segmentations begin with their name and a dot.
    """
    method.eval()
    generator, stochastic = generator_of(seed, context), method.head.rate > 0
    seeds = tagging.label_all(lambda batch: seeds_of(method, stochastic, batch, generator, settings), data, context)
    metrics = outcome.metrics | {f"{data.train.name}/train/pseudo-labels": tagging.judge_labels(seeds, data)}
    series, split, seconds = dict(outcome.series), outcome.split, outcome.train_seconds
    weights = dict(outcome.weights)
    tested: dict[str, dict[str, Any]] = {}
    for name in ("grown",) if strong else ("grown", "fixed"):
        network = segmentation_method(len(data.classes), seed, settings, name == "grown", data.backbone)
        found = _train(network, seeds, strong, f"{label} {name}", name, data, seed, settings, context)
        tested[name] = found.metrics
        series |= {f"{name}_{key}": values for key, values in found.series.items()}
        split, seconds = found.split or split, seconds + found.train_seconds
        weights |= {f"{name}.{key}": value for key, value in found.weights.items()}
        if name == "grown" and settings.retrain_steps:
            tested["retrained"] = _retrain(network, f"{label} retrained", data, seed, settings, context).metrics
    for protocol, values in tested["grown"].items():
        others = {name: found[protocol] for name, found in tested.items() if name != "grown"}
        gain = {"growing_gain": values["miou"] - others["fixed"]["miou"]} if "fixed" in others else {}
        metrics[protocol] = values | others | gain
    return replace(outcome, metrics=metrics, series=series, split=split, train_seconds=seconds, weights=weights)


def segmentation_method(
    classes: int, seed: int, settings: Any, grow: bool | None = None, backbone: Weights | None = None
) -> nn.Module:
    """DSRG, or plain supervised training if ``grow`` is None; one seed gives every arm the same first weights."""
    torch.manual_seed(seed)
    pretrained = settings.pretraining == "imagenet"
    if settings.segmentation_network == "lesson":
        from labelkit.models.lesson import LessonNet

        network: nn.Module = initialise_head(LessonNet(classes), 2 * seed)
        if backbone is not None:
            network.backbone.load_state_dict(backbone)
    elif settings.segmentation_network == "deeplab-vgg16":
        from labelkit.models.deeplab_vgg import DeepLabVGG

        network = DeepLabVGG(classes, pretrained=pretrained)
    else:
        from labelkit.models.deeplab_v2 import DeepLabV2

        network = DeepLabV2(classes, rates=(6, 12, 18, 24), pretrained=pretrained)
    if grow is None:
        return Supervised(network)
    return DSRG(
        network,
        settings.seed_stride,
        grow=grow,
        foreground=settings.grow_foreground,
        background=settings.grow_background,
        log_unary=settings.crf_log_unary,
        iterations=settings.crf_iterations,
        alpha=settings.strong_weight,
    )


def _train(
    method: DSRG, seeds: Tensor, strong: bool, label: str, stage: str, data: TagData, seed: int, settings: Any,
    context: Context,
) -> Outcome:  # fmt: skip
    """Train DSRG; with strong images the others are weak."""
    here = settings.model_copy(
        update={"batch_size": settings.segmentation_batch_size, "learning_rate": settings.segmentation_learning_rate}
    )
    split = segmentation.split_of(data, settings.strong_fraction, seed) if strong else None
    weak = Data(Weak(data.train, seeds), data.val, data.test, data.rarest)
    indices = split.unlabelled if split else range(len(data.train))
    streams = {"weak": segmentation.stream_of(weak, indices, 2, seed, here, context)}
    if split:
        streams["strong"] = segmentation.stream_of(data, split.labelled, 1, seed, here, context)
    return segmentation.train_and_evaluate(
        method,
        Joined(**streams),
        label=label,
        data=data,
        split=split,
        settings=here,
        context=context,
        seed=seed,
        steps=settings.segmentation_steps,
        images_a_step=here.batch_size * len(streams),
        network=method.network,
        stage=stage,
        optimizer=_optimizer(method, here),
        schedule=stepped(0.33, settings.segmentation_drop_every),
    )


def _optimizer(method: DSRG, settings: Any) -> torch.optim.Optimizer:
    if settings.segmentation_network != "deeplab-vgg16":
        return segmentation.sgd(method, settings)
    groups = method.network.rate_groups(settings.learning_rate, settings.weight_decay)
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9)


def stepped(factor: float, every: int) -> Schedule | None:
    """Learning-rate factor that is multiplied once every so many steps; None, which means poly, if ``every`` is 0."""
    return (lambda step, steps: factor ** (step // every)) if every else None


def _retrain(method: DSRG, label: str, data: TagData, seed: int, settings: Any, context: Context) -> Outcome:
    """DSRG's second training: plain supervision by the first network's predictions, among the classes of the tags."""

    def predicted(batch: dict[str, Any]) -> Tensor:
        present = F.pad(batch["tags"], (1, 0), value=1.0) > 0  # the background is always there
        return method.predict(batch["image"]).masked_fill(~present[:, :, None, None], -torch.inf).argmax(1)

    method.eval()
    labels = tagging.label_all(predicted, data, context)
    here = settings.model_copy(
        update={
            "segmentation_steps": settings.retrain_steps,
            "segmentation_batch_size": settings.retrain_batch_size,
            "segmentation_learning_rate": settings.retrain_learning_rate,
        }
    )
    plain = segmentation_method(len(data.classes), seed, here, backbone=data.backbone)
    return tagging.train_segmentation(
        labels, label=label, data=data, settings=here, context=context, seed=seed, stage="retrained", method=plain
    )
