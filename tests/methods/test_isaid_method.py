"""The aerial method: losses, several sizes, turned batches, resume; patches merged to scenes."""

import itertools

import numpy as np
import pytest
import torch

from labelkit.datasets.aerial_batches import batch_of, turned
from labelkit.datasets.aerial_tiles import boxes_of
from labelkit.methods.isaid import AerialInstances, resized
from labelkit.methods.merge_patches import merge_patches, placed
from labelkit.models.aerial_detector import Aggregation, Options, aerial_detector
from labelkit.run_lengths import encode_masks, mask_library
from labelkit.training import train

CLASSES = 3
SMALL = Options(anchors=(8, 16, 32, 64, 128), proposals=(60, 40), test_proposals=(60, 40), box_samples=32)
ALL = Aggregation(bottom_up=True, adaptive=True, fusion=True)


def sample(seed=0, height=64, width=64):
    generator = np.random.default_rng(seed)
    instances = np.zeros((height, width), np.int32)
    for number, (y, x) in enumerate(((4, 6), (20, 30), (44, 10)), start=1):
        instances[y : y + 8, x : x + 4 + 3 * number] = number
    image = 0.2 * generator.random((3, height, width), dtype=np.float32) + 0.7 * (instances > 0)
    return {
        "image": torch.from_numpy(image.astype(np.float32)),
        "instances": torch.from_numpy(instances),
        "boxes": torch.from_numpy(boxes_of(instances, 3)),
        "labels": torch.tensor([1, 2, 1]),
    }


def method(scales=(1.0,), parts=ALL):
    torch.manual_seed(0)
    return AerialInstances(aerial_detector(CLASSES, options=SMALL, parts=parts), scales)


def test_the_loss_is_the_sum_of_its_terms_and_reaches_everything():
    network = method()
    losses = network.training_step(batch_of([sample(0), sample(1)]))
    assert set(losses) == {"loss", "objectness", "rpn_box", "class", "box", "mask"}
    torch.testing.assert_close(losses["loss"], sum(value for name, value in losses.items() if name != "loss"))
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_patch_at_twice_the_size():
    patch = sample()
    image, target = resized(patch["image"], patch, 2.0)
    assert image.shape == (3, 128, 128)
    assert torch.equal(target["instances"][::2, ::2], patch["instances"])
    assert torch.equal(target["boxes"], patch["boxes"] * 2)
    np.testing.assert_array_equal(boxes_of(target["instances"].numpy(), 3), target["boxes"].numpy())
    assert resized(patch["image"], patch, 1.0)[0] is patch["image"]


def test_what_vanishes_at_a_smaller_size_is_left_out_and_the_rest_is_renumbered():
    patch = sample()
    patch["instances"][patch["instances"] == 2] = 0
    patch["instances"][21, 33] = 2  # one pixel, which every fourth row and column misses
    _, target = resized(patch["image"], patch, 0.25)
    assert target["labels"].tolist() == [1, 1]
    assert sorted(target["instances"].unique().tolist()) == [0, 1, 2]
    assert torch.equal(target["boxes"], patch["boxes"][[0, 2]] / 4)


def test_sizes_are_drawn_with_torchs_generator():
    network, batch = method((0.5, 1.0, 1.5), Aggregation()), batch_of([sample()])
    values = []
    for seed in (3, 3, 4, 5, 6):
        torch.manual_seed(seed)
        with torch.no_grad():
            values.append(network.training_step(batch)["loss"].item())
    assert values[0] == values[1]
    assert len(set(values[1:])) > 1


def test_predictions_are_sorted_and_masks_are_hard():
    with torch.no_grad():
        found = method().eval().predict([sample()["image"], sample(1, 48, 64)["image"]])
    assert found[0]["masks"].dtype == torch.bool
    assert found[1]["masks"].shape[1:] == (48, 64)
    for each in found:
        assert torch.equal(each["scores"], each["scores"].sort(descending=True).values)


def test_turned_boxes_fit_the_turned_instances():
    seen = set()
    for seed in range(40):
        patch = turned(sample(0, 48, 64), np.random.default_rng(seed))
        np.testing.assert_array_equal(boxes_of(patch["instances"].numpy(), 3), patch["boxes"].numpy())
        lit = patch["image"].mean(0) > 0.5
        assert torch.equal(lit, patch["instances"] > 0)
        seen.add((tuple(lit.shape), lit.numpy().tobytes()))
    assert len(seen) == 8


class Batches:
    def __getitem__(self, step):
        return batch_of([turned(sample(step), np.random.default_rng(step))])


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(tmp_path):
    def trained(steps_first):
        network = method((0.75, 1.0, 1.25))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
        arguments = {"optimizer": optimizer, "checkpoint": tmp_path / f"{steps_first}.pt", "checkpoint_every": 2}
        torch.manual_seed(1)
        if steps_first < 4:
            interrupted = Batches()
            stop = type("Stop", (), {"__getitem__": lambda _, step: interrupted[step] if step < steps_first else 1 / 0})
            with pytest.raises(ZeroDivisionError):
                train(network, stop(), steps=4, **arguments)
            torch.manual_seed(99)
            network = method((0.75, 1.0, 1.25))
            arguments["optimizer"] = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
        train(network, Batches(), steps=4, **arguments)
        return network.state_dict()

    whole, resumed = trained(4), trained(2)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def drawn(*rectangles, height=20, width=20):
    masks = torch.zeros(len(rectangles), height, width, dtype=torch.bool)
    for number, (y0, y1, x0, x1) in enumerate(rectangles):
        masks[number, y0:y1, x0:x1] = True
    return masks


def detections(masks, labels, scores):
    boxes = []
    for mask in masks:
        rows, columns = (mask.any(axis).nonzero() for axis in (1, 0))
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "scores": torch.tensor(scores),
        "masks": masks,
    }


@pytest.mark.parametrize(("y0", "x0"), [(0, 0), (5, 9), (10, 30)])
def test_placed_masks_equal_masks_drawn_in_the_whole_image(y0, x0):
    generator = np.random.default_rng(0)
    masks = generator.random((6, 20, 20)) < np.array([0, 0.1, 0.5, 0.9, 1, 1])[:, None, None]
    masks[5, :, 3:] = False
    whole = np.zeros((6, 30, 50), bool)
    whole[:, y0 : y0 + 20, x0 : x0 + 20] = masks
    assert [each["counts"] for each in placed(masks, y0, x0, 30, 50)] == [e["counts"] for e in encode_masks(whole)]
    assert placed(masks[:0], y0, x0, 30, 50) == []


def test_placed_masks_that_fill_whole_columns():
    masks = np.ones((2, 20, 20), bool)
    masks[1, 7, 7] = False
    assert [each["counts"] for each in placed(masks, 0, 0, 20, 20)] == [e["counts"] for e in encode_masks(masks)]


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_an_object_in_the_overlap_of_two_patches_is_kept_once(kind):
    left = detections(drawn((2, 8, 12, 18), (10, 14, 2, 6)), [1, 2], [0.6, 0.9])
    right = detections(drawn((2, 8, 2, 8), (2, 8, 2, 8)), [1, 2], [0.8, 0.7])
    windows = [(0, 20, 0, 20), (0, 20, 10, 30)]
    merged = merge_patches([left, right], windows, 20, 30, kind=kind)
    assert [round(score, 1) for score in merged["scores"].tolist()] == [0.9, 0.8, 0.7]  # other classes stay
    assert merged["labels"].tolist() == [2, 1, 2]
    assert merged["boxes"][1].tolist() == [12, 2, 18, 8]
    assert mask_library().area(merged["masks"]).tolist() == [16, 36, 36]
    short = [each | {"masks": encode_masks(each["masks"].numpy())} for each in (left, right)]
    assert merge_patches(short, windows, 20, 30, kind=kind)["masks"] == merged["masks"]
    nothing = merge_patches([detections(drawn(), [], [])] * 2, windows, 20, 30, kind=kind)
    assert len(nothing["scores"]) == 0 and nothing["masks"] == []


def test_kinds_of_overlap_differ_where_boxes_do_and_masks_do_not():
    diagonal = torch.eye(20, dtype=torch.bool)[None]
    other = diagonal.flip(1)
    found = detections(torch.cat([diagonal, other]), [1, 1], [0.9, 0.8])
    kept = {kind: len(merge_patches([found], [(0, 20, 0, 20)], 20, 20, kind=kind)["masks"]) for kind in ("box", "mask")}
    assert kept == {"box": 1, "mask": 2}


def test_what_cannot_be_merged_is_refused():
    found = detections(drawn((2, 8, 2, 8)), [1], [0.5])
    with pytest.raises(ValueError, match="by 'area': box or mask"):
        merge_patches([found], [(0, 20, 0, 20)], 20, 20, kind="area")
    with pytest.raises(ValueError, match="1 patches were given with 2 windows"):
        merge_patches([found], [(0, 20, 0, 20)] * 2, 20, 20)


def test_order_of_patches_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    patches, windows = [], [(y, y + 20, x, x + 20) for y, x in itertools.product((0, 10), (0, 10))]
    for number in range(4):
        boxes = torch.randint(0, 12, (5, 2), generator=generator).tolist()
        masks = drawn(*((y, y + 6, x, x + 6) for y, x in boxes))
        patches.append(detections(masks, [1, 2, 1, 2, 1], [0.9 - 0.01 * (5 * number + k) for k in range(5)]))
    one = merge_patches(patches, windows, 30, 30)
    other = merge_patches(patches[::-1], windows[::-1], 30, 30)
    assert torch.equal(one["boxes"], other["boxes"])
