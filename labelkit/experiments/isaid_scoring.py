"""What is measured of a detector: patches as iSAID scores them, and whole scenes as an extra."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelkit.datasets.aerial_patches import AerialPatches
from labelkit.datasets.aerial_pieces import LEAST_AREA
from labelkit.datasets.aerial_tiles import crosses_border, windows
from labelkit.experiments.isaid_data import AerialData
from labelkit.experiments.isaid_settings import Settings
from labelkit.methods.isaid import AerialInstances
from labelkit.methods.merge_patches import merge_patches, placed
from labelkit.metrics.instance_recall import recalled
from labelkit.metrics.instances import ISAID_AREAS, STATISTICS_AREAS, InstanceAP, InstanceScores
from labelkit.run_lengths import decode_masks, encode_masks

# The devkit squares 10, 144 and 512; the paper's text gives 10, 144 and 1,024 pixels for its statistics. The second
# bins tell the vehicles of a patch apart, which are all "small" or below every bin of the first.
AREAS = ISAID_AREAS | {f"text_{name}": area for name, area in STATISTICS_AREAS.items() if name != "all"}
LIMITS = (1, 10, 100, 1000)  # detections of a class and an image; the devkit's with COCO's 100 between
CROWDS = ("sparse", "middle", "crowded")
Found = dict[str, Any]


def detect(method: AerialInstances, images: Iterable[Tensor], device: str) -> list[Found]:
    """Detections of images of any size, one image at a time, so that full masks exist for one image alone.

    Returns:
        For each image ``boxes``, ``labels`` and ``scores`` on the CPU, sorted by score, and ``masks`` as run lengths.
    """
    return [compact(method.predict([image.to(device)])[0]) for image in images]


def compact(found: Mapping[str, Tensor]) -> Found:
    """Detections of an image on the CPU, masks as run lengths."""
    return {name: value.cpu() for name, value in found.items()} | {"masks": encode_masks(found["masks"].cpu().numpy())}


def first(found: Found, most: int) -> Found:
    """The surest detections of an image, whatever their class; what a limit on detections an image leaves."""
    return {name: value[:most] for name, value in found.items()}


def patch_scores(classes: Sequence[str], patches: Any, found: Sequence[Found], limit: int) -> dict[str, Any]:
    """Scores of patches under iSAID's settings.

    Args:
        classes: names, without the background.
        patches: the truth; a patch is asked for when it is compared, and not held.
        found: detections of each patch, masks as run lengths.
        limit: detections a patch of the arm.

    Returns:
        ``ap``, ``ap50``, ``ap75``, ``ap_small`` and so on of masks, ``box`` (a group of the same), ``ap_by_limit``,
        ``ap50_by_size``, ``small_over_large`` (AP50 of objects of 144 to 1,024 pixels over that of larger ones; not a
        number where nothing larger is found), ``tiny_minus_large`` and ``small_minus_large`` (AP50 of objects of 10 to
        144, and of 144 to 1,024 pixels, minus that of larger ones);
        ``ap_detections`` by detections a patch (100, 1000); ``detections_gain`` between them; ``limit_gap`` by crowd
        (AP with up to 1000 of a class minus AP with up to 100, and 10), ``limit_gap_rise`` (crowded minus sparse).
    """
    values = _scores(classes, _each(patches), [first(each, limit) for each in found])
    by_number = {
        str(most): _ap(classes, _each(patches), [first(each, most) for each in found]).ap() for most in (100, 1000)
    }
    values["ap_detections"] = by_number
    values["detections_gain"] = by_number["1000"] - by_number["100"]
    counts = patches.counts
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > 0]
    gaps: dict[str, Any] = {}
    for name, members in zip(CROWDS, np.array_split(order, len(CROWDS))):
        scores = _ap(classes, _each(patches, members), [found[int(index)] for index in members])
        by_limit = {str(most): scores.ap(most=most) for most in LIMITS}
        gaps[name] = {"objects": float(counts[members].mean()), "ap_by_limit": by_limit}
        gaps[name] |= {f"gap_{most}": by_limit["1000"] - by_limit[str(most)] for most in (10, 100)}
    values["by_crowd"] = gaps
    values["limit_gap_rise"] = gaps["crowded"]["gap_100"] - gaps["sparse"]["gap_100"]
    values["limit_gap_rise_10"] = gaps["crowded"]["gap_10"] - gaps["sparse"]["gap_10"]
    return values


def scene_scores(classes: Sequence[str], scenes: Iterable[Any], found: Sequence[Found]) -> dict[str, Any]:
    """Scores of whole scenes, taken one after another: the groups of `patch_scores` that concern an image by itself."""
    return _scores(classes, (kept(scene) for scene in scenes), found)


def merged(method: AerialInstances, data: AerialData, settings: Settings, device: str, overlap: int) -> list[Found]:
    """Detections of whole test scenes, merged from patches of an overlap."""
    patches = AerialPatches(data.scenes["test"], settings.patch, overlap, keep_empty=True)
    found = detect(method, (patches[i]["image"] for i in range(len(patches))), device)
    return merge_scenes(data, patches, found, settings)


def merge_scenes(data: AerialData, patches: AerialPatches, found: Sequence[Found], settings: Settings) -> list[Found]:
    """Detections of whole test scenes from those of their patches."""
    scenes = []
    for number in range(len(data.scenes["test"])):
        members = patches.of_scene(number)
        places = [patches.windows[index] for index in members]
        height, width = max(place.y1 for place in places), max(place.x1 for place in places)  # windows cover the scene
        own = [found[index] for index in members]
        scenes.append(merge_patches(own, places, height, width, settings.merge_iou, settings.merge_by))
    return scenes


def shrunk(method: AerialInstances, data: AerialData, settings: Settings, device: str) -> list[Found]:
    """Detections of whole test scenes, made on shrunk ones and enlarged."""
    small, factor = data.shrunk("test", settings.shrink), settings.shrink
    scenes = []
    for number, each in enumerate(detect(method, (small[i]["image"] for i in range(len(small))), device)):
        height, width = data.scenes["test"][number]["instances"].shape
        masks = decode_masks(each["masks"], *small[number]["instances"].shape).repeat(factor, 1).repeat(factor, 2)
        scenes.append(each | {"boxes": each["boxes"] * factor, "masks": placed(masks, 0, 0, height, width)})
    return scenes


def border_recall(
    method: AerialInstances, data: AerialData, settings: Settings, device: str, known: Mapping[int, list[Found]]
) -> dict[str, dict[str, float]]:
    """Share of the objects that are found after merging, by overlap of the patches.

    Args:
        method, data, settings, device: of the cell.
        known: detections of the scenes at overlaps for which there are some.

    Returns:
        ``border`` for objects that patches without overlap cut, ``inner`` for all others; each by overlap.
    """
    scenes = data.scenes["test"]
    found = {
        overlap: known[overlap] if overlap in known else merged(method, data, settings, device, overlap)
        for overlap in settings.overlaps
    }
    cut: list[np.ndarray] = []
    hits: dict[int, list[np.ndarray]] = {overlap: [] for overlap in found}
    for number in range(len(scenes)):
        scene = kept(scenes[number])
        grid = windows(*scene["instances"].shape, settings.patch, 0, settings.patch)
        cut.append(crosses_border(scene["boxes"].numpy(), grid))
        for overlap, each in found.items():
            hits[overlap].append(recalled(each[number], scene))
    at_border = np.concatenate(cut)
    result: dict[str, dict[str, float]] = {}
    for where, chosen in (("border", at_border), ("inner", ~at_border)):
        shares = {str(overlap): np.concatenate(each)[chosen] for overlap, each in hits.items()}
        result[where] = {name: float(share.mean()) if len(share) else math.nan for name, share in shares.items()}
    return result


def border_gains(recall: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """How recall at each overlap differs from that at the first (gain) and at the one before (rise).

    Args:
        recall: of `border_recall`.

    Returns:
        ``border_gain_64``, ``border_rise_64``, ``inner_gain_64``, ``inner_rise_64`` and so on.
    """
    result = {}
    for where, by_overlap in recall.items():
        overlaps = list(by_overlap)
        for before, overlap in itertools.pairwise(overlaps):
            result[f"{where}_gain_{overlap}"] = by_overlap[overlap] - by_overlap[overlaps[0]]
            result[f"{where}_rise_{overlap}"] = by_overlap[overlap] - by_overlap[before]
    return result


def kept(scene: Mapping[str, Any]) -> dict[str, Any]:
    """A scene without objects of at most 10 pixels, as patches drop them."""
    areas = torch.bincount(scene["instances"].flatten(), minlength=len(scene["labels"]) + 1)[1:]
    stays = areas >= LEAST_AREA
    numbers = torch.cat([stays.new_zeros(1), stays]).cumsum(0) * torch.cat([stays.new_zeros(1), stays])
    return {
        "instances": numbers[scene["instances"].long()].to(torch.int32),
        "labels": scene["labels"][stays],
        "boxes": scene["boxes"][stays],
    }


def _each(patches: Any, members: Iterable[int] | None = None) -> Iterator[Any]:
    """Patches one after another, all or some."""
    return (patches[int(index)] for index in (range(len(patches)) if members is None else members))


def _ap(classes: Sequence[str], truth: Iterable[Any], found: Sequence[Found]) -> InstanceScores:
    return _by_kind(classes, truth, found, ("mask",))["mask"]


def _by_kind(
    classes: Sequence[str], truth: Iterable[Any], found: Sequence[Found], kinds: Sequence[str]
) -> dict[str, InstanceScores]:
    scorer = InstanceAP(classes, kinds, LIMITS, AREAS)
    for each, sample in zip(found, truth, strict=True):
        scorer.update(each, {key: sample[key] for key in ("instances", "labels")})
    return scorer.compute()


def _scores(classes: Sequence[str], truth: Iterable[Any], found: Sequence[Found]) -> dict[str, Any]:
    scores = _by_kind(classes, truth, found, ("mask", "box"))
    mask = scores["mask"]
    by_size = {area: mask.ap(0.5, area) for area in ("text_small", "text_medium", "text_large")}
    tiny, small, large = by_size.values()
    return mask.summary() | {
        "ap50_by_size": by_size,
        "small_over_large": small / large if large else math.nan,
        "tiny_minus_large": tiny - large,
        "small_minus_large": small - large,
        "box": scores["box"].summary(),
        "curves": {area: mask.curve(0.5, area)[::5].tolist() for area in by_size},
    }
