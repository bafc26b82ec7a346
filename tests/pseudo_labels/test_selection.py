"""Which predictions become labels: targets, ties, sampling, and the cases in which a class has nothing to give."""

import numpy as np
import pytest

from labelkit.pseudo_labels.histograms import bank_of
from labelkit.pseudo_labels.quality import Judged, kl_divergence, overshoot
from labelkit.pseudo_labels.selection import _chosen, class_prior, label_map, select

CLASSES = 4


def saturated(seed=0, maps=5, shape=(40, 50), dtype=np.float16):
    """Confidences of which many round to 1 in half precision; class 3 is never predicted."""
    rng = np.random.default_rng(seed)
    shares = (0.7, 0.2, 0.1)
    return [
        ((1 - rng.random(shape) ** 6 * 0.5).astype(dtype), rng.choice(3, shape, p=shares).astype(np.uint8))
        for _ in range(maps)
    ]


def masks_of(maps, selection, seed=0):
    return [label_map(*pair, selection, np.random.default_rng([seed, i])) for i, pair in enumerate(maps)]


def counts(mask):
    return np.bincount(np.asarray(mask).ravel(), minlength=256)[:CLASSES]


def test_sampling_meets_the_target_up_to_a_pixel_an_image_and_class():
    maps = saturated()
    bank = bank_of(maps, CLASSES)
    selection = select(bank, 0.3, "alignment", [0.25, 0.25, 0.25, 0.25])
    reachable = np.minimum(selection.targets, selection.sizes)
    assert selection.kept[0] > 2 * selection.targets[0], "half precision must tie, or the test shows nothing"
    kept = sum(counts(mask) for mask in masks_of(maps, selection))
    assert (kept >= reachable).all()
    assert (kept <= reachable + len(maps)).all()


def test_without_sampling_ties_keep_more_than_the_target():
    maps = saturated()
    plain = select(bank_of(maps, CLASSES), 0.3, "alignment", [0.25] * 4, random_sampling=False)
    kept = sum(counts(mask) for mask in masks_of(maps, plain))
    assert np.array_equal(kept, plain.kept)
    assert overshoot(plain) > 0.5


def test_float32_hardly_ties():
    maps = saturated(dtype=np.float32)
    selection = select(bank_of(maps, CLASSES, np.float32), 0.3, "alignment", [0.25] * 4, again=maps)
    assert 0 <= overshoot(selection) < 0.01


def test_a_class_with_target_zero_or_without_predictions_gets_nothing():
    maps = saturated()
    selection = select(bank_of(maps, CLASSES), 0.2, "alignment", [0.5, 0.0, 0.2, 0.3])
    assert selection.targets[1] == 0 and selection.sizes[3] == 0
    assert (selection.thresholds[[1, 3]] == np.inf).all()
    assert (sum(counts(mask) for mask in masks_of(maps, selection))[[1, 3]] == 0).all()
    unsampled = select(bank_of(maps, CLASSES), 0.2, "alignment", [0.5, 0.0, 0.2, 0.3], random_sampling=False)
    assert (sum(counts(mask) for mask in masks_of(maps, unsampled))[[1, 3]] == 0).all()


def test_a_target_beyond_the_bank_takes_the_class_whole():
    maps = saturated()
    selection = select(bank_of(maps, CLASSES), 1.0, "alignment", [0.1, 0.1, 0.8, 0.0])
    assert selection.targets[2] > selection.sizes[2] == selection.kept[2]
    assert selection.sampling[2] == 1 and selection.within_reach < selection.target
    assert counts(np.concatenate(masks_of(maps, selection)))[2] == selection.sizes[2]


def test_schemes_at_one_ratio():
    """Without ties: a single threshold keeps the ratio of all pixels, CBST that of every class (and one pixel)."""
    maps = saturated(dtype=np.float32)
    bank = bank_of(maps, CLASSES, np.float32)
    single = select(bank, 0.25, "single", again=maps)
    assert abs(single.kept.sum() - int(0.25 * bank.pixels)) <= 2 and len(set(single.thresholds)) == 1
    cbst = select(bank, 0.25, "cbst", again=maps)
    assert np.array_equal(cbst.targets[:3], (0.25 * bank.sizes[:3]).astype(int) + 1) and cbst.targets[3] == 0


def test_single_threshold_with_sampling_meets_the_total():
    maps = saturated()
    bank = bank_of(maps, CLASSES)
    selection = select(bank, 0.1, "single")
    kept = counts(np.concatenate(masks_of(maps, selection))).sum()
    assert selection.kept.sum() > 1.5 * selection.target
    assert selection.target <= kept <= selection.target + len(maps) * CLASSES


def test_what_is_dropped_depends_on_seed_and_image_alone():
    maps = saturated()
    selection = select(bank_of(maps, CLASSES), 0.3, "alignment", [0.25] * 4)
    forward = masks_of(maps, selection)
    backward = [label_map(*maps[i], selection, np.random.default_rng([0, i])) for i in reversed(range(5))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forward, backward))
    assert not np.array_equal(forward[0], masks_of(maps, selection, seed=1)[0])


@pytest.mark.parametrize("k", [1, 3, 50, 99, 100])
def test_every_place_is_equally_likely_to_be_dropped(k):
    rng = np.random.default_rng(0)
    hits = np.zeros(100)
    for _ in range(2000):
        chosen = _chosen(100, k, rng)
        assert len(set(chosen.tolist())) == k
        hits[chosen] += 1
    expected, spread = 20 * k, np.sqrt(2000 * k / 100 * (1 - k / 100))
    assert np.abs(hits - expected).max() <= 4.5 * spread + 1e-9


def test_many_draws_that_tie_are_all_used():
    """More places than random numbers: ties at the boundary are drawn by lot, and the count is exact."""
    rng = np.random.default_rng(0)
    hits = np.zeros(300_000)
    for _ in range(20):
        chosen = _chosen(300_000, 100_000, rng)
        assert len(chosen) == 100_000 == len(np.unique(chosen))
        hits[chosen] += 1
    assert abs(hits[:150_000].mean() - hits[150_000:].mean()) < 0.05


def test_prior_counts_labelled_pixels_alone():
    masks = [np.array([[0, 0, 255], [1, 255, 255]]), np.array([[0, 2]])]
    np.testing.assert_allclose(class_prior(masks, 3), [3 / 5, 1 / 5, 1 / 5])


@pytest.mark.parametrize(
    ("masks", "options", "message"),
    [
        ([np.array([0, 7])], {}, r"mask 0 holds label 7; expected 0..2"),
        ([np.array([255])], {}, "no labelled pixel"),
        ([np.array([0, 1])], {"refuse_absent": True, "classes": ("road", "car", "bus")}, "'bus'"),
        ([np.array([0, 2])], {"refuse_absent": True}, "class 1 has no labelled pixel"),
    ],
)
def test_bad_priors(masks, options, message):
    with pytest.raises(ValueError, match=message):
        class_prior(masks, 3, **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 0.0}, "ratio is 0.0"),
        ({"ratio": 1.5}, "ratio is 1.5"),
        ({"scheme": "best"}, "scheme is 'best'; expected one of single, cbst, alignment"),
        ({"prior": None}, "needs a prior"),
        ({"prior": [0.5, 0.5]}, r"shape \(2,\)"),
        ({"prior": [0.5, 0.1, 0.1, 0.1]}, "adds up to 0.8"),
        ({"prior": [1.5, -0.5, 0, 0]}, "shares of 0 or more"),
    ],
)
def test_bad_arguments(arguments, message):
    bank = bank_of(saturated(maps=1), CLASSES)
    with pytest.raises(ValueError, match=message):
        select(bank, **{"ratio": 0.2, "prior": [0.25] * 4, **arguments})


def test_quality_follows_the_masks():
    """What is derived from three banks equals what counting the masks gives."""
    maps = saturated()
    rng = np.random.default_rng(3)
    judged, truths = Judged(CLASSES), []
    for confidence, classes in maps:
        truth = np.where(rng.random(classes.shape) < 0.8, classes, rng.integers(0, CLASSES, classes.shape))
        truth[:4] = 255
        truths.append(truth.astype(np.int64))
        judged.add(confidence, classes, truths[-1])
    selection = select(judged.all, 0.3, "cbst", random_sampling=False)
    masks, truth = np.stack(masks_of(maps, selection)), np.stack(truths)
    found = judged.describe(selection)
    known = (masks != 255) & (truth != 255)
    assert found["coverage"] == pytest.approx((masks != 255).mean())
    assert found["precision"] == pytest.approx((masks == truth)[known].mean())
    assert found["kl"] == pytest.approx(kl_divergence(counts(truth[truth != 255]), counts(masks)))
    sampled = judged.describe(select(judged.all, 0.3, "cbst"))
    assert sampled["kept"] == pytest.approx(select(judged.all, 0.3, "cbst").target, abs=1)


def test_divergence_by_hand():
    assert kl_divergence([1, 1], [4, 4]) == pytest.approx(0)
    assert kl_divergence([3, 1], [0, 9]) == pytest.approx(
        0.75 * np.log(0.75 / (1 / 11)) + 0.25 * np.log(0.25 / (10 / 11))
    )
    assert kl_divergence([5, 0], [9, 0]) == pytest.approx(np.log(1 / (10 / 11)))
