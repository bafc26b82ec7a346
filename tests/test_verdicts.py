"""Statistics of paired seeds, verdicts, and what must not be compared."""

import json
import math
from datetime import date

import numpy as np
import pytest
from scipy import stats

from labelkit import verdicts
from labelkit.papers import Claim, load_paper
from labelkit.verdicts import IncomparableRecords, judge, judge_paper, load_records, t_interval

TEST = "streets/test/whole-image"
REGISTERED = date(2026, 11, 22)


def record(arm, seed, miou, **changes):
    """A record with only what verdicts look at."""
    entry = {
        "schema": 1, "paper": "tiny", "run": "lesson", "budget": "lesson", "arm": arm, "data": "streets", "seed": seed,
        "metrics": {TEST: {"miou": miou, "iou": {"road": miou}}}, "series": {}, "steps": 300,
        "dataset": {"name": "streets", "fingerprint": "abc"},
        "split": {"name": "1/8", "seed": seed, "hash": f"h{seed}"},
    }  # fmt: skip
    return entry | changes


def arms(one, two, **changes):
    """Records of arms one and two; a value a seed."""
    return [
        record(arm, seed, value, **changes)
        for arm, values in {"one": one, "two": two}.items()
        for seed, value in enumerate(values)
    ]


def claim(weights=None, **changes):
    contrast = {"name": "one against two", "weights": weights or {"one": 1.0, "two": -1.0}} | changes
    return Claim(id="T1", text="One is better.", kind="paired", contrasts=[contrast], registered=REGISTERED)


def test_interval_by_hand():
    # 1, 2, 3, 4, 5: mean 3, standard deviation sqrt(2.5), t(0.975, 4) = 2.776445.
    mean, low, high = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764451 * math.sqrt(2.5 / 5)
    assert mean == 3.0
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=1e-6)


def test_interval_as_scipy():
    values = np.random.default_rng(0).normal(0.01, 0.02, 7)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert t_interval(list(values))[1:] == pytest.approx((expected.low, expected.high))


def test_interval_of_one_value_and_of_equal_values():
    assert t_interval([0.25])[0] == 0.25 and math.isnan(t_interval([0.25])[1])
    assert t_interval([0.1] * 5) == (0.1, 0.1, 0.1)


def test_pairing_sees_what_unpaired_comparison_misses():
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 0.05, 6)  # a hard split is hard for both arms
    one, two = 0.42 + shared + rng.normal(0, 0.002, 6), 0.41 + shared + rng.normal(0, 0.002, 6)
    unpaired = stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    assert unpaired.low < 0 < unpaired.high
    verdict = judge(claim(), arms(one, two), "streets")
    assert verdict.status == "supported"
    paired = stats.ttest_rel(one, two).confidence_interval(0.95)
    effect = verdict.effects[0]
    assert (effect.low, effect.high) == pytest.approx((paired.low, paired.high))
    assert effect.n == 6 and verdict.protocol == TEST
    assert effect.per_seed[3] == pytest.approx(one[3] - two[3])


@pytest.mark.parametrize(
    ("difference", "status"),
    [
        ([0.01, 0.02, 0.015, 0.012, 0.018], "supported"),
        ([-0.01, -0.02, -0.015, -0.012, -0.018], "contradicted"),
        ([0.01, -0.02, 0.015, -0.012, 0.018], "inconclusive"),
        ([0.01, 0.02, 0.015, 0.012], "not judged"),
        ([0.0] * 5, "inconclusive"),
        ([0.25] * 5, "supported"),
    ],
)
def test_status_follows_the_interval(difference, status):
    two = [0.5, 0.25, 0.5, 0.25, 0.5][: len(difference)]
    records = arms([base + d for base, d in zip(two, difference)], two)
    assert judge(claim(), records, "streets").status == status
    mirror = {"supported": "contradicted", "contradicted": "supported"}
    assert judge(claim(direction="less"), records, "streets").status == mirror.get(status, status)


def test_equal_differences_are_said_to_be_equal():
    verdict = judge(claim(), arms([0.5] * 5, [0.25] * 5), "streets")
    assert verdict.effects[0].low == verdict.effects[0].high == 0.25
    assert "the same in every seed" in verdict.reason


def test_only_seeds_that_all_arms_have_are_paired():
    records = arms([0.5, 0.6, 0.5, 0.6, 0.5, 0.9], [0.4, 0.5, 0.41, 0.5, 0.4])
    effect = judge(claim(), records, "streets").effects[0]
    assert effect.n == 5 and 5 not in effect.per_seed
    assert "two seed 5" in judge(claim(), records, "streets").reason


def test_difference_of_differences():
    values = {"a": 0.5, "b": 0.4, "c": 0.7, "d": 0.65}
    rng = np.random.default_rng(2)
    records = [record(arm, s, v + rng.normal(0, 0.001)) for arm, v in values.items() for s in range(5)]
    effect = judge(claim({"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}), records, "streets").effects[0]
    assert effect.mean == pytest.approx(0.05, abs=0.002)
    assert effect.status == "supported"


def several(*effects):
    """A claim with one contrast for each effect, and records that give exactly those effects, plus seed noise."""
    contrasts = [{"name": f"c{i}", "weights": {f"a{i}": 1.0, "base": -1.0}} for i in range(len(effects))]
    noise = [0.0, 0.001, -0.001, 0.002, -0.002]
    records = [record("base", seed, 0.4) for seed in range(5)]
    for i, effect in enumerate(effects):
        if effect is not None:
            records += [record(f"a{i}", seed, 0.4 + effect + noise[seed]) for seed in range(5)]
    return Claim(id="T", text="t", kind="paired", contrasts=contrasts, registered=REGISTERED), records


@pytest.mark.parametrize(
    ("effects", "status"),
    [
        ((0.1, 0.1), "supported"),
        ((0.1, 0.0), "inconclusive"),
        ((0.1, -0.1), "contradicted"),
        ((0.0, -0.1), "contradicted"),
        ((0.1, None), "not yet run"),
        ((0.0, None), "not yet run"),
        ((-0.1, None), "contradicted"),
        ((None, None), "not yet run"),
    ],
)
def test_a_claim_needs_all_its_contrasts(effects, status):
    several_claim, records = several(*effects)
    verdict = judge(several_claim, records, "streets")
    assert verdict.status == status
    assert len(verdict.effects) == 2


def test_a_claim_meant_for_some_data_is_judged_on_these_and_their_variants_alone():
    meant = claim().model_copy(update={"data": ["streets"]})
    records = arms([0.5, 0.6, 0.7, 0.8, 0.9], [0.4, 0.5, 0.6, 0.7, 0.8])
    assert judge(meant, records, "streets").status == "supported"
    elsewhere = judge(meant, [r | {"data": "streetside"} for r in records], "streetside")
    assert elsewhere.status == "not judged" and elsewhere.reason == "meant for streets alone"
    assert meant.concerns("streets-sim") and claim().concerns("streetside")


def test_what_is_missing_is_named():
    several_claim, records = several(0.1, None)
    assert "no records of a1 on streets" in judge(several_claim, records, "streets").reason
    assert judge(several_claim, records, "camvid").status == "not yet run"


def test_smoke_is_never_judged():
    records = arms([0.5] * 5, [0.4] * 5, budget="smoke")
    verdict = judge(claim(), records, "streets")
    assert verdict.status == "not judged" and "smoke" in verdict.reason


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"steps": 600}, "numbers of steps"),
        ({"dataset": {"fingerprint": "xyz"}}, "data fingerprints"),
        ({"budget": "full"}, "budgets"),
        ({"metrics": {"streets/test/sliding": {"miou": 0.5}}}, "share no protocol"),
        ({"split": {"name": "1/8", "hash": "other"}}, "different images"),
        ({"metrics": {TEST: {"miou": math.nan}}}, "not a number"),
        ({"metrics": {TEST: {"miou": None}}}, "not a number"),
    ],
)
def test_refusals(change, word):
    records = arms([0.5] * 5, [0.4] * 5)
    records[7] = records[7] | change  # arm two, seed 2
    with pytest.raises(IncomparableRecords, match=word) as refusal:
        judge(claim(), records, "streets")
    assert "\n" not in str(refusal.value)


def test_steps_may_differ_where_the_contrast_says_so():
    records = arms([0.5, 0.6, 0.5, 0.6, 0.52], [0.4] * 5)
    for entry in records[5:]:
        entry["steps"] = 1200
    assert judge(claim(steps="may differ"), records, "streets").status == "supported"


def test_records_without_a_fingerprint_are_refused():
    with pytest.raises(IncomparableRecords, match="no data fingerprints"):
        judge(claim(), arms([0.5] * 5, [0.4] * 5, dataset={}), "streets")


def test_protocol_is_named_where_several_are_shared_and_best_is_apart():
    def metrics(value):
        return {TEST: {"miou": value}, TEST + "/best-on-val": {"miou": value + 0.1}, "streets/val/x": {"miou": 0.1}}

    records = [
        record(arm, seed, 0, metrics=metrics(value))
        for arm, value in {"one": 0.5, "two": 0.4}.items()
        for seed in range(5)
    ]
    with pytest.raises(IncomparableRecords, match="several protocols"):
        judge(claim(), records, "streets")
    assert judge(claim(), records, "streets", protocol=TEST).effects[0].mean == pytest.approx(0.1)
    best = judge(claim(), records, "streets", protocol=TEST, checkpoint="best-on-val")
    assert best.protocol == TEST + "/best-on-val"
    with pytest.raises(IncomparableRecords, match="no result under streets/val/x/best-on-val for one, two"):
        judge(claim(), records, "streets", protocol="streets/val/x", checkpoint="best-on-val")
    with pytest.raises(ValueError, match="'best'"):
        judge(claim(), records, "streets", checkpoint="best")


def two_protocols():
    """Arm one is better at segmenting; arm two has the better pseudo labels. The data's full name is another."""
    return [
        record(arm, seed, 0, metrics={
            "streets-real/test/whole-image": {"miou": miou + 0.001 * seed},
            "streets-real/test/whole-image/best-on-val": {"miou": miou + 0.1},
            "streets-real/train/pseudo-labels": {"miou": 1 - miou + 0.002 * seed},
        })
        for arm, miou in {"one": 0.5, "two": 0.4}.items()
        for seed in range(5)
    ]  # fmt: skip


def test_a_contrast_chooses_its_protocol_by_its_ending():
    records = two_protocols()
    with pytest.raises(IncomparableRecords, match="one against two: the records share several protocols"):
        judge(claim(), records, "streets")
    test = judge(claim(protocol="test/whole-image"), records, "streets")
    assert (test.status, test.protocol) == ("supported", "streets-real/test/whole-image")
    labels = judge(claim(protocol="train/pseudo-labels"), records, "streets")
    assert (labels.status, labels.protocol) == ("contradicted", "streets-real/train/pseudo-labels")
    best = judge(claim(protocol="test/whole-image"), records, "streets", checkpoint="best-on-val")
    assert best.protocol == "streets-real/test/whole-image/best-on-val"
    # What the claim registered is stronger than what the caller asks for.
    both = judge(claim(protocol="train/pseudo-labels"), records, "streets", protocol="test/whole-image")
    assert both.protocol == "streets-real/train/pseudo-labels"
    # Part of an ending is another protocol, not this one.
    with pytest.raises(IncomparableRecords, match="no result under whole-image for one, two"):
        judge(claim(protocol="whole-image"), records, "streets")


def test_one_claim_can_speak_of_two_protocols():
    contrasts = [
        {"name": "labels", "weights": {"two": 1.0, "one": -1.0}, "protocol": "train/pseudo-labels"},
        {"name": "test", "weights": {"one": 1.0, "two": -1.0}, "protocol": "test/whole-image"},
    ]
    both = Claim(id="T", text="t", kind="paired", contrasts=contrasts, registered=REGISTERED)
    verdict = judge(both, two_protocols(), "streets")
    assert verdict.status == "supported"
    assert verdict.protocol == "streets-real/test/whole-image, streets-real/train/pseudo-labels"


def nested(values):
    """Records of arm one whose metrics are a panoptic video's."""
    return [record("one", seed, 0, metrics={"clips/test/video": {"vpq": v, "pq": {"things": {"car": v}}}})
            for seed, v in enumerate(values)]  # fmt: skip


def test_metrics_may_lie_in_groups():
    values = [0.91, 0.92, 0.93, 0.92, 0.91]
    for metric in ("vpq", "pq:things:car"):
        level = judge(claim({"one": 1.0}, metric=metric, bar=0.9), nested(values), "streets").effects[0]
        assert level.mean == pytest.approx(np.mean(values)) and level.status == "supported"
    for metric, words in {
        "ap": "ap of arm one, seed 0 is absent",
        "pq:things:bus": "pq:things:bus of arm one, seed 0 is absent",
        "vpq:car": "vpq:car of arm one, seed 0 is absent",
        "pq:things": r"is a group \(car\)",
    }.items():
        with pytest.raises(IncomparableRecords, match=f"{words}, not a number"):
            judge(claim({"one": 1.0}, metric=metric, bar=0), nested(values), "streets")
    for broken in (None, math.nan, math.inf, True, "0.9"):
        with pytest.raises(IncomparableRecords, match=r"vpq of arm one, seed 3 is .*, not a number"):
            judge(claim({"one": 1.0}, metric="vpq", bar=0), nested([*values[:3], broken, 0.9]), "streets")


@pytest.mark.parametrize(
    ("bar", "direction", "status"),
    [(0.0, "greater", "contradicted"), (-0.005, "greater", "supported"), (-0.002, "greater", "contradicted"),
     (-0.003, "greater", "inconclusive"), (0.0, "less", "supported"), (-0.005, "less", "contradicted")],
)  # fmt: skip
def test_the_effect_is_held_against_the_bar(bar, direction, status):
    two = [0.5, 0.4, 0.45, 0.5, 0.4]
    one = [value - loss for value, loss in zip(two, [0.003, 0.0031, 0.0029, 0.003, 0.003])]
    verdict = judge(claim(bar=bar, direction=direction), arms(one, two), "streets")
    assert verdict.status == status
    assert verdict.effects[0].bar == bar


def test_a_margin_is_named_beside_the_effect():
    effect = judge(claim(bar=-0.005), arms([0.5] * 5, [0.25] * 5), "streets").effects[0]
    assert effect.text() == "+25.0 [+25.0, +25.0] (asked: above −0.5)"
    level = judge(claim({"one": 1.0}, bar=0.9, direction="less"), arms([0.5] * 5, []), "streets").effects[0]
    assert level.text() == "50.0 [50.0, 50.0] (asked: below 90)" and level.status == "supported"
    assert not level.fits_forest and effect.fits_forest


def test_the_same_cell_in_two_runs_must_be_chosen():
    records = arms([0.5] * 5, [0.4] * 5) + arms([0.7] * 5, [0.4] * 5, run="again")
    with pytest.raises(IncomparableRecords, match="name the run"):
        judge(claim(), records, "streets")
    assert judge(claim(), records, "streets", run="again").effects[0].mean == pytest.approx(0.3)


def test_duplicates_are_an_error_not_a_refusal():
    records = arms([0.5] * 5, [0.4] * 5)
    with pytest.raises(ValueError, match="arm two, seed 4") as error:
        judge(claim(), [*records, records[-1]], "streets")
    assert not isinstance(error.value, IncomparableRecords)


def test_series_and_class_metrics():
    rise = {"agreement": [[0, 0.5], [150, 0.4], [300, 0.75]]}
    records = [record("one", seed, 0.5, series=rise) for seed in range(5)]
    gain = judge(claim({"one": 1.0}, metric="series:agreement:gain"), records, "streets")
    assert gain.effects[0].mean == 0.25 and gain.status == "supported"
    last = judge(claim({"one": 1.0}, metric="series:agreement:last"), records, "streets")
    assert last.effects[0].mean == 0.75
    with pytest.raises(IncomparableRecords, match="series:other:gain of arm one, seed 0"):
        judge(claim({"one": 1.0}, metric="series:other:gain"), records, "streets")
    road = judge(claim(metric="iou:road"), arms([0.5] * 5, [0.25] * 5), "streets")
    assert road.effects[0].mean == 0.25


def exact_claim(test):
    return Claim(id="E", text="t", kind="exact", test=test, registered=REGISTERED)


def test_exact_claims_need_their_test(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text("def test_named():\n    pass\n")
    assert judge(exact_claim("tests/test_it.py::test_named"), [], "x", root=tmp_path).status == "exact"
    assert judge(exact_claim("tests/test_it.py"), [], "x", root=tmp_path).status == "exact"
    for absent in ("tests/test_it.py::test_other", "tests/test_no.py"):
        assert judge(exact_claim(absent), [], "x", root=tmp_path).status == "not yet run"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"ratio": {"time": 12.0}, "memory": 40}, "supported"),
        ({"ratio": {"time": 4.9}, "memory": 40}, "contradicted"),
        ({"ratio": {"time": 12.0}}, "not yet run"),
        (None, "not yet run"),
    ],
)
def test_measured_claims(tmp_path, content, status):
    measured = Claim(
        id="M", text="t", kind="measured", source="bench.json", registered=REGISTERED,
        measurements=[{"name": "time", "value": "ratio.time", "at_least": 5.0},
                      {"name": "memory", "value": "memory", "at_least": 10.0}],
    )  # fmt: skip
    if content is not None:
        (tmp_path / "bench.json").write_text(json.dumps(content))
    verdict = judge(measured, [], "streets", root=tmp_path)
    assert verdict.status == status
    if status == "supported":
        assert verdict.effects[0].text() == "12.0 times (asked: at least 5)"
    (tmp_path / "bench.json").write_text('{"ratio": {"time": "fast"}}')
    with pytest.raises(ValueError, match=r"ratio\.time is 'fast'"):
        judge(measured, [], "streets", root=tmp_path)
    (tmp_path / "bench.json").write_text("{")
    with pytest.raises(ValueError, match=r"bench\.json: not valid JSON"):
        judge(measured, [], "streets", root=tmp_path)


@pytest.mark.parametrize(("value", "status"), [(0.2, "supported"), (0.25, "supported"), (0.3, "contradicted")])
def test_a_cost_can_be_bounded_from_above(tmp_path, value, status):
    measurements = [{"name": "time", "value": "time", "at_most": 0.25, "unit": "s"}]
    bounded = Claim(
        id="M", text="t", kind="measured", source="bench.json", registered=REGISTERED, measurements=measurements
    )
    (tmp_path / "bench.json").write_text(json.dumps({"time": value}))
    verdict = judge(bounded, [], "streets", root=tmp_path)
    assert verdict.status == status
    assert verdict.effects[0].text() == f"{value:.3f} s (asked: at most 0.25)"


def test_records_are_read_from_files_and_folders(tmp_path):
    records = arms([0.5, 0.6], [0.4, 0.5])
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(r) for r in records[:2]) + "\n\n")
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps(r) for r in records[2:]))
    assert load_records(tmp_path) == load_records([tmp_path / "a.jsonl", tmp_path / "b.jsonl"]) == records
    (tmp_path / "c.jsonl").write_text(json.dumps(records[0]))
    with pytest.raises(ValueError, match="Two records describe the same run: paper tiny, run lesson"):
        load_records(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_records(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('{"schema": 1, "paper": "ti', "not valid JSON"),
        ("[1, 2]", "not a record"),
        ('{"schema": 1}', "lacks arm, budget"),
        (json.dumps(record("one", 1, 0.5) | {"schema": 2}), "schema 2"),
    ],
)
def test_a_corrupt_line_names_file_and_line(tmp_path, line, word):
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record("one", 0, 0.5)) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=word) as error:
        load_records(path)
    assert str(error.value).startswith(f"{path}, line 2: ") and "\n" not in str(error.value)


def tiny_records(paper, data):
    weights = {arm for claim in paper.claims for contrast in claim.contrasts for arm in contrast.weights}
    series = {name: [[0, 0.5], [300, 0.75]] for name in ("agreement", "pseudo_accuracy")}
    return [
        record(arm, seed, 0.4 + 0.001 * ((seed * 7 + len(arm) * 3) % 5), paper=paper.paper, data=data, series=series)
        for arm in sorted(weights)
        for seed in range(5)
    ]


def test_a_refusal_becomes_a_verdict_of_its_claim_alone():
    paper = load_paper("cps")
    records = tiny_records(paper, "streets")
    broken = next(r for r in records if r["arm"] == "soft-1/8")
    broken["steps"] = 17
    verdicts_of = {v.claim: v for v in judge_paper(paper, records)["streets"]}
    assert verdicts_of["C4"].status == "refused" and "17, 300" in verdicts_of["C4"].reason
    assert [c for c, v in verdicts_of.items() if v.status == "refused"] == ["C4"]
    assert verdicts_of["C6a"].status == "supported"


def test_records_of_other_papers_do_not_count():
    cps = load_paper("cps")
    assert judge_paper(cps, tiny_records(load_paper("ocr"), "streets")) == {}
    assert {v.status for v in judge_paper(cps, [], ["camvid"])["camvid"]} <= {"not yet run", "exact"}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.0134, 0.004, 0.0221), "+1.3 [+0.4, +2.2]"),
        ((-0.01, -0.03, 0.00001), "−1.0 [−3.0, 0.0]"),
        ((0.02, math.nan, math.nan), "+2.0"),
        ((math.nan, math.nan, math.nan), "–"),
    ],
)
def test_effects_are_written_in_points(values, text):
    assert verdicts.Effect("x", "supported", *values, 5).text() == text


@pytest.mark.parametrize(
    ("unit", "values", "text"),
    [
        ("points", (0.0134, 0.004, 0.0221), "+1.3 [+0.4, +2.2] points"),
        ("fraction", (0.0134, -0.004, 0.0221), "+0.0134 [−0.00400, +0.0221] (as a fraction)"),
        ("ms", (-12.34, -15.0, -9.87), "−12.3 [−15.0, −9.87] ms"),
        ("parameters", (25600.0, math.nan, math.nan), "+25600 parameters"),
        ("times", (0.04, math.nan, math.nan), "0.0400 times"),
        ("ms", (0.0, 0.0, 0.0), "0 [0, 0] ms"),
    ],
)
def test_every_unit_is_written_with_its_name(unit, values, text):
    effect = verdicts.Effect("x", "supported", *values, 5, {}, unit)
    assert effect.text(name_points=True) == text
    assert effect.fits_forest == (unit == "points")


def test_the_unit_of_a_contrast_reaches_its_effect():
    slow = claim(metric="miou", unit="ms", direction="less")
    assert judge(slow, arms([12.0] * 5, [20.0] * 5), "streets").effects[0].text() == "−8.00 [−8.00, −8.00] ms"
    assert judge(slow, [], "streets").effects[0].unit == "ms"
