"""Average precision of instances: pycocotools as oracle, values by hand, iSAID's settings, recall by object."""

import importlib.util

import numpy as np
import pytest
import torch

from labelkit.metrics import instance_coco
from labelkit.metrics.instance_masks import box_iou, mask_iou
from labelkit.metrics.instance_recall import recalled
from labelkit.metrics.instances import COCO_AREAS, ISAID_AREAS, InstanceAP, evaluate_coco
from labelkit.run_lengths import areas_of, boxes_around, decode_masks, encode_instances, encode_masks

pytest.importorskip("pycocotools", reason="pycocotools is not installed")
needs_faster = pytest.mark.skipif(
    importlib.util.find_spec("faster_coco_eval") is None, reason="faster-coco-eval is not installed"
)
NAMES = ("a", "b", "c")


def patch(rng: np.random.Generator, objects: int, side: int = 96) -> tuple[dict, dict]:
    """Detections and objects: some moved, some of another class, some missed, some false; scores with ties."""
    instances = np.zeros((side, side), np.int32)
    for number in range(1, objects + 1):
        h, w = (rng.integers(3, 9, 2) if number % 4 else rng.integers(20, 60, 2)).tolist()
        y, x = rng.integers(0, side - h), rng.integers(0, side - w)
        instances[y : y + h, x : x + w] = number
    seen = np.unique(instances)[1:]
    table = np.zeros(objects + 1, np.int32)
    table[seen] = np.arange(1, len(seen) + 1)
    instances, labels = table[instances], np.where(rng.random(len(seen)) < 0.7, 1, rng.integers(1, 4, len(seen)))
    moved = np.roll(instances, rng.integers(-1, 2, 2), (0, 1))
    masks = np.stack([moved == number for number in range(1, len(seen) + 1) if number % 7])
    masks = np.concatenate([masks, np.roll(masks[: len(masks) // 3], 30, 1)])
    guessed = np.concatenate(
        [[label for number, label in enumerate(labels, 1) if number % 7], rng.integers(1, 4, len(masks))]
    )
    found = {"masks": masks, "labels": guessed[: len(masks)], "scores": rng.random(len(masks)).round(1)}
    return found, {"instances": instances, "labels": labels}


def crowd(library: str = "fastest", patches: int = 12, **settings) -> InstanceAP:
    rng = np.random.default_rng(1)
    ap = InstanceAP(NAMES, library=library, **settings)
    for number in range(patches):
        ap.update(*patch(rng, 6 + 9 * number))
    return ap


@needs_faster
@pytest.mark.parametrize("areas", [ISAID_AREAS, COCO_AREAS])
def test_all_libraries_give_the_numbers_of_pycocotools(areas: dict) -> None:
    theirs, ours = (crowd(library, areas=areas, max_detections=(1, 10, 30, 1000)).compute()
                    for library in ("pycocotools", "faster-coco-eval"))  # fmt: skip
    for kind in ("mask", "box"):
        assert theirs[kind].precision.shape == ours[kind].precision.shape == (10, 101, 3, 4, 4)
        assert np.abs(theirs[kind].precision - ours[kind].precision).max() < 1e-9
        assert np.abs(theirs[kind].recall - ours[kind].recall).max() < 1e-9
        assert 0.02 < ours[kind].ap() < 0.9 and ours[kind].ap(most=1) < ours[kind].ap(most=10) < ours[kind].ap()


def test_the_means_are_those_that_pycocotools_prints() -> None:
    """Its own summary reads fixed names and limits, so it is asked with COCO's."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    ap = crowd(areas=COCO_AREAS, max_detections=(1, 10, 100), kinds=("mask",))
    scores = ap.compute()["mask"]
    truth = COCO()
    truth.dataset = {"images": ap._images, "annotations": [dict(each) for each in ap._true],
                     "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]}  # fmt: skip
    truth.createIndex()
    found = [{key: each[key] for key in ("image_id", "category_id", "segmentation", "score")} for each in ap._found]
    judge = COCOeval(truth, truth.loadRes(found), "segm")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    ours = [scores.ap(), scores.ap(0.5), scores.ap(0.75), scores.ap(area="small"), scores.ap(area="medium"),
            scores.ap(area="large"), scores.ar(most=1), scores.ar(most=10), scores.ar(),
            scores.ar(area="small"), scores.ar(area="medium"), scores.ar(area="large")]  # fmt: skip
    assert np.abs(np.nan_to_num(np.array(ours), nan=-1) - judge.stats).max() < 1e-9


def square(y: int, x: int, side: int, size: int = 64) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_precision_by_hand() -> None:
    """Two objects; detections by score: right, wrong, right. Precision is 1 up to half recall, then two thirds."""
    ap = InstanceAP(("a",), kinds=("mask",))
    masks = np.stack([square(0, 0, 12), square(50, 50, 12), square(20, 20, 12)])
    ap.update({"masks": masks, "labels": [1, 1, 1], "scores": [0.9, 0.8, 0.7]},
              {"masks": masks[[0, 2]], "labels": torch.tensor([1, 1])})  # fmt: skip
    scores = ap.compute()["mask"]
    expected = (51 * 1.0 + 50 * 2 / 3) / 101
    assert scores.ap(0.5) == pytest.approx(expected) == scores.ap() and scores.ar() == 1.0
    assert scores.ap(most=1) == pytest.approx(51 / 101) and scores.ar(most=1) == 0.5
    assert scores.curve(0.5)[:51].tolist() == [1.0] * 51 and scores.curve(0.5)[-1] == pytest.approx(2 / 3)
    assert scores.summary()["ap_by_class"] == {"a": pytest.approx(expected)}


def test_size_bins_are_isaids_with_both_ends_inclusive() -> None:
    ap = InstanceAP(("a", "b"), kinds=("mask",))
    for side in (9, 10, 144, 145):  # 81, 100, 20736 and 21025 pixels
        mask = square(0, 0, side, 160)[None]
        ap.update({"masks": mask, "labels": [1], "scores": [0.5]}, {"masks": mask, "labels": [1]})
    scores = ap.compute()["mask"]
    found = {area: scores.ap(area=area) for area in ("all", "small", "medium", "large")}
    assert found["all"] == found["small"] == found["medium"] == 1.0 and np.isnan(found["large"])
    assert scores.summary()["ap_large"] is None and scores.per_class() == {"a": 1.0, "b": None}
    small = InstanceAP(("a",), kinds=("mask",))
    small.update({"masks": square(0, 0, 9)[None], "labels": [1], "scores": [0.5]},
                 {"masks": square(0, 0, 9)[None], "labels": [1]})  # fmt: skip
    assert small.compute()["mask"].ap() == 1.0 and np.isnan(small.compute()["mask"].ap(area="small"))


def test_a_false_alarm_is_in_the_bin_of_its_own_mask() -> None:
    """A thin frame of 596 pixels, whose box has 22,500, spoils the precision of small objects and of no others."""
    frame = square(0, 0, 150, 160) & ~square(1, 1, 148, 160)
    small = square(40, 40, 12, 160)
    for library in ("fastest", "pycocotools"):
        ap = InstanceAP(("a",), library=library)
        ap.update({"masks": np.stack([frame, small]), "labels": [1, 1], "scores": [0.9, 0.8]},
                  {"masks": small[None], "labels": [1]})  # fmt: skip
        scores = ap.compute()
        assert scores["mask"].ap(area="small") == pytest.approx(0.5)
        assert scores["box"].ap(area="small") == pytest.approx(1.0)


def test_a_limit_of_100_loses_what_1000_finds() -> None:
    """150 cars in a patch: with 100 detections two thirds of them can be found."""
    instances = np.zeros((160, 160), np.int32)
    for number in range(150):
        y, x = divmod(number, 15)
        instances[10 * y : 10 * y + 5, 10 * x : 10 * x + 8] = number + 1
    masks = encode_instances(instances, 150)
    ap = InstanceAP(("car",), kinds=("mask",))
    ap.update({"masks": masks, "labels": np.ones(150), "scores": np.linspace(1, 0.5, 150)},
              {"instances": instances, "labels": np.ones(150)})  # fmt: skip
    scores = ap.compute()["mask"]
    assert scores.ap() == 1.0 and scores.ar(most=100) == pytest.approx(2 / 3)
    assert scores.ap(most=100) == pytest.approx(67 / 101) and scores.summary()["ap_by_limit"]["100"] == scores.ap(
        most=100
    )


def test_masks_and_boxes_are_judged_apart() -> None:
    """An L shape found as its box: the box is right, the mask is not."""
    shape = square(0, 0, 20) & ~square(5, 5, 20)
    ap = InstanceAP(("a",))
    ap.update({"masks": square(0, 0, 20)[None], "labels": [1], "scores": [1.0]}, {"masks": shape[None], "labels": [1]})
    scores = ap.compute()
    assert scores["box"].ap() == 1.0 and scores["mask"].ap() == 0.0
    own = InstanceAP(("a",), kinds=("box",))
    own.update({"boxes": [[0, 0, 20, 20]], "labels": [1], "scores": [1.0]}, {"boxes": [[0, 0, 20, 10]], "labels": [1]})
    assert own.compute()["box"].ap(0.5) == 1.0 and own.compute()["box"].ap(0.55) == 0.0


def test_patches_without_objects_count_false_alarms_and_no_detection_counts_as_nothing_found() -> None:
    one, empty = square(0, 0, 12)[None], {"instances": np.zeros((64, 64), np.int32), "labels": []}
    ap = InstanceAP(("a", "b"), kinds=("mask",))
    ap.update({"masks": one, "labels": [1], "scores": [0.5]}, {"masks": one, "labels": [1]})
    assert ap.compute()["mask"].ap() == 1.0
    ap.update({"masks": one, "labels": [1], "scores": [0.9]}, empty)
    assert ap.compute()["mask"].ap() == pytest.approx(0.5) and len(ap) == 2
    for library in ("fastest", "pycocotools"):
        nothing = InstanceAP(("a", "b"), kinds=("mask",), library=library)
        nothing.update({"masks": np.zeros((0, 64, 64)), "labels": [], "scores": []}, {"masks": one, "labels": [1]})
        scores = nothing.compute()["mask"]
        assert scores.ap() == 0.0 and scores.per_class() == {"a": 0.0, "b": None} and scores.ar(area="small") == 0.0
        assert np.isnan(scores.ap(area="large"))


def test_order_of_patches_and_of_calls_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    pairs = [patch(rng, 20) for _ in range(4)]
    pairs = [({**found, "scores": rng.random(len(found["labels"]))}, true) for found, true in pairs]
    totals = []
    for order in (pairs, pairs[::-1]):
        ap = InstanceAP(NAMES, kinds=("mask",))
        for number, (found, true) in enumerate(order):
            ap.update(found, true)
            if number == 1:
                ap.compute()
        totals.append(ap.compute()["mask"].precision)
    assert np.array_equal(*totals)


@pytest.mark.parametrize(
    ("found", "true", "words"),
    [
        ({"masks": np.zeros((2, 8, 8)), "labels": [1, 1], "scores": [1]}, {}, "2 labels and 1 scores"),
        ({"masks": np.zeros((1, 8, 8)), "labels": [4], "scores": [1]}, {}, "prediction holds label 4: 1 to 3"),
        ({"labels": [1], "scores": [1]}, {}, "neither masks nor instances"),
        ({"masks": np.zeros((2, 8, 8)), "labels": [1], "scores": [1]}, {}, "other numbers of masks"),
        ({"masks": np.zeros((8, 8)), "labels": [1], "scores": [1]}, {}, r"\(K, H, W\) was expected"),
        ({"masks": np.zeros((0, 8, 8)), "labels": [], "scores": []}, {"labels": [0]}, "target holds label 0"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_added(found: dict, true: dict, words: str) -> None:
    ap = InstanceAP(NAMES)
    with pytest.raises(ValueError, match=words):
        ap.update(found, {"masks": np.ones((1, 8, 8)), "labels": [1], **true})
    assert len(ap) == 0
    with pytest.raises(ValueError, match="no patch was given"):
        ap.compute()


def test_what_was_not_scored_cannot_be_asked_for() -> None:
    scores = crowd(patches=2, kinds=("mask",)).compute()["mask"]
    for asked, words in (
        ({"iou": 0.52}, "no precision at IoU 0.52"), ({"area": "tiny"}, "no area 'tiny'"),
        ({"most": 500}, "limit of detections 500"), ({"label": 9}, "no class 9"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            scores.ap(**asked)
    with pytest.raises(ValueError, match="'keypoints': mask or box"):
        InstanceAP(NAMES, kinds=("keypoints",))
    truth = {"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1, "name": "a"}]}
    with pytest.raises(ValueError, match="image 2"):
        evaluate_coco(truth, [{"image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}], "box")
    with pytest.raises(ValueError, match="class 3"):
        evaluate_coco(truth, [{"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1], "score": 1}], "box")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ap = crowd(patches=1)
    monkeypatch.setattr(instance_coco, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"needs faster-coco-eval or pycocotools: pip install 'labelkit\[instances\]'"
    ):
        ap.compute()


def test_run_lengths_of_a_map_are_those_of_its_masks() -> None:
    rng = np.random.default_rng(2)
    instances = rng.integers(0, 7, (13, 17)).astype(np.int32)
    instances[-1, -1], instances[0, 0] = 3, 0
    masks = np.stack([instances == number for number in range(1, 9)])  # 7 and 8: 7 does not occur, nor does 8
    encoded = encode_instances(torch.from_numpy(instances), 8)
    assert [each["counts"] for each in encoded] == [each["counts"] for each in encode_masks(masks)]
    assert (
        np.array_equal(decode_masks(encoded, 13, 17), masks)
        and areas_of(encoded).tolist() == masks.sum((1, 2)).tolist()
    )
    many = encode_masks(rng.random((300, 6, 6)) < 0.5)
    assert len(areas_of(many)) == 300 == len(boxes_around(many)) and len(areas_of([])) == 0


def test_overlaps_against_counting_pixels() -> None:
    rng = np.random.default_rng(4)
    masks = rng.random((5, 9, 11)) < 0.4
    both = (masks[:3, None] & masks[None, 2:]).sum((2, 3)) / (masks[:3, None] | masks[None, 2:]).sum((2, 3))
    assert np.allclose(mask_iou(encode_masks(masks[:3]), encode_masks(masks[2:])), both)
    assert mask_iou([], encode_masks(masks)).shape == (0, 5)
    assert box_iou([[0, 0, 4, 4]], [[2, 2, 6, 6], [4, 4, 8, 8]]).tolist() == [[4 / 28, 0.0]]


def test_recall_by_object_agrees_with_the_matching_of_pycocotools() -> None:
    rng = np.random.default_rng(9)
    for kind in ("mask", "box"):
        for iou in (0.5, 0.75):
            found, true = patch(rng, 40)
            ap = InstanceAP(NAMES, kinds=(kind,))
            ap.update(found, true)
            hit = recalled(found, true, iou, kind=kind)
            scores = ap.compute()[kind]
            for label in (1, 2, 3):
                own = true["labels"] == label
                if own.any():
                    assert hit[own].mean() == pytest.approx(scores.ar(iou, label=label))
    few = recalled(found, true, 0.5, most=1)
    assert few.sum() <= 3
    assert not recalled({"masks": [], "labels": [], "scores": []}, true).any()
