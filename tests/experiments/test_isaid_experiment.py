"""The arms of the iSAID chapter: settings, what differs between arms, scoring, a whole cell twice."""

import weakref
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from cells import context, same_weights, without_time

from labelkit import runs
from labelkit.experiments import isaid, isaid_data, isaid_start
from labelkit.experiments import isaid_scoring as scoring
from labelkit.run_lengths import encode_instances
from labelkit.worlds.aerial import Aerial

VALUES = {
    "paper": "isaid", "run": "test", "budget": "smoke", "data": ["aerial"], "arms": ["mask-rcnn"], "seeds": [0],
    "steps": 2, "batch_size": 1, "learning_rate": 0.001, "height": 256, "width": 256, "images": 2, "test_images": 1,
    "patch": 128, "overlap": 32, "network": "lesson", "optimizer": "adamw", "warm_up": 0, "scales": [0.75, 1.0],
    "proposals": 20, "rpn_samples": 16, "score_threshold": 0.3, "box_samples": 16, "mask_samples": 4,
    "val_patches": 1, "overlaps": [0, 32],
    "dense_images": 1,
}  # fmt: skip


def settings(**changes):
    return runs.parse(VALUES | changes)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return context(tmp_path_factory.mktemp("isaid") / "cell")


@pytest.fixture(scope="module")
def parts(here):
    return isaid_data.load_data("aerial", settings(), here)


def perfect(sample):
    """The truth as detections."""
    count = len(sample["labels"])
    masks = encode_instances(sample["instances"], count)
    scores = torch.linspace(1.0, 0.5, count)
    return {"masks": masks, "boxes": sample["boxes"], "labels": sample["labels"], "scores": scores}


def test_drawn_scenes_have_the_statistics_of_the_paper_in_kind():
    scenes = [Aerial("train", 12, 512, 512)[index] for index in range(12)]
    areas = np.concatenate([np.bincount(scene["instances"].numpy().ravel())[1:] for scene in scenes])
    labels = Counter(int(label) for scene in scenes for label in scene["labels"])
    counts = np.array([len(scene["labels"]) for scene in scenes])
    assert np.mean((areas >= 10) & (areas < 144)) > 0.5  # the paper: 52 %
    assert np.mean(areas > 1024) < np.mean((areas >= 144) & (areas <= 1024)) < 0.4
    assert areas.max() / np.median(areas) > 100
    assert labels.most_common(1)[0][0] == Aerial.classes.index("Small_Vehicle")
    assert labels.most_common(1)[0][1] > 50 * min(labels.values())
    assert counts.max() > 1.5 * np.median(counts)


@pytest.mark.parametrize("arm", isaid.ARMS)
def test_arms_differ_in_what_they_say_and_start_from_the_same_weights(arm):
    chosen, plain = isaid.ARMS[arm], isaid.build("mask-rcnn", 16, settings(), 0).detector
    method = isaid.build(arm, 16, settings(), 0)
    detector = method.detector
    assert detector.rpn.anchor_generator.sizes[0] == ((8,) if chosen.small_anchors else (32,))
    assert method.scales == ((0.75, 1.0) if chosen.multi_scale else (1.0,))
    assert (detector.backbone.bottom_up is not None) == chosen.parts.bottom_up
    assert ("levels" in " ".join(detector.state_dict())) == chosen.parts.adaptive
    assert ("mask_head.fusion" in " ".join(detector.state_dict())) == chosen.parts.fusion
    shared = detector.state_dict().keys() & plain.state_dict().keys()
    assert all(torch.equal(detector.state_dict()[name], plain.state_dict()[name]) for name in shared)


def test_scores_of_the_truth_are_one(parts):
    found = [perfect(parts.test[index]) for index in range(len(parts.test))]
    scores = scoring.patch_scores(parts.classes[1:], parts.test, found, 1000)
    assert scores["ap"] == scores["ap50"] == scores["box"]["ap75"] == 1.0
    assert scores["limit_gap_rise"] == pytest.approx(0.0)  # no class has more than 100 objects here
    assert scores["by_crowd"]["crowded"]["objects"] > scores["by_crowd"]["sparse"]["objects"]
    assert scores["by_crowd"]["crowded"]["gap_10"] > 0


def test_a_limit_of_detections_leaves_the_surest_of_all_classes():
    found = {"scores": torch.tensor([0.9, 0.8, 0.7]), "labels": torch.tensor([2, 1, 1]), "masks": ["a", "b", "c"]}
    assert scoring.first(found, 2)["masks"] == ["a", "b"]
    assert scoring.first(found, 2)["labels"].tolist() == [2, 1]


def test_the_truth_of_patches_merges_to_the_truth_of_scenes(parts):
    found = [perfect(parts.test[index]) for index in range(len(parts.test))]
    whole = scoring.merge_scenes(parts, parts.test, found, settings())
    scene = scoring.kept(parts.scenes["test"][0])
    hits = scoring.recalled(whole[0], scene)
    boxes = scene["boxes"]
    outside = (boxes[:, 2:] - boxes[:, :2]).amax(1) <= 32  # what fits into the overlap is whole in some patch
    assert hits[outside.numpy()].all()


def test_gains_are_against_the_first_overlap_and_rises_against_the_one_before():
    gains = scoring.border_gains({"border": {"0": 0.2, "64": 0.5, "128": 0.6}})
    assert gains["border_gain_128"] == pytest.approx(0.4)
    assert gains["border_rise_128"] == pytest.approx(0.1)
    assert gains["border_rise_64"] == gains["border_gain_64"]


def test_kept_scenes_have_no_specks(parts):
    scene = parts.scenes["test"][0]
    kept = scoring.kept(scene)
    areas = torch.bincount(kept["instances"].flatten().long())[1:]
    assert len(areas) == len(kept["labels"]) == len(kept["boxes"]) < len(scene["labels"]) + 1
    assert areas.min() > 10


def test_a_cell_measures_what_claims_read_and_is_the_same_twice(tmp_path):
    chosen = settings(arms=["mask-rcnn-plus"], patch=96, steps=1)
    outcomes = [isaid.run("mask-rcnn-plus", "aerial", 0, chosen, context(tmp_path / str(turn))) for turn in range(2)]
    assert repr(without_time(outcomes[0])) == repr(without_time(outcomes[1]))  # nan is nan
    assert same_weights(outcomes[0].weights, outcomes[1].weights)
    metrics = outcomes[0].metrics
    assert {"ap", "box", "detections_gain", "ap_by_class"} <= metrics["aerial/test/patches"].keys()
    assert {"ap", "small_over_large", "tiny_minus_large"} <= metrics["aerial/test/scenes"].keys()
    assert {"border_gain_32", "border_rise_32", "recall"} <= metrics["aerial/test/merged"].keys()
    assert {"limit_gap_rise", "limit_gap_rise_10", "by_crowd"} <= metrics["aerial/test/dense"].keys()


def test_the_arm_that_shrinks_is_scored_on_whole_scenes(tmp_path):
    chosen = settings(arms=["mask-rcnn-shrunk"], steps=1, shrink=2)
    metrics = isaid.run("mask-rcnn-shrunk", "aerial", 0, chosen, context(tmp_path / "cell")).metrics
    assert set(metrics) == {"aerial/test/scenes", "aerial/test/scenes/best-on-val"}


def test_the_start_is_made_once_and_leaves_out_the_proposal_network(tmp_path):
    chosen = settings(pretraining="scenes", pretrain_steps=1, pretrain_images=1)
    folder = context(tmp_path / "shared")
    isaid.prepare(chosen, folder)
    (path,) = folder.shared.glob("start-*.pt")
    state = torch.load(path, weights_only=True)
    assert state and not any(name.startswith("rpn.") for name in state)
    written = path.stat().st_mtime_ns
    isaid.prepare(chosen, folder)
    assert path.stat().st_mtime_ns == written
    isaid.prepare(settings(pretraining="scenes", pretrain_steps=1, pretrain_images=1, patch=64), folder)
    assert len(list(folder.shared.glob("start-*.pt"))) == 2


def test_a_start_is_made_once_a_kind_of_network_and_only_for_arms_of_the_run(tmp_path):
    values = {"pretraining": "scenes", "pretrain_steps": 2, "pretrain_images": 1}
    folder = context(tmp_path / "shared")
    isaid.prepare(settings(**values, arms=["mask-rcnn", "panet-plus", "anchors"]), folder)
    (plain,) = folder.shared.glob("start-*.pt")
    chosen = settings(**values, arms=["mask-rcnn-plus", "panet-plus-own-start"])
    isaid.prepare(chosen, folder)
    (own,) = set(folder.shared.glob("start-*.pt")) - {plain}
    state, other = (torch.load(path, weights_only=True) for path in (own, plain))
    grown = isaid.build("panet-plus-own-start", 16, chosen, 0, state).detector
    grafted = isaid.build("panet-plus", 16, chosen, 0, other).detector
    fresh = isaid.build("panet-plus", 16, chosen, 0).detector.state_dict()
    for name, value in grown.state_dict().items():
        assert torch.equal(value, fresh[name] if name.startswith("rpn.") else state[name])
    parts = [name for name in state if "bottom_up" in name or "fusion" in name]
    assert parts and all(torch.equal(grafted.state_dict()[name], fresh[name]) for name in parts)
    begun = isaid.drawn_detector(16, chosen, isaid.Options(), isaid.ALL_PARTS, isaid_start.SEED).state_dict()
    learnt = [name for name in parts if not torch.equal(state[name], begun[name])]
    assert any("bottom_up" in name for name in learnt) and any("fusion" in name for name in learnt)
    with pytest.raises(ValueError, match="the start is of another network"):
        isaid.build("panet-plus-own-start", 16, chosen, 0, other)


def test_both_kinds_of_start_begin_with_the_same_weights_and_draws():
    drawn, states = [], []
    for parts in (isaid.NO_PARTS, isaid.ALL_PARTS):
        states.append(isaid.drawn_detector(16, settings(), isaid.Options(), parts, 5).state_dict())
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    assert all(torch.equal(states[1][name], states[0][name]) for name in states[0].keys() & states[1].keys())


def test_a_start_of_its_own_needs_starts(tmp_path):
    with pytest.raises(ValueError, match="arm panet-plus-own-start has a start of its own, but pretraining is 'none'"):
        isaid.prepare(settings(arms=["panet-plus-own-start"]), context(tmp_path / "cell"))


def test_a_dry_run_makes_no_start(tmp_path):
    chosen = settings(pretraining="scenes", pretrain_steps=1, pretrain_images=1)
    folder = replace(context(tmp_path / "cell"), rehearse=lambda *_, **__: None)
    isaid.prepare(chosen, folder)
    assert not list(folder.shared.glob("start-*.pt"))


def test_sizes_are_compared_where_a_ratio_does_not_exist(parts):
    scenes = [parts.scenes["test"][0]]
    nothing = [{key: value[:0] for key, value in perfect(scenes[0]).items()}]
    scores = scoring.scene_scores(parts.classes[1:], scenes, nothing)
    assert np.isnan(scores["small_over_large"])
    assert scores["tiny_minus_large"] == scores["small_minus_large"] == 0.0
    kept = scoring.kept(scenes[0])
    areas = torch.bincount(kept["instances"].flatten().long())[1:]
    whole, tiny = perfect(kept), areas < 144
    found = {key: value[tiny] for key, value in whole.items() if key != "masks"}
    found["masks"] = [mask for mask, chosen in zip(whole["masks"], tiny, strict=True) if chosen]
    scores = scoring.scene_scores(parts.classes[1:], scenes, [found])
    assert scores["tiny_minus_large"] == 1.0 and scores["small_minus_large"] == 0.0


def test_scoring_holds_no_patches(parts):
    class Watched:
        counts = parts.test.counts

        def __init__(self):
            self.alive = self.most = 0

        def __len__(self):
            return len(parts.test)

        def __getitem__(self, index):
            sample = parts.test[index]
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(sample["instances"], self._gone)
            return sample

        def _gone(self):
            self.alive -= 1

    watched = Watched()
    found = [perfect(parts.test[index]) for index in range(len(parts.test))]
    assert scoring.patch_scores(parts.classes[1:], watched, found, 1000)["ap"] == 1.0
    assert watched.most <= 2 < len(parts.test)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"overlap": 128}, "from 0 to below the patch, 128"),
        ({"overlaps": [0, 200]}, "from 0 to below the patch, 128"),
        ({"anchors": [8, 16]}, "one side for each of 5 levels"),
        ({"pretraining": "imagenet"}, "which the lesson network does not have"),
        ({"pretrain_steps": 5}, "pretrain_steps go with pretraining: scenes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        settings(**changes)


def test_the_rate_rises_then_falls():
    step = isaid.warmed_up(10, [0.5, 0.9])
    assert step(0, 100) == pytest.approx(1 / 11)
    assert step(20, 100) == 1.0
    assert step(50, 100) == pytest.approx(0.1)
    assert step(95, 100) == pytest.approx(0.01)
    assert isaid.warmed_up(0, [])(50, 100) == pytest.approx(0.5**0.9)


def test_more_detections_are_made_than_any_limit_takes():
    assert isaid.options_of(isaid.ARMS["mask-rcnn"], settings()).detections == 1000
    assert isaid.options_of(replace(isaid.PLUS), settings(detections=50)).detections == 100
