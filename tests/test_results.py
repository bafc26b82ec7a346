"""Look-ups over records, against records written out."""

import math

import numpy as np
import pytest

from labelkit.contrasts import IncomparableRecords
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


def other_kind(arm, seed, **changes):
    """A record of a classifier that also labels images: two protocols, neither with mIoU as the tests above have it."""
    found = record(arm, seed, 0.5)
    found["metrics"] = {
        "world/test/tags": {"accuracy": 0.9 + 0.01 * seed, "examples": 128, "ap": {"50": {"car": 0.5, "bus": None}}},
        "world/train/pseudo-labels": {"miou": 0.3, "iou": {"b": 0.1, "a": 0.2}},
    }
    return found | changes


OTHER = Results([other_kind("x", 0), other_kind("x", 1)])


def test_of_several_protocols_one_must_be_named():
    with pytest.raises(IncomparableRecords, match="several protocols, so one must be named"):
        OTHER.scores("world", "x", "accuracy")
    assert OTHER.scores("world", "x", "accuracy", protocol="test/tags") == {0: 0.9, 1: 0.91}
    assert OTHER.scores("world", "x", "series:loss:last") == {0: 1.0, 1: 2.0}
    tags = Results(OTHER.records, protocol="test/tags")
    assert tags.protocol("world") == "world/test/tags"
    assert tags.mean("world", "x", "accuracy") == pytest.approx(0.905)
    assert tags.curve("world", {1.0: "x"}, "accuracy")[1].tolist() == [[0.9], [0.91]]
    assert tags.scores("world", "x", "miou", protocol="train/pseudo-labels") == {0: 0.3, 1: 0.3}
    with pytest.raises(IncomparableRecords, match="miou of arm x, seed 0 is absent"):
        tags.scores("world", "x")
    with pytest.raises(IncomparableRecords, match="no result under test/other for x"):
        OTHER.protocol("world", "test/other")
    with pytest.raises(ValueError, match="checkpoint is 'best'"):
        Results([], "best")


def test_any_group_can_be_read_by_class():
    ap = OTHER.by_class("world", "x", [0, 1], "ap:50", "test/tags")
    assert OTHER.classes("world", "ap:50", "test/tags") == ["car", "bus"]
    assert ap[:, 0].tolist() == [0.5, 0.5] and np.isnan(ap[:, 1]).all()
    labels = Results(OTHER.records, protocol="train/pseudo-labels")
    assert labels.class_iou("world", "x", [1]).tolist() == [[0.1, 0.2]]
    with pytest.raises(IncomparableRecords, match="iou of arm x, seed 0 is no group of classes"):
        OTHER.by_class("world", "x", [0], protocol="test/tags")


def test_classes_keep_their_place_in_records_of_another_order():
    turned = [other_kind("x", 0), other_kind("x", 1)]
    turned[1]["metrics"] = {"world/train/pseudo-labels": {"iou": {"a": 0.4, "b": 0.3}}}
    found = Results(turned, protocol="train/pseudo-labels")
    assert found.class_iou("world", "x", [0, 1]).tolist() == [[0.1, 0.2], [0.3, 0.4]]
    turned[1]["metrics"]["world/train/pseudo-labels"]["iou"].pop("a")
    with pytest.raises(IncomparableRecords, match="iou of arm x, seed 1 names b; expected b, a"):
        found.class_iou("world", "x", [0, 1])


def test_a_table_shows_the_metrics_that_are_there():
    first = FOUND.table("world")
    wanted = ["mIoU, last", "mIoU, best on val", "mIoU, rarest third", "steps", "training s", "seeds"]
    assert list(first.columns) == wanted and first.loc["y", "mIoU, best on val"] == "60.0"
    assert first.loc["y", "mIoU, rarest third"] == "25.0"
    tags = OTHER.table("world", protocol="test/tags")
    assert list(tags.columns) == ["accuracy, last", "examples", "steps", "training s", "seeds"]
    assert tags.loc["x", "accuracy, last"] == "0.905 ± 0.00707" and tags.loc["x", "examples"] == "128 ± 0"
    labels = OTHER.table("world", protocol="train/pseudo-labels")
    assert labels.loc["x", "mIoU, last"] == "30.0 ± 0.0"
    chosen = OTHER.table("world", metrics={"ap:50:car": "points", "accuracy": "points"}, protocol="test/tags")
    assert chosen.loc["x", "ap:50:car (points), last"] == "50.0 ± 0.0"
    assert chosen.loc["x", "accuracy (points)"] == "90.5 ± 0.7"
    assert OTHER.table("world", ["never run"]).empty


def test_the_table_of_the_best_weights_does_not_pass_them_off_as_the_last():
    table = Results(FOUND.records, "best-on-val").table("world")
    assert (table.loc["y", "mIoU, last"], table.loc["y", "mIoU, best on val"]) == ("50.0", "60.0")


def test_a_table_says_which_numbers_are_missing():
    records = [other_kind("x", 0), other_kind("x", 1), other_kind("y", 0, measured={})]
    records[1]["metrics"]["world/test/tags"] = {"examples": 128}
    records[2]["metrics"]["world/test/tags"] = {}
    table = Results(records, protocol="test/tags").table("world")
    assert table.loc["x", "accuracy, last"] == "0.900 (1 of 2 seeds)"
    assert table.loc["y", "accuracy, last"] == table.loc["y", "examples"] == table.loc["y", "training s"] == "–"
