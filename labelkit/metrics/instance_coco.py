"""Precision and recall of detections in COCO's format, counted by a library."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

KINDS = {"mask": "segm", "box": "bbox"}
LIBRARIES = {"faster-coco-eval": "faster_coco_eval", "pycocotools": "pycocotools"}


def evaluate(
    ground_truth: Mapping[str, Any],
    detections: Sequence[Mapping[str, Any]],
    kind: str,
    limits: Sequence[int],
    areas: Sequence[tuple[float, float]],
    library: str = "fastest",
) -> tuple[np.ndarray, np.ndarray]:
    """Match and count.

    Args:
        ground_truth: COCO's dict.
        detections: COCO's result list.
        kind: "mask" or "box".
        limits: of detections by class and image, ascending.
        areas: bins in square pixels, ends inclusive; annotations are in a bin by their own `area`.
        library: "fastest", "faster-coco-eval" or "pycocotools".

    Returns:
        Precision (10, 101, K, A, M) and recall (10, K, A, M), -1 where there is no object.

    Raises:
        ValueError: the kind or the library is unknown, or a detection's image or class is not in the ground truth.
        ImportError: the library is not installed.
    """
    if kind not in KINDS:
        raise ValueError(f"instances cannot be scored by {kind!r}: mask or box was expected")
    module = _chosen(library)
    _check(ground_truth, detections)
    truth = {key: [dict(each) for each in ground_truth[key]] for key in ("images", "annotations", "categories")}
    found = [dict(each) for each in detections]
    for each in truth["annotations"]:
        each.setdefault("iscrowd", 0)
    if not found:
        return _nothing_found(truth, limits, areas)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = _evaluator(module, truth, found, kind)
        evaluator.params.areaRng = [list(area) for area in areas]
        evaluator.params.areaRngLbl = [str(index) for index in range(len(areas))]
        evaluator.params.maxDets = list(limits)
        evaluator.evaluate()
        evaluator.accumulate()
    return np.asarray(evaluator.eval["precision"]), np.asarray(evaluator.eval["recall"])


def _chosen(library: str) -> str:
    names = list(LIBRARIES) if library == "fastest" else [library]
    if unknown := set(names) - set(LIBRARIES):
        raise ValueError(f"instances cannot be scored by {unknown.pop()!r}: fastest, {', '.join(LIBRARIES)}")
    for name in names:
        if find_spec(LIBRARIES[name]) is not None:
            return LIBRARIES[name]
    raise ImportError(f"average precision needs {' or '.join(names)}: pip install 'labelkit[instances]'")


def _evaluator(module: str, truth: dict[str, Any], found: list[dict[str, Any]], kind: str) -> Any:
    if module == "faster_coco_eval":
        from faster_coco_eval.core.coco import COCO
        from faster_coco_eval.core.faster_eval_api import COCOeval_faster as Evaluator

        data = COCO(truth)
        return Evaluator(data, data.loadRes(found), KINDS[kind])
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval as Evaluator

    data = COCO()
    data.dataset = truth
    data.createIndex()
    return Evaluator(data, data.loadRes(found), KINDS[kind])


def _check(ground_truth: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]) -> None:
    images = {image["id"] for image in ground_truth["images"]}
    classes = {category["id"] for category in ground_truth["categories"]}
    for each in [*ground_truth["annotations"], *detections]:
        if each["image_id"] not in images:
            raise ValueError(f"an object lies in image {each['image_id']!r}: an image of the ground truth was expected")
        if each["category_id"] not in classes:
            raise ValueError(f"an object has class {each['category_id']!r}: a class of the ground truth was expected")


def _nothing_found(
    truth: dict[str, Any], limits: Sequence[int], areas: Sequence[tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """The libraries refuse an empty result list; the numbers are 0 where there are objects."""
    labels = sorted(category["id"] for category in truth["categories"])
    recall = np.full((10, len(labels), len(areas), len(limits)), -1.0)
    for index, label in enumerate(labels):
        sizes = [each["area"] for each in truth["annotations"] if each["category_id"] == label and not each["iscrowd"]]
        for place, (low, high) in enumerate(areas):
            if any(low <= size <= high for size in sizes):
                recall[:, index, place] = 0
    return np.repeat(recall[:, None], 101, 1), recall
