"""FickleNet and its segmentation stage: where gradients go, what is random when, nested unions, growing, resuming."""

import pytest
import torch
from scipy.ndimage import label as regions
from torch import nn

from labelkit.losses.seeds import floored_softmax
from labelkit.methods.dsrg import DSRG, at_size
from labelkit.methods.ficklenet import FickleNet
from labelkit.models.deeplab_vgg import DeepLabVGG
from labelkit.models.layers import upsample
from labelkit.models.lesson import LessonNet
from labelkit.models.lesson_tags import LessonTrunk
from labelkit.models.stochastic_selection import StochasticSelection
from labelkit.pseudo_labels.activation_maps import grad_cam, normalise
from labelkit.pseudo_labels.region_growing import grow_seeds, one_hot_seeds
from labelkit.pseudo_labels.stochastic_union import StochasticUnion
from labelkit.training import Interrupted, constant, train

TAGS = 4


def make(seed=0, rate=0.7, **options):
    torch.manual_seed(seed)
    trunk = LessonTrunk(width=4)
    return FickleNet(trunk, StochasticSelection(trunk.channels, TAGS, 3, rate, **options))


def batch_of(step=0, size=3):
    generator = torch.Generator().manual_seed(step)
    tags = (torch.rand(size, TAGS, generator=generator) < 0.5).float()
    return {"image": torch.rand(size, 3, 24, 32, generator=generator), "tags": tags}


def test_a_step_teaches_trunk_and_head():
    method = make()
    method.training_step(batch_of())["loss"].backward()
    assert all(p.grad is not None and p.grad.any() for p in method.parameters())


def test_training_draws_new_masks_and_prediction_does_not():
    method, batch = make(), batch_of()
    losses = {method.training_step(batch)["loss"].item() for _ in range(3)}
    assert len(losses) == 3
    method.eval()
    assert torch.equal(method.predict(batch["image"]), method.predict(batch["image"]))


def test_rate_zero_trains_without_randomness():
    method, batch = make(rate=0.0), batch_of()
    assert method.training_step(batch)["loss"] == method.training_step(batch)["loss"]


def test_unions_are_nested_and_equal_maps_drawn_one_by_one():
    method, batch = make(), batch_of()
    seeded = lambda: torch.Generator().manual_seed(5)  # noqa: E731
    many = method.unite(batch["image"], batch["tags"], (1, 4, 9), generator=seeded())
    few = method.unite(batch["image"], batch["tags"], (9,), generator=seeded())
    assert all(torch.equal(mine, other) for mine, other in zip(many[9], few[9]))
    assert (many[1][0] <= many[4][0]).all() and (many[4][0] <= many[9][0]).all()
    assert torch.equal(many[1][0], many[1][1])  # one map is its own mean
    present = batch["tags"] > 0
    assert not many[9][0][~present].any() and 0.99 < many[9][0][present].amax((1, 2)).min() <= 1


def test_the_union_has_the_distribution_of_grad_cams_of_drawn_windows():
    """Mean over many maps, by the shortcut and by autograd with masks drawn window by window."""
    method, batch = make(), batch_of(size=1)
    batch["tags"] = torch.ones(1, TAGS)
    _, mean = method.unite(batch["image"], batch["tags"], (1500,))[1500]
    features = method.eval().trunk(batch["image"]).detach().expand(500, -1, -1, -1)
    union = StochasticUnion()
    for _ in range(3):
        union.add(normalise(grad_cam(method.head.logits, features, elementwise=True)))
    torch.testing.assert_close(mean[0], union.mean, rtol=0, atol=0.05)


def test_inference_is_random_in_evaluation_mode_and_leaves_the_mode_alone():
    method, batch = make().eval(), batch_of()
    first, second = (method.unite(batch["image"], batch["tags"], (2,))[2][1] for _ in range(2))
    assert not torch.equal(first, second)
    method.train()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method.unite(batch["image"], batch["tags"], (2,))
    method.maps(batch["image"], batch["tags"])
    assert method.trunk.training
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


def test_another_rate_at_inference_leaves_that_of_training():
    method, batch = make(rate=0.0), batch_of()
    highest, mean = method.unite(batch["image"], batch["tags"], (5,), rate=0.5)[5]
    assert method.head.rate == 0.0 and not torch.equal(highest, mean)
    highest, mean = method.unite(batch["image"], batch["tags"], (5,))[5]
    torch.testing.assert_close(highest, mean)


def test_an_image_without_tags_has_empty_maps():
    method, batch = make(), batch_of()
    batch["tags"][1] = 0
    highest, mean = method.unite(batch["image"], batch["tags"], (3,))[3]
    assert not highest[1].any() and not mean[1].any()
    assert not method.maps(batch["image"], batch["tags"])[1].any()


def test_counts_must_be_positive():
    with pytest.raises(ValueError, match="counts is"):
        make().unite(torch.rand(1, 3, 24, 32), torch.ones(1, TAGS), ())


class Batches:
    def __getitem__(self, step):
        return batch_of(step)


def test_resuming_equals_training_without_a_stop(tmp_path):
    def run(stop_at=None, checkpoint=None):
        method = make(seed=3)
        torch.manual_seed(7)
        optimizer = torch.optim.SGD(method.parameters(), lr=0.05, momentum=0.9)

        def on_step(step, steps):
            if step == stop_at:
                raise Interrupted(step, None)

        options = {"checkpoint": checkpoint, "checkpoint_every": 1, "on_step": on_step, "schedule": constant()}
        train(method, Batches(), steps=5, optimizer=optimizer, **options)
        return method.state_dict()

    whole = run()
    with pytest.raises(Interrupted):
        run(stop_at=3, checkpoint=tmp_path / "c.pt")
    resumed = run(checkpoint=tmp_path / "c.pt")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


class Given(nn.Module):
    """A "network" whose logits are given, so that gradients can be read off them."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return self.logits.expand(len(images), -1, -1, -1)


def weak(size=2):
    seeds = torch.full((size, 16, 16), 255)
    seeds[:, :2], seeds[:, 6:9, 6:9] = 0, 1
    tags = torch.tensor([[1.0, 0.0]]).expand(size, -1)
    return {"image": torch.rand(size, 3, 16, 16), "tags": tags, "mask": seeds}


def test_no_gradient_flows_through_growing_or_the_crf():
    """The gradient of the loss is that of the loss with both targets given as constants."""
    torch.manual_seed(0)
    network = Given(4 * torch.randn(1, 3, 16, 16))
    method, batch = DSRG(network, stride=1), {"weak": weak(1)}
    losses = method.training_step(batch)
    losses["loss"].backward()
    p = floored_softmax(network.logits.detach())
    q = method.smooth(p, batch["weak"]["image"])
    grown = grow_seeds(one_hot_seeds(batch["weak"]["mask"], 3), q, batch["weak"]["tags"])
    free = network.logits.detach().clone().requires_grad_()
    ours = floored_softmax(free)
    background, foreground = grown[:, :1], grown[:, 1:]
    loss = -(background * ours[:, :1].log()).sum() / background.sum()
    loss = loss - (foreground * ours[:, 1:].log()).sum() / foreground.sum()
    target = q.clamp(min=1e-4) / q.clamp(min=1e-4).sum(1, keepdim=True)
    loss = loss + (target * (target / ours).clamp(0.05, 20).log()).sum(1).mean()
    loss.backward()
    torch.testing.assert_close(losses["loss"], loss)
    torch.testing.assert_close(network.logits.grad, free.grad)


def test_seeds_grow_only_if_asked_to():
    sure = torch.full((1, 3, 16, 16), -8.0)
    sure[:, 0], sure[:, 1, 4:12, 4:12] = 0.0, 8.0
    shares = {}
    for grow in (True, False):
        method = DSRG(Given(sure), stride=1, grow=grow, background=0.5, foreground=0.5)
        shares[grow] = float(method.training_step({"weak": weak()})["grown"])
    assert shares[False] == pytest.approx((2 * 16 + 9) / 256) and shares[True] > 2 * shares[False]


@pytest.mark.parametrize("seed", range(6))
def test_grown_seeds_hold_the_seeds_and_are_connected_to_them(seed):
    generator = torch.Generator().manual_seed(seed)
    seeds = (torch.rand(2, 4, 20, 20, generator=generator) < 0.02).float()
    coarse = 6 * torch.rand(2, 4, 7, 7, generator=generator)
    likely = upsample(coarse, (20, 20)).softmax(1)
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    grown = grow_seeds(seeds, likely, tags, foreground=0.5, background=0.6)
    assert (grown >= seeds).all() and grown.sum() > seeds.sum()
    candidates = likely.clone()
    candidates[:, 1:][tags == 0] = 0
    for image in range(2):
        added = (grown - seeds)[image]
        assert not added[1:][tags[image] == 0].any()
        for number in range(4):
            # All that may connect: seeds of the class, and positions where it is the likeliest of those present.
            ground = (seeds[image, number] > 0) | (candidates[image].argmax(0) == number)
            parts, _ = regions(ground.numpy(), structure=torch.ones(3, 3).numpy())
            of_seeds = set(parts[(seeds[image, number] > 0).numpy()]) - {0}
            assert set(parts[(grown[image, number] > 0).numpy()]) <= of_seeds


def test_strong_images_add_their_weighted_cross_entropy():
    torch.manual_seed(0)
    method = DSRG(LessonNet(3, width=4).eval(), stride=4, alpha=2.0)
    strong = {"image": torch.rand(2, 3, 16, 16), "mask": torch.randint(0, 3, (2, 16, 16))}
    batch = weak()
    plain, both = method.training_step({"weak": batch}), method.training_step({"weak": batch, "strong": strong})
    torch.testing.assert_close(both["loss"], plain["loss"] + 2.0 * both["full"])
    assert both["full"] > 0 and "full" not in plain


def test_seeds_enlarged_and_shrunk_again_are_the_same():
    for full, coarse in ((321, 41), (64, 16), (240, 30)):
        labels = torch.randint(0, 5, (2, coarse, coarse))
        assert torch.equal(at_size(at_size(labels, (full, full)), (coarse, coarse)), labels)


def test_the_networks_own_resolution_is_read_off_its_upsampled_logits():
    """41 x 41 logits of a 321 x 321 image, enlarged with aligned corners and shrunk in the same way."""
    torch.manual_seed(0)
    network = DeepLabVGG(3, width=2, hidden=4).eval()
    images = torch.rand(1, 3, 321, 321)
    with torch.no_grad():
        scores = network.scores(images)
        assert scores.shape == (1, 3, 41, 41)
        torch.testing.assert_close(upsample(network(images), (41, 41)), scores, rtol=1e-4, atol=1e-5)


def test_groups_of_the_segmentation_network_cover_it_once():
    network = DeepLabVGG(3, width=2, hidden=4)
    groups = network.rate_groups(0.001)
    covered = [id(p) for group in groups for p in group["params"]]
    assert sorted(covered) == sorted(id(p) for p in network.parameters())
    assert {(round(group["lr"] / 0.001), group["weight_decay"]) for group in groups} == {
        (1, 5e-4), (2, 0.0), (10, 5e-4), (20, 0.0),
    }  # fmt: skip
