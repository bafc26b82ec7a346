"""Look-ups over records, against records written out."""

import math

import numpy as np
import pytest

from labelkit.results import Results

PROTOCOL = "world/test/whole-image"


def record(arm, seed, miou, data="world", **iou):
    values = {"miou": miou, "accuracy": 0.9, "miou_rarest_third": miou / 2, "iou": iou or {"a": miou, "b": None}}
    return {
        "arm": arm,
        "seed": seed,
        "data": data,
        "steps": 10,
        "metrics": {PROTOCOL: values, f"{PROTOCOL}/best-on-val": values | {"miou": miou + 0.1}},
        "series": {"loss": [[5, 2.0 + seed], [10, 1.0 + seed]]},
        "measured": {"train_seconds": 3.0},
    }


FOUND = Results([record("x", 0, 0.2), record("x", 1, 0.4), record("y", 1, 0.5), record("z", 0, 0.3, data="other")])


def test_scores_and_seeds():
    assert FOUND.data == ["world", "other"] and FOUND.arms("world") == ["x", "y"]
    assert FOUND.scores("world", "x") == {0: 0.2, 1: 0.4} and FOUND.mean("world", "x") == pytest.approx(0.3)
    assert FOUND.seeds("world", "x") == [0, 1] and FOUND.seeds("world", "x", "y") == [1]
    assert FOUND.has("world", "x", "y") and not FOUND.has("world", "z")


def test_checkpoints_are_kept_apart():
    best = Results(FOUND.records, "best-on-val")
    assert best.protocol("world") == f"{PROTOCOL}/best-on-val"
    assert best.scores("world", "x")[0] == pytest.approx(0.3)


def test_curves_pair_seeds_and_leave_out_what_was_not_run():
    x, values = FOUND.curve("world", {1.0: "x", 2.0: "y", 3.0: "never"})
    assert x == [1.0, 2.0] and values.tolist() == [[0.4, 0.5]]
    assert FOUND.curve("world", {1.0: "never"})[0] == []


def test_series_and_classes():
    steps, values = FOUND.series("world", "x", "loss")
    assert steps == [5, 10] and values.tolist() == [[2.0, 1.0], [3.0, 2.0]]
    iou = FOUND.class_iou("world", "x", [0, 1])
    assert iou[:, 0].tolist() == [0.2, 0.4] and np.isnan(iou[:, 1]).all()


def test_table_has_mean_and_spread():
    table = FOUND.table("world")
    assert table.loc["x", "mIoU, last"] == f"30.0 ± {100 * math.sqrt(0.02):.1f}"
    assert table.loc["y", "mIoU, last"] == "50.0" and table.loc["x", "seeds"] == 2
