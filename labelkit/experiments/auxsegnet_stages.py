"""The stages of AuxSegNet: train on labels, make better ones with what was trained, train on those.

The labels of a stage lie in a folder that knows from which stage, data, seed and weights they are; another stage's
labels are refused. Masks of training images serve to judge the labels, never to make them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelkit import distributed
from labelkit.experiments.settings import Context, Outcome
from labelkit.experiments.tagging import BATCH, in_batches
from labelkit.files import write_whole
from labelkit.pseudo_labels.folder import PseudoLabelFolder
from labelkit.pseudo_labels.map_quality import LabelQuality

LabelOf = Callable[[Mapping[str, Any]], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class StageLabels:
    """What a stage trains on.

    Attributes:
        masks: labels of all training images.
        saliency: saliency targets in whole 255ths; None where they are the detector's own maps.
    """

    masks: PseudoLabelFolder
    saliency: PseudoLabelFolder | None


def stage_labels(folder: Path, stage: int, source: Mapping[str, Any], own_saliency: bool, palette: Any) -> StageLabels:
    """The labels of a stage, there or yet to be made.

    Args:
        folder: where they lie.
        stage: that trains on them, from 0.
        source: what else tells them from others: data, seed, digest of the weights that label.
        own_saliency: whether the stage has saliency targets of its own; stage 0 has the detector's.
        palette: colours of the classes, or None.

    Raises:
        ValueError: the folder holds labels of another stage, data, seed or weights; names the first difference.
    """
    identity = {"stage": stage, **source}
    masks = PseudoLabelFolder(folder / "labels", {"holds": "labels", **identity}, palette)
    if not own_saliency:
        return StageLabels(masks, None)
    return StageLabels(masks, PseudoLabelFolder(folder / "saliency", {"holds": "saliency", **identity}))


def fill(labels: StageLabels, dataset: Any, label_of: LabelOf, num_classes: int, context: Context, size: int = BATCH):
    """Label all training images unless it was done before; each process writes the labels of its share.

    Args:
        labels: to fill.
        dataset: the training part.
        label_of: a batch without ``mask`` and ``parts`` to labels (B, H, W) and saliency (B, 1, H, W) or None.
        num_classes: with background.
        context: of the cell.
        size: images at a time; 1 where they differ in size.
    """
    if not distributed.first_of(labels.masks.complete):
        own = distributed.shard(len(dataset), size)
        counts, index = torch.zeros(256, dtype=torch.int64), own.start
        for batch in in_batches(dataset, context.device, size, own):
            seen = {key: value for key, value in batch.items() if key not in ("mask", "parts")}
            with torch.no_grad():
                masks, saliency = label_of(seen)
            counts += torch.bincount(masks.flatten().cpu(), minlength=256)
            for place in range(len(masks)):
                labels.masks.write_mask(index, masks[place].to(torch.uint8).cpu().numpy())
                if labels.saliency is not None:  # whole 255ths by cutting off, as the authors' files
                    cut = (saliency[place, 0] * 255).to(torch.uint8).cpu().numpy()
                    labels.saliency.write_mask(index, cut)
                index += 1
        counts = distributed.add_up(counts)  # and with it, all masks are there
        if context.rank == 0:
            if labels.saliency is not None:
                labels.saliency.set_complete([])
            labels.masks.set_complete(counts[:num_classes].tolist())
    distributed.barrier()


class StageData:
    """The training images with a stage's labels; nothing that tells the truth about a pixel is left in a sample.

    Args:
        dataset: samples with ``image``, ``tags`` and ``saliency``.
        labels: complete.

    Raises:
        ValueError: the labels are not complete.
    """

    def __init__(self, dataset: Any, labels: StageLabels) -> None:
        if not labels.masks.complete:
            raise ValueError(f"{labels.masks.path} is not complete; expected labels of every training image")
        self.dataset, self.labels = dataset, labels

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """``image`` (3, H, W), ``mask`` (H, W) with 255 for unsure, ``tags`` (C,), ``saliency`` (1, H, W) in 0..1."""
        sample = self.dataset[index]
        mask = torch.from_numpy(self.labels.masks.read_mask(index)).long()
        saliency = sample["saliency"]
        if self.labels.saliency is not None:
            saliency = torch.from_numpy(self.labels.saliency.read_mask(index))[None].float() / 255
        for name, made in (("labels", mask), ("saliency", saliency[0])):
            if made.shape != sample["image"].shape[1:]:
                raise ValueError(f"{name} of image {index} are {tuple(made.shape)}; expected the size of the image")
        return {"image": sample["image"], "mask": mask, "tags": sample["tags"], "saliency": saliency}


def judge(staged: StageData, classes: Sequence[str]) -> dict[str, Any]:
    """Hold a stage's labels against the masks: miou, precision, recall, coverage, iou by class, and the saliency's IoU.

    ``saliency_iou``: intersection over union of saliency above 0.5 and the pixels of any object.
    """
    quality, both, either = LabelQuality(len(classes), classes), 0, 0
    for index in range(len(staged)):
        sample, truth = staged[index], staged.dataset[index]["mask"]
        quality.update(sample["mask"][None], truth[None])
        salient, thing, known = sample["saliency"][0] > 0.5, truth > 0, truth != 255
        both += int((salient & thing & known).sum())
        either += int(((salient | thing) & known).sum())
    return quality.summary() | {"saliency_iou": both / max(either, 1)}


def by_stage(values: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Some numbers of all stages.

    Returns:
        For each name, such as ``miou``, a group by stage ("0", "1", ...); as ``miou_gain`` the gains over the stage
        before ("1", "2", ...); as ``miou_gain_falls`` the first gain minus the second, if there are two.
    """
    groups: dict[str, Any] = {}
    for name in names:
        found = [each[name] for each in values]
        groups[name] = {str(stage): value for stage, value in enumerate(found)}
        gains = [None if None in pair else pair[1] - pair[0] for pair in pairwise(found)]
        groups[f"{name}_gain"] = {str(stage): gain for stage, gain in enumerate(gains, start=1)}
        if len(gains) > 1 and None not in gains[:2]:
            groups[f"{name}_gain_falls"] = gains[0] - gains[1]
    return groups


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of several stages: the last one's, with what adds up added up and series put end to end."""
    series: dict[str, list[tuple[int, float]]] = {}
    offset = 0
    for outcome in outcomes:
        for name, points in outcome.series.items():
            series.setdefault(name, []).extend((step + offset, value) for step, value in points)
        offset += outcome.steps
    return replace(
        outcomes[-1],
        series=series,
        steps=offset,
        train_seconds=sum(outcome.train_seconds for outcome in outcomes),
        images_seen=sum(outcome.images_seen for outcome in outcomes),
    )


def once(path: Path, make: Callable[[], Outcome], context: Context) -> Outcome:
    """A training that several cells use, or that a stopped cell had finished: done by the first that needs it.

    Args:
        path: where its outcome lies; names all that it depends on.
        make: trains.
        context: of the cell.

    Raises:
        ValueError: the file is not readable; names it.
    """
    if not distributed.first_of(path.exists()):  # all do the same, also where a file shows late on another machine
        outcome = make()
        if context.rank == 0:
            write_whole(path, lambda partial: torch.save(asdict(outcome), partial))
        distributed.barrier()
        return outcome
    try:
        return Outcome(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load has no exception of its own: a cut file shows as one of many
        raise ValueError(f"{path}: not a readable outcome ({type(error).__name__}); delete it") from error


def digest(value: Any) -> str:
    """16 hex digits of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
