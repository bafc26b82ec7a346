"""Dense Supervision Propagation: where gradients go, where labels count, what the arms share."""

import pytest
import torch
from torch import nn

from labelkit.losses.labelled_points import labelled_cross_entropy, squared_difference
from labelkit.methods.points import DensePropagation, running_statistics_kept
from labelkit.models.feature_reallocation import CrossSampleReallocation, IntraSampleReallocation

WIDTH, CLASSES = 6, 3


class Tiny(nn.Module):
    """Two levels: points in cells of two. As KP-FCNN the decoder copies a cell's feature to its points, and nothing
    else joins points, so that the plain loss reaches the cells of labelled points and no other."""

    coarse_level = 1

    def __init__(self, normalise=False):
        super().__init__()
        self.enter, self.leave = nn.Linear(4, WIDTH), nn.Linear(2 * WIDTH, CLASSES)
        self.normalise = nn.BatchNorm1d(2 * WIDTH) if normalise else nn.Identity()

    def encode(self, batch):
        fine = self.enter(batch["features"]).tanh()
        return fine.unflatten(0, (-1, 2)).mean(1), [fine]

    def decode(self, features, skips, batch):
        return self.leave(self.normalise(torch.cat([features.repeat_interleave(2, 0), skips[0]], 1)))


def batch_of(*cells, labelled=None):
    """Clouds with so many cells; the first two points of each cloud, its first cell, are labelled."""
    torch.manual_seed(1)
    points = 2 * sum(cells)
    mask = torch.zeros(points, dtype=torch.bool)
    starts = 2 * torch.tensor([0, *cells[:-1]]).cumsum(0)
    mask[starts], mask[starts + 1] = True, True
    return {
        "features": torch.randn(points, 4),
        "label": torch.randint(CLASSES, (points,)),
        "labelled": mask if labelled is None else labelled,
        "lengths": [2 * torch.tensor(cells), torch.tensor(cells)],
    }


def method_of(kind, normalise=False, **options):
    torch.manual_seed(0)
    network = Tiny(normalise)
    modules = {
        "cross": CrossSampleReallocation(WIDTH) if kind in ("csfr", "joint") else None,
        "intra": IntraSampleReallocation(WIDTH) if kind in ("isfr", "joint") else None,
    }
    return DensePropagation(network, **modules, **options)


@pytest.mark.parametrize("kind", ["csfr", "isfr"])
def test_gradient_reaches_unlabelled_points_through_a_live_mixture_only(kind):
    """Of the mixture's own terms alone: what the plain prediction adds to the squared difference is a constant here."""
    batch = batch_of(4, 5)

    def pull(detach, reallocate):
        method = method_of(kind, detach=detach)
        features, skips = method.network.encode(batch)
        features = features.detach().requires_grad_()
        other = method._decode_mixture(getattr(method, reallocate)(features, batch), skips, batch)
        target = method.network.decode(features, skips, batch).detach()
        loss = squared_difference(target, other)
        if kind == "isfr":
            loss = loss + labelled_cross_entropy(other, batch["label"], batch["labelled"])
        found = torch.autograd.grad(loss, features, allow_unused=True)[0]
        return torch.zeros(9) if found is None else found.norm(dim=1)

    reallocate = {"csfr": "across", "isfr": "within"}[kind]
    assert (pull("none", reallocate) > 0).all()
    assert (pull("mixture", reallocate) == 0).all()


def test_the_plain_loss_stays_at_labelled_cells_and_the_modules_spread_it():
    batch = batch_of(4, 5)
    labelled_cells = torch.zeros(9, dtype=torch.bool)
    labelled_cells[[0, 4]] = True
    plain = method_of("baseline").feature_gradient(batch)
    assert (plain[labelled_cells] > 0).all() and (plain[~labelled_cells] == 0).all()
    for kind in ("csfr", "isfr", "joint"):
        assert (method_of(kind).feature_gradient(batch) > 0).all()


def test_labels_count_once_across_and_twice_within():
    """What is decoded from another cloud's features meets no label; what is decoded from the cloud's own does."""
    batch = batch_of(3, 4)
    other_labels = batch | {"label": (batch["label"] + 1) % CLASSES}
    for kind in ("csfr", "isfr"):
        method = method_of(kind)
        first, second = (method.training_step(each) for each in (batch, other_labels))
        assert not torch.isclose(first["supervised"], second["supervised"])
        if kind == "csfr":
            assert torch.equal(first["cross"], second["cross"]) and "intra_supervised" not in first
        else:
            assert torch.equal(first["intra"], second["intra"])
            assert not torch.isclose(first["intra_supervised"], second["intra_supervised"])


def test_what_unlabelled_points_hold_as_label_is_never_read():
    batch = batch_of(3, 4)
    spoilt = batch | {"label": torch.where(batch["labelled"], batch["label"], 7)}
    method = method_of("joint")
    for name, value in method.losses(*method.network.encode(batch), batch).items():
        assert torch.equal(value, method.losses(*method.network.encode(spoilt), spoilt)[name])


def test_the_masked_loss_is_the_mean_over_labelled_points():
    torch.manual_seed(0)
    logits, label = torch.randn(6, CLASSES), torch.tensor([0, 1, 2, 255, 1, 0])
    labelled = torch.tensor([True, False, True, True, False, False])
    by_hand = -(logits.log_softmax(1)[0, 0] + logits.log_softmax(1)[2, 2]) / 2
    torch.testing.assert_close(labelled_cross_entropy(logits, label, labelled), by_hand)
    logits.requires_grad_()
    none = labelled_cross_entropy(logits, label, torch.zeros(6, dtype=torch.bool))
    assert none == 0 and (torch.autograd.grad(none, logits)[0] == 0).all()


@pytest.mark.parametrize("of", ["probabilities", "logits"])
def test_squared_difference_by_hand(of):
    first, second = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    apart = 1.0 if of == "logits" else 2 * (torch.tensor(1.0).sigmoid() - 0.5) ** 2
    torch.testing.assert_close(squared_difference(first, second, of), torch.as_tensor(apart / 4))
    torch.testing.assert_close(squared_difference(first, second, of, "sum"), torch.as_tensor(apart / 2))


def test_total_loss_of_each_kind():
    batch = batch_of(3, 4)
    for kind, terms in {
        "baseline": {"supervised": 1},
        "csfr": {"supervised": 1, "cross": 0.5},
        "isfr": {"supervised": 1, "intra_supervised": 1, "intra": 0.5},
        "joint": {"supervised": 1, "cross": 0.5, "intra_supervised": 1, "intra": 0.5},
    }.items():
        found = method_of(kind, weight=0.5).training_step(batch)
        assert set(found) == {"loss", *terms}
        torch.testing.assert_close(found["loss"], sum(factor * found[name] for name, factor in terms.items()))


def test_the_weight_rises_and_the_count_of_steps_is_part_of_the_state():
    batch, method = batch_of(3, 4), method_of("csfr", weight=2.0, ramp=4)
    shares = []
    for _ in range(6):
        found = {name: value.detach() for name, value in method.training_step(batch).items()}
        shares.append(float((found["loss"] - found["supervised"]) / found["cross"]))
    assert shares == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.0], abs=1e-4)
    resumed = method_of("csfr", weight=2.0, ramp=4)
    resumed.load_state_dict(method.state_dict())
    assert int(resumed.seen) == 6


def test_clouds_of_another_pair_do_not_matter():
    """Neighbours in the batch must not mix: the first pair's rows are the same, whatever the second pair holds."""
    batch = batch_of(3, 4, 5, 2)
    method = method_of("csfr")
    features, _ = method.network.encode(batch)
    changed = features.clone()
    changed[7:] += 1.0
    assert torch.equal(method.across(features, batch)[:7], method.across(changed, batch)[:7])
    assert not torch.allclose(method.across(features, batch)[7:], method.across(changed, batch)[7:])
    with pytest.raises(ValueError, match="has no pairs"):
        method.across(features[:12], batch_of(3, 4, 5))


def test_reallocated_features_leave_running_statistics_alone():
    batch = batch_of(6, 6)
    plain, joint = method_of("baseline", normalise=True), method_of("joint", normalise=True)
    for method in (plain, joint):
        method.training_step(batch)
    for name in ("running_mean", "running_var"):
        assert torch.equal(getattr(plain.network.normalise, name), getattr(joint.network.normalise, name))
    with running_statistics_kept(joint):
        assert joint.network.normalise.momentum == 0.0
    assert joint.network.normalise.momentum == 0.1


def test_without_skips_the_receiver_is_seen_through_its_plain_prediction_only():
    batch = batch_of(3, 4)
    method = method_of("csfr", skips="none")
    features, skips = method.network.encode(batch)
    moved = method.across(features, batch)
    louder = [skip + 1.0 for skip in skips]
    assert torch.equal(method._decode_mixture(moved, skips, batch), method._decode_mixture(moved, louder, batch))
    kept = method_of("csfr")
    assert not torch.equal(kept._decode_mixture(moved, skips, batch), kept._decode_mixture(moved, louder, batch))


def test_a_constant_plain_prediction_gets_no_pull():
    """`detach="plain"`: the squared difference moves the mixture towards the prediction and not the other way."""
    batch = batch_of(3, 4)
    for detach, moves in (("plain", False), ("none", True)):
        method = method_of("csfr", detach=detach)
        plain = torch.randn(14, CLASSES, requires_grad=True)
        found = method._difference(plain, torch.zeros(14, CLASSES, requires_grad=True))
        (gradient,) = torch.autograd.grad(found, plain, allow_unused=True)
        assert (gradient is not None) is moves
    assert method.training_step(batch)["loss"].requires_grad


def test_inference_is_the_plain_network():
    batch, method = batch_of(3, 4), method_of("joint").eval()
    expected = method_of("baseline").eval().predict(batch)
    assert torch.equal(method.predict(batch), expected)


@pytest.mark.parametrize("options", [{"skips": "all"}, {"detach": "target"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        method_of("csfr", **options)


def test_mixed_precision_is_finite():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = method_of("joint").training_step(batch_of(3, 4))
    assert all(torch.isfinite(value) for value in found.values())
