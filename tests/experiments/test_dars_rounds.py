"""DARS in rounds: schedule, resume after a stop in any place, refusals, and what the arms share."""

import os
import shutil
import signal
from types import SimpleNamespace

import pytest
import torch

from labelkit.datasets.splits import labelled_split
from labelkit.experiments import dars, labelling, rounds, segmentation
from labelkit.experiments.settings import Context
from labelkit.pseudo_labels.selection import class_prior
from labelkit.training import Interrupted, poly

SETTINGS = dars.Settings(
    paper="dars", run="test", budget="smoke", data=["streets"], arms=["dars-1/8"], seeds=[0], steps=9, batch_size=2,
    learning_rate=0.05, height=24, width=32, images=32, test_images=4, ratios=[0.3, 0.6], last_scales=[0.5, 1.5],
    continuous_scales=True, scales=[0.8, 1.2], checkpoint_every=2, evaluate_every=2,
)  # fmt: skip


class Stopped(RuntimeError):
    pass


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return segmentation.load_data("streets", SETTINGS, Context("cpu", tmp_path_factory.mktemp("w"), None))


def run(folder, settings=SETTINGS, arm="dars-1/8", seed=0, on_step=None):
    folder.mkdir(exist_ok=True)
    return dars.run(arm, "streets", seed, settings, Context("cpu", folder, folder, identity="cell", on_step=on_step))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A cell that ran from start to end without a stop: its folder and its outcome."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder)


@pytest.fixture(scope="module")
def whole(finished):
    return finished[1]


def same(first, second):
    assert first.weights.keys() == second.weights.keys()
    assert all(torch.equal(value, second.weights[name]) for name, value in first.weights.items())
    strip = lambda metrics: {k: {n: v for n, v in m.items() if n != "seconds"} for k, m in metrics.items()}  # noqa: E731
    assert repr(strip(first.metrics)) == repr(strip(second.metrics))  # as text: nan is equal to itself
    assert (first.series, first.steps, first.images_seen) == (second.series, second.steps, second.images_seen)


@pytest.mark.parametrize(
    "stop_at",
    [
        ("round 0", 1),  # before the first checkpoint
        ("round 1", 2),  # in the middle of a round with pseudo labels
        ("labelling", 5),  # masks are written
    ],
)
def test_resumed_equals_uninterrupted(tmp_path, whole, stop_at):
    def on_step(label, step, steps):
        if label.endswith(stop_at[0]) and step == stop_at[1]:
            raise Stopped

    with pytest.raises(Stopped):
        run(tmp_path / "cell", on_step=on_step)
    trained = []
    same(run(tmp_path / "cell", on_step=lambda label, step, steps: trained.append((label[-7:], step))), whole)
    assert trained[0] != ("round 0", 1) or stop_at[0] == "round 0", "a finished round is not trained again"


def test_a_finished_round_is_kept_and_its_labels_are_not(finished):
    names = sorted(path.name for path in finished[0].iterdir())
    assert [f"checkpoint-round-{k}-end.pt" in names for k in range(3)] == [True] * 3
    assert not [name for name in names if name.startswith(("pseudo-labels", "maps"))]
    same(run(finished[0]), finished[1])  # everything is read back


def test_labels_of_other_weights_are_refused(tmp_path):
    def stop_in_round_1(label, step, steps):
        if label.endswith("round 1"):
            raise Stopped

    with pytest.raises(Stopped):
        run(tmp_path / "cell", on_step=stop_in_round_1)
    end = tmp_path / "cell" / "checkpoint-round-0-end.pt"
    state = torch.load(end, weights_only=True)
    next(iter(state["method"].values())).add_(1)
    torch.save(state, end)
    with pytest.raises(ValueError, match="holds pseudo labels of another run: weights is"):
        run(tmp_path / "cell")


def test_rounds_of_another_cell_are_refused(tmp_path, finished):
    shutil.copytree(finished[0], tmp_path / "cell")
    with pytest.raises(ValueError, match="the round of another cell"):
        dars.run("dars-1/8", "streets", 0, SETTINGS, Context("cpu", tmp_path / "cell", tmp_path, identity="other"))
    (tmp_path / "cell" / "checkpoint-round-1-end.pt").write_bytes(b"cut")
    with pytest.raises(ValueError, match="not a readable end of a round"):
        run(tmp_path / "cell")


def test_round_0_is_the_same_for_every_arm(tmp_path, whole):
    name = next(key for key in whole.metrics if key.endswith("after-round-0"))
    for arm in ("supervised-1/8", "single-1/8"):
        other = run(tmp_path / arm.replace("/", "_"), arm=arm)
        assert other.metrics[name] == whole.metrics[name]
        assert other.steps == whole.steps == SETTINGS.steps
        assert any(not torch.equal(value, whole.weights[key]) for key, value in other.weights.items())


def test_what_a_record_says(whole):
    labels = [key for key in whole.metrics if "unlabelled" in key]
    assert [key.rpartition("-")[2] for key in labels] == ["1", "2"]
    values = whole.metrics[labels[0]]
    assert values["target"] <= values["kept"] <= values["target"] + 28 * 13  # a pixel an image and class
    assert values["kept"] <= values["thresholded"] + 1e-9
    assert sum(values["by_class"]["kept"].values()) == values["kept"]
    assert set(values["ratios"]) == {"single", "cbst", "alignment"}
    assert values["float32"]["overshoot_thresholded"] <= values["overshoot_thresholded"] + 1e-9
    assert whole.images_seen == 3 * 2 + 6 * 4
    best = next(value for key, value in whole.metrics.items() if key.endswith("best-on-val"))
    assert best["step"] > 6  # counted over all rounds
    assert [step for step, _ in whole.series["val_miou"]] == [2, 3, 5, 6, 8, 9]


def test_the_schedule_is_not_restarted():
    rate = 0.01
    assert rate * rounds.round_schedule(0)(0, 100) == rate
    assert rate * rounds.round_schedule(1)(0, 100) == pytest.approx(0.00536, abs=5e-6)
    assert rate * rounds.round_schedule(2)(0, 100) == pytest.approx(0.00372, abs=5e-6)
    for number, (first, last) in enumerate(((0, 200), (200, 400), (400, 600))):
        middle = rounds.round_schedule(number)(50, 100)
        assert middle == pytest.approx((1 - (first + last) / 2 / last) ** 0.9)


@pytest.mark.parametrize("restart", ["resume", "weights"])
def test_restart_keeps_or_drops_the_optimiser(tmp_path, monkeypatch, restart):
    seen = []
    original = segmentation.train_and_evaluate

    def spy(method, batches, **options):
        optimizer, schedule = options["optimizer"], options["schedule"]
        seen.append((id(optimizer), len(optimizer.state), schedule(0, 10)))
        return original(method, batches, **options)

    monkeypatch.setattr(segmentation, "train_and_evaluate", spy)
    run(tmp_path / "cell", SETTINGS.model_copy(update={"restart": restart}))
    momenta = [count > 0 for _, count, _ in seen]
    rates = [rate for *_, rate in seen]
    if restart == "resume":
        assert len({key for key, *_ in seen}) == 1 and momenta == [False, True, True]
        assert rates == [1.0, pytest.approx(0.5**0.9), pytest.approx((1 / 3) ** 0.9)]
    else:
        assert momenta == [False, False, False] and rates == [poly()(0, 10)] * 3


def test_plans_of_the_arms(parts):
    split = labelled_split(segmentation.class_presence_of(parts.train), "1/8", 0)
    plan = lambda arm: dars.plan(dars.ARMS[arm], SETTINGS, parts, split, 0)  # noqa: E731
    chosen = [stage.labelling for stage in plan("dars-1/8")]
    assert chosen[0] is None and [c.ratio for c in chosen[1:]] == [0.3, 0.6] and chosen[2].teacher is None
    assert [c.ratio for c in (stage.labelling for stage in plan("dars-constant-1/8")[1:])] == [pytest.approx(0.45)] * 2
    assert plan("dars-one-round-1/8")[2].labelling.teacher == 0
    assert all(stage.labelling is None for stage in plan("supervised-1/8"))
    scales = lambda arm: [stage.augment.scales for stage in plan(arm)]  # noqa: E731
    assert scales("dars-1/8") == [(0.8, 1.2), (0.8, 1.2), (0.5, 1.5)]
    assert scales("dars-same-scale-1/8") == [(0.8, 1.2)] * 3
    assert scales("supervised-1/8") == scales("dars-1/8")
    uniform = plan("dars-prior-uniform-1/8")[1].labelling.prior
    assert set(uniform) == {1 / len(parts.classes)}
    few = plan("dars-prior-few-1/8")[1].labelling.prior
    masks = [class_prior([parts.train[a]["mask"], parts.train[b]["mask"]], len(parts.classes)).tolist()
             for a in split.labelled for b in split.labelled if a < b]  # fmt: skip
    assert list(few) in masks and few != chosen[1].prior
    assert all(stage.steps == 3 for stage in plan("dars-1/8"))


@pytest.mark.parametrize(("part", "called"), [("val", "validation"), ("test", "test")])
def test_a_training_image_of_another_part_is_refused(part, called):
    def named(names):
        return SimpleNamespace(names=names)

    data = SimpleNamespace(train=named(["a", "b", "c"]), val=named(["x"]), test=named(["y"]))
    setattr(data, part, named(["x", "c"]))
    arguments = dict.fromkeys(("label", "split", "settings", "context", "seed", "network"))
    with pytest.raises(ValueError, match=f"training image c is also a {called} image"):
        rounds.train_rounds(None, [SimpleNamespace(labelling=None)], data=data, **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratios": [0.2, 1.5]}, "ratios is"),
        ({"round_steps": [3, 3]}, "round_steps is"),
        ({"round_steps": [3, 3, 4]}, "the sum 9"),
        ({"steps": 2}, "at least one for each of 3 rounds"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        dars.Settings(**(SETTINGS.model_dump() | change))


def test_steps_and_batch_of_each_round_can_be_given(parts):
    split = labelled_split(segmentation.class_presence_of(parts.train), "1/8", 0)
    settings = SETTINGS.model_copy(update={"round_steps": [1, 3, 5], "first_batch_size": 4})
    plan = dars.plan(dars.ARMS["dars-1/8"], settings, parts, split, 0)
    assert [(stage.steps, stage.batch_size) for stage in plan] == [(1, 4), (3, 2), (5, 2)]


def test_processes_share_the_predictions(tmp_path, parts):
    """What two processes predict between them is what one would, and the method keeps its own weights."""
    split = labelled_split(segmentation.class_presence_of(parts.train), "1/8", 0)
    method = dars.build(len(parts.classes), SETTINGS, 0)
    teacher = {name: value.clone() for name, value in dars.build(len(parts.classes), SETTINGS, 1).state_dict().items()}
    before = labelling.digest_of(method.state_dict())
    common = {"data": parts, "split": split, "crop": (24, 32)}
    for rank in (0, 1):
        context = Context("cpu", tmp_path, tmp_path, rank=rank, world_size=2)
        labelling.predict_share(1, teacher, method, context=context, **common)
        done = len(list((tmp_path / "maps-1").iterdir()))
        assert done == len(split.unlabelled[::2]) + rank * len(split.unlabelled[1::2])
    assert labelling.digest_of(method.state_dict()) == before

    def never(images):
        raise AssertionError("everything is predicted already")

    method.predict = never
    chosen = labelling.Labelling(0.3, "cbst", False, tuple([1 / len(parts.classes)] * len(parts.classes)))
    options = {"context": Context("cpu", tmp_path, tmp_path), "seed": 0, "label": "cell", **common}
    found = labelling.make_labels(1, chosen, teacher, method, **options)
    (values,) = found.values()
    assert values["kept"] == values["thresholded"] > 0


def test_digest_sees_every_weight():
    weights = {"a": torch.zeros(2, 2), "b": torch.ones(3, dtype=torch.int64)}
    changed = {"a": torch.zeros(2, 2), "b": torch.tensor([1, 1, 2])}
    assert labelling.digest_of(weights) == labelling.digest_of({k: v.clone() for k, v in weights.items()})
    assert labelling.digest_of(weights) != labelling.digest_of(changed)
    assert labelling.digest_of(weights) != labelling.digest_of({"b": weights["b"], "a": weights["a"] + 1e-45})


def test_a_stopped_process_leaves_nothing_that_hinders_the_next(tmp_path, whole):
    """SIGTERM in a round: the loop's own checkpoint, then the rest."""

    def on_step(label, step, steps):
        if label.endswith("round 1") and step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        run(tmp_path / "cell", on_step=on_step)
    assert (tmp_path / "cell" / "pseudo-labels-1" / "manifest.json").exists()  # stays for the resume
    same(run(tmp_path / "cell"), whole)
