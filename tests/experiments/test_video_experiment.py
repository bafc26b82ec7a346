"""The arms of the video chapter: what they share, where truth enters, and that a stopped cell ends as a whole one."""

import pytest
import torch
from cells import context, same_weights, without_time

from labelkit import runs
from labelkit.experiments import video, video_data, video_labels
from labelkit.experiments.video_batches import Windows
from labelkit.experiments.video_clips import Clips
from labelkit.experiments.video_evaluation import evaluate
from labelkit.experiments.video_phases import Labelled
from labelkit.methods.video_flow import carried

SMALL = {
    "paper": "video",
    "run": "test",
    "budget": "smoke",
    "data": ["street_clips"],
    "arms": ["source", "vat", "vat-vst"],
    "seeds": [0],
    "steps": 4,
    "batch_size": 1,
    "learning_rate": 0.02,
    "height": 32,
    "width": 48,
    "images": 3,
    "test_images": 2,
    "gap": 1,
    "window": 2,
    "discriminator_width": 2,
    "self_training_steps": 2,
}


def settings(**changes):
    return runs.parse(SMALL | changes)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("video")


@pytest.fixture(scope="module")
def clips(shared):
    return video_data.load("street_clips", settings(), context(shared))


def test_parts_have_what_they_need_and_no_street_is_in_two(clips):
    assert [len(getattr(clips, part)) for part in video_data.PARTS] == [3, 2, 3, 2, 2]
    assert clips.classes == ("flat", "construction", "object", "nature", "sky", "human", "vehicle")
    assert "back" not in clips.source_train[0] and clips.target_train[0]["back"].shape == (6, 2, 2, 32, 48)
    source, target = clips.source_train[0], clips.target_train[0]
    assert not torch.equal(source["masks"], target["masks"])
    assert source["frames"].shape == (6, 3, 32, 48) and 0 <= source["frames"].min() <= source["frames"].max() <= 1
    assert set(target["masks"].unique().tolist()) <= {*range(7), 255}


def test_test_clips_have_labels_some_frames_apart_and_dense_ones_the_first_frames(tmp_path, clips):
    wide = video_data.load("street_clips", settings(gap=3), context(tmp_path))
    assert torch.equal(wide.target_test[0]["frames"][0], clips.target_test[0]["frames"][0])
    assert torch.equal(wide.target_test[0]["frames"][1], clips.target_test[0]["frames"][3])
    assert torch.equal(wide.dense[0]["frames"], clips.dense[0]["frames"])
    assert wide.fingerprint != clips.fingerprint


def test_a_window_is_flipped_with_its_flow(clips):
    """Carrying the flipped is flipping the carried."""
    sample, cut = clips.target_train[0], Windows(6)

    class Draws:
        def __init__(self, flip):
            self.flip = flip

        def random(self, n):
            return [0.0, self.flip]

    plain, flipped = cut(sample, Draws(0.9)), cut(sample, Draws(0.1))
    there, ok = carried(plain["frames"], plain["back"], plain["forth"])
    mirrored, also = carried(flipped["frames"], flipped["back"], flipped["forth"])
    assert torch.equal(ok.flip(-1), also)
    torch.testing.assert_close(there.flip(-1) * also[:, :, None], mirrored * also[:, :, None], atol=1e-4, rtol=0)


def test_a_window_lies_within_its_clip(clips):
    import numpy as np

    sample = clips.target_train[1]
    starts = set()
    for seed in range(40):
        cut = Windows(2)(sample | {"thresholds": torch.ones(7)}, np.random.default_rng(seed))
        assert cut["frames"].shape[0] == cut["masks"].shape[0] == cut["back"].shape[0] == len(cut["thresholds"]) == 2
        frames = cut["frames"][0], cut["frames"][0].flip(-1)
        starts |= {t for t in range(6) for f in frames if torch.equal(sample["frames"][t], f)}
    assert starts == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("arm", [name for name, chosen in video.ARMS.items() if not chosen.second_phase])
def test_all_arms_of_a_seed_start_from_one_network_and_discriminator(arm):
    first, other = (video.build(name, 7, settings(), None, seed=3) for name in ("vat", arm))
    assert same_weights(first.network.state_dict(), other.network.state_dict())
    for name in ("image_discriminator", "sequence_discriminator"):
        judge = getattr(other, name)
        assert (judge is not None) == getattr(video.ARMS[arm], name.split("_")[0])
        if judge is not None:
            assert same_weights(getattr(first, name).state_dict(), judge.state_dict())


def test_the_arms_of_the_overlap_loss_differ_in_nothing_else():
    """Tubes, single frames, none: between them the page says what time is worth and what the overlap."""
    from dataclasses import replace

    full, dice, none = (video.ARMS[name] for name in ("vat", "frame-dice", "no-tube"))
    assert (full.tube, dice.tube, none.tube) == ("window", "frame", "")
    assert replace(dice, tube="window") == replace(none, tube="window") == full
    made = {
        name: video.build(name, 7, settings(), None, seed=0) for name in ("vat", "frame-dice", "no-tube", "no-judges")
    }
    assert [made[name].tube_weight for name in made] == [1.0, 1.0, 0.0, 1.0]
    assert [made[name].tube_length for name in ("vat", "frame-dice", "no-judges")] == ["window", "frame", "window"]
    assert made["no-judges"].target_statistics and not made["no-judges"].image_discriminator


def test_no_truth_of_the_target_comes_near_training(clips, tmp_path):
    here = context(tmp_path)
    batch = video.batches(video.ARMS["vat"], clips, settings(), 0, here)[0]
    assert set(batch) == {"source", "target"} and set(batch["target"]) == {"frames"}
    assert set(video.batches(video.ARMS["source"], clips, settings(), 0, here)[0]) == {"source"}
    network = video.network(7, settings(), None, 0).eval()
    made = Labelled(network, clips.target_train, video.ARMS["vat-vst"], settings(), "cpu", tmp_path / "one")
    hidden = Clips(
        [sample | {"masks": torch.full_like(sample["masks"], 255)} for sample in clips.target_train.samples],
        clips.name, "", clips.classes, clips.target_train.palette,
    )  # fmt: skip
    blind = Labelled(network, hidden, video.ARMS["vat-vst"], settings(), "cpu", tmp_path / "other")
    assert all(torch.equal(made[i]["masks"], blind[i]["masks"]) for i in range(len(clips.target_train)))


def test_optimisers_of_the_networks(clips):
    method = video.build("vat", 7, settings(classifier_rate=10.0), None, 0)
    made = video.optimizer(method, settings(classifier_rate=10.0), 0.02)
    rates = {group["lr"] for group in made.param_groups}
    assert rates == {0.02, 0.2, settings().discriminator_rate}
    owned = sum(len(group["params"]) for group in made.param_groups)
    assert owned == len([p for p in method.parameters() if p.requires_grad])


def test_what_a_network_is_worth(clips):
    """A network that knows the truth: every number at its best, and nothing flickers but true borders."""
    truth = {clip["frames"].sum().item(): clip["masks"] for part in (clips.target_test, clips.dense, clips.source_val)
             for clip in (part[i] for i in range(len(part)))}  # fmt: skip

    def oracle(frames):
        labels = truth[frames.sum().item()]
        return torch.nn.functional.one_hot(labels.masked_fill(labels == 255, 0), 7).movedim(-1, 1).float()

    values = evaluate(oracle, clips, "cpu")
    assert values["miou"] == values["vpq"] == values["source_miou"] == values["accuracy"] == 1
    assert values["vpq_by_k"] == {"0": 1, "5": 1, "10": 1, "15": 1} and values["vpq_drop"] == 0
    assert values["drop_miou"] == 0 and 0 < values["flips"] < 0.15


def test_pooled_labels_are_measured_at_equal_shares(clips):
    network = video.network(7, settings(), None, 0).eval()
    found = video_labels.measure(network, clips.target_train, "cpu", 0.5, 0.9, 0)
    assert found["gain"]["50"] == pytest.approx(found["pooled"]["50"] - found["single"]["50"])
    assert found["gain_by_noise"]["0"] == pytest.approx(found["gain"]["80"])
    assert found["gain_lost"]["0"] == 0 and found["by_reach"]["2"] == pytest.approx(found["gain"]["80"])
    votes = list(found["votes_by_noise"].values())
    assert votes == sorted(votes, reverse=True) and votes[0] > 0.8 > votes[-1]
    again = video_labels.measure(network, clips.target_train, "cpu", 0.5, 0.9, 0)
    assert again == found


def test_both_phases_of_a_cell(shared, clips):
    here = context(shared)
    found = video.run("vat-vst", "street_clips", 0, settings(), here)
    values = found.metrics["street-clips-real/test/clips"]
    assert found.steps == 4 and set(values["gained"]) == {"miou", "vpq"} and "gain" in values["labels"]
    assert values["gained"]["miou"] == pytest.approx(values["miou"] - values["phase_one"]["miou"])
    assert set(found.metrics) == {f"street-clips-real/test/clips{end}" for end in ("", "/best-on-val")}
    assert len(list(shared.glob("phase-one-*"))) == 1
    fixed = video.run("vat-vst-fixed", "street_clips", 0, settings(), here)
    assert len(list(shared.glob("phase-one-*"))) == 1  # the first phase was not trained again
    assert fixed.metrics["street-clips-real/test/clips"]["phase_one"] == values["phase_one"]


@pytest.mark.parametrize("arm", ["vat", "vat-vst"])
def test_a_stopped_cell_ends_as_an_uninterrupted_one(tmp_path, shared, clips, arm, monkeypatch):
    from dataclasses import replace

    changed = settings(checkpoint_every=1, steps=6, self_training_steps=3)
    whole = video.run(arm, "street_clips", 0, changed, context(tmp_path / "whole"))

    class Stop(Exception):
        pass

    def stop(label, step, steps):
        if step == 2 and "first phase" not in label:
            raise Stop

    here = context(tmp_path / "stopped")
    with pytest.raises(Stop):
        video.run(arm, "street_clips", 0, changed, replace(here, on_step=stop))
    resumed = video.run(arm, "street_clips", 0, changed, here)
    assert without_time(whole) == without_time(resumed) and same_weights(whole.weights, resumed.weights)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window": 7}, "at most the 6 frames"),
        ({"self_training_steps": 4}, "expected fewer than 4 steps"),
        ({"self_training_steps": 0}, "'vat-vst' has a second phase"),
        ({"pretraining": "imagenet"}, "pretraining is 'imagenet'"),
        ({"frames": 3}, "greater than or equal to 4"),
        ({"data": ["camvid_drives"], "flow": "wrong"}, "flow"),
    ],
)
def test_settings_that_do_nothing_or_contradict_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        settings(**changes)


def test_real_data_have_no_exact_flow_and_a_world_is_both_domains(tmp_path):
    from dataclasses import replace

    here = replace(context(tmp_path), data_root=tmp_path)
    with pytest.raises(ValueError, match="flow is 'exact'"):
        video_data.fingerprint("camvid_drives", settings(flow="exact"), here)
    with pytest.raises(ValueError, match="one domain"):
        video_data.fingerprint("street_clips-sim", settings(), here)
