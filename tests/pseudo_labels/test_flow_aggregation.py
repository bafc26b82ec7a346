"""Votes of several frames, pooled into pseudo labels."""

import pytest
import torch

from labelkit.pseudo_labels.flow_aggregation import IGNORE, class_thresholds, pool, refine, select, select_share


def maps(frames, classes=3, height=4, width=5, seed=0):
    return torch.randn(frames, classes, height, width, generator=torch.Generator().manual_seed(seed)).mul(2).softmax(1)


@pytest.fixture
def votes():
    return torch.stack([maps(2, seed=s) for s in range(3)])


@pytest.fixture
def valid():
    chosen = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(9)) > 0.4
    chosen[0] = True
    return chosen


def test_the_mean_over_valid_votes_pixel_by_pixel(votes, valid):
    found = pool(votes, valid)
    for t in range(2):
        for y in range(4):
            for x in range(5):
                chosen = [votes[k, t, :, y, x] for k in range(3) if valid[k, t, y, x]]
                torch.testing.assert_close(found.probabilities[t, :, y, x], torch.stack(chosen).mean(0))
                assert found.votes[t, y, x] == len(chosen)
                assert bool(found.agreed[t, y, x]) == (len({int(v.argmax()) for v in chosen}) == 1)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(2, 4, 5))  # zeros in place of votes would not


def test_invalid_votes_have_no_part(votes, valid):
    """Bit for bit, whatever an invalid vote holds, nan and infinity included."""
    found = pool(votes, valid)
    for junk in (0.0, 1e6, float("nan"), float("inf")):
        other = pool(torch.where(valid[:, :, None], votes, junk), valid)
        assert torch.equal(found.probabilities, other.probabilities)
        assert torch.equal(found.votes, other.votes) and torch.equal(found.agreed, other.agreed)


def test_a_pixel_without_a_vote_of_its_own_is_refused(votes, valid):
    valid[0, 1, 2, 3] = False
    with pytest.raises(ValueError, match="own frame"):
        pool(votes, valid)
    with pytest.raises(ValueError, match="expected \\(K, T, C, H, W\\)"):
        pool(votes, valid[:, 0])


def test_thresholds_are_medians_of_each_class_and_capped():
    p = maps(3)
    thresholds = class_thresholds(p)
    confidence, label = p.max(1)
    for c in range(3):
        assert float(thresholds[c]) == pytest.approx(min(0.9, float(confidence[label == c].quantile(0.5))))
    sure = torch.tensor([0.98, 0.01, 0.01]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert class_thresholds(sure).tolist() == pytest.approx([0.9, 0.9, 0.9])  # classes that win nowhere, too
    assert (select(sure, class_thresholds(sure)) == 0).all()


def test_select_keeps_half_of_each_class_where_the_cap_does_not_bite():
    p = maps(6, height=20, width=20)
    label, kept = p.argmax(1), select(p, class_thresholds(p, cap=1.0))
    for c in range(3):
        assert float((kept[label == c] == c).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert set(kept.unique().tolist()) == {0, 1, 2, IGNORE}


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
def test_exactly_a_share_is_kept_and_larger_shares_contain_smaller_ones(share):
    p = maps(2, height=10, width=10)
    thresholds = class_thresholds(p)
    kept = select_share(p, thresholds, share)
    assert int((kept != IGNORE).sum()) == round(share * 200)
    assert torch.equal(kept[kept != IGNORE], p.argmax(1)[kept != IGNORE])
    more = select_share(p, thresholds, min(1.0, share + 0.2))
    assert ((more != IGNORE) | (kept == IGNORE)).all()


def test_the_share_that_the_rule_keeps_gives_the_rules_labels():
    p = maps(2, height=10, width=10)
    thresholds = class_thresholds(p)
    ruled = select(p, thresholds)
    assert torch.equal(select_share(p, thresholds, float((ruled != IGNORE).double().mean())), ruled)
    agreed = torch.rand(2, 10, 10, generator=torch.Generator().manual_seed(1)) > 0.5
    ruled = select(p, thresholds, agreed)
    assert torch.equal(select_share(p, thresholds, float((ruled != IGNORE).double().mean()), agreed), ruled)


def test_refining_follows_the_student_by_its_weight_without_a_gradient():
    offline, online = maps(2, seed=1), maps(2, seed=2).requires_grad_()
    thresholds = class_thresholds(offline)
    assert torch.equal(refine(offline, online, thresholds, 0.0), select(offline, thresholds))
    assert torch.equal(refine(offline, online, torch.zeros(3), 1.0), online.argmax(1))
    per_frame = torch.stack([thresholds, torch.ones(3)])  # nothing of the second frame is sure enough
    mixed = refine(offline, online, per_frame, 0.5)
    assert torch.equal(mixed[0], refine(offline, online, thresholds, 0.5)[0]) and (mixed[1] == IGNORE).all()
    assert not mixed.requires_grad


def test_a_share_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        select_share(maps(1), torch.ones(3), 1.2)
