"""What a step is said to cost equals what can be counted by hand, whichever way it is looked at."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from labelkit.datasets.point_pairs import PairStream
from labelkit.datasets.streams import Joined, Stream
from labelkit.losses.cross_entropy import cross_entropy, ohem_cross_entropy
from labelkit.optimizers import SideBySide
from labelkit.rehearsal_batches import pictures_in, smaller_batches
from labelkit.rehearsal_sketch import OutOfTime, Sketch
from labelkit.rehearsal_step import count, count_contentless, measure

LOOP = {"precision": "fp32", "channels_last": False, "compile": False, "accumulate": 1}


class Plain(nn.Module):
    """Two convolutions and a ReLU on 64 x 64 pixels."""

    def __init__(self, loss=None):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
        self.loss = loss

    def training_step(self, batch):
        scores = self.net(batch["image"])
        return {"loss": self.loss(scores, batch["mask"]) if self.loss else scores.square().mean()}


def made(images=2, loss=None):
    method = Plain(loss)
    batch = {"image": torch.rand(images, 3, 64, 64), "mask": torch.randint(0, 4, (images, 64, 64))}
    return method, batch, torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)


PIXELS, PARAMETERS = 64 * 64, 27 * 8 + 8 + 72 * 4 + 4
# Forward once each; backward to the weights of both, and to the input of the second alone.
FLOPS = 2 * 2 * PIXELS * (27 * 8 * 2 + 72 * 4 * 3)


@pytest.mark.parametrize("way", ["computed", "counted", "sketched", "measured"])
def test_a_known_network_costs_what_a_hand_counts(way):
    method, batch, optimizer = made()
    if way == "counted":
        cost = count_contentless(method, batch, optimizer, "fp32")
    elif way == "measured":
        cost = measure(method, batch, optimizer, torch.device("cpu"), LOOP)
        assert cost.step_seconds > 0 and cost.peak_memory is None
    elif way == "sketched":
        with Sketch():
            cost = count(method, batch, optimizer)
    else:
        cost = count(method, batch, optimizer)
    assert cost.flops == FLOPS
    assert cost.weights == cost.gradients == cost.optimizer == 4 * PARAMETERS
    assert cost.batch == 2 * PIXELS * (3 * 4 + 8)
    assert cost.activations == 2 * PIXELS * 4 * (8 + 4)  # what follows the ReLU, and the scores that are squared


def test_adam_keeps_twice_the_parameters():
    method, batch, _ = made()
    optimizer = torch.optim.Adam(method.parameters())
    steps = 4 * sum(1 for _ in method.parameters())
    assert count_contentless(method, batch, optimizer, "fp32").optimizer == 2 * 4 * PARAMETERS + steps


def test_two_optimisers_side_by_side_are_copied_with_their_parameters():
    method, batch, _ = made()
    parts = [torch.optim.SGD(method.net[0].parameters(), lr=0.1, momentum=0.9)]
    parts.append(torch.optim.Adam(method.net[2].parameters(), lr=0.1))
    cost = count_contentless(method, batch, SideBySide(parts), "fp32")
    assert cost.gradients == 4 * PARAMETERS and cost.flops == FLOPS
    assert cost.optimizer == 4 * (27 * 8 + 8) + 2 * 4 * (72 * 4 + 4) + 2 * 4


def test_counting_leaves_weights_and_optimiser_alone():
    method, batch, optimizer = made()
    before = [each.clone() for each in method.parameters()]
    count_contentless(method, batch, optimizer, "bf16")
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters()))
    assert not optimizer.state and all(each.grad is None for each in method.parameters())


def test_half_precision_halves_what_is_kept():
    method, batch, optimizer = made()
    full, half = (count_contentless(method, batch, optimizer, each) for each in ("fp32", "bf16"))
    assert half.flops == full.flops
    assert 0.45 < half.activations / full.activations < 0.7  # and copies of weights and images


def test_a_loss_on_hard_pixels_is_counted_without_numbers():
    hard = lambda scores, mask: ohem_cross_entropy(scores, mask, 0.7, 1000)  # noqa: E731
    plain, mined = (count_contentless(*made(loss=loss), "fp32") for loss in (cross_entropy, hard))
    assert mined.flops == plain.flops


def test_other_looks_at_numbers_are_refused_without_content():
    method, batch, optimizer = made(loss=lambda scores, mask: scores.sum() * float(scores.detach().max()))
    with pytest.raises(Exception, match=r"[Dd]ata|_local_scalar_dense"):
        count_contentless(method, batch, optimizer, "fp32")


def test_what_is_let_go_within_a_step_does_not_add_up():
    class Twice(Plain):
        def training_step(self, batch):
            for _ in range(2):
                loss = super().training_step(batch)["loss"]
                torch.autograd.grad(loss, self.net[0].weight)
            return super().training_step(batch)

    method, batch, _ = made()
    method = Twice()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    assert count(method, batch, optimizer).activations == 2 * PIXELS * 4 * (8 + 4)


def test_a_sketch_computes_all_but_what_is_costly():
    small, large = torch.rand(8, 8), torch.rand(1024, 1024)
    with Sketch() as sketch:
        assert torch.equal(small @ small, torch.mm(small, small))
        noise = large @ large
        sketch.on = False
        exact = large @ large
    assert noise.shape == exact.shape and noise.dtype == exact.dtype
    assert torch.equal(small @ small, small @ small) and torch.allclose(exact, large @ large)
    assert not torch.allclose(noise, exact)


def test_a_deadline_is_not_swallowed():
    with pytest.raises(OutOfTime), Sketch() as sketch:
        sketch.deadline = time.process_time() - 1
        try:
            torch.zeros(1) + 1
        except Exception:
            pytest.fail("the deadline was taken for a failure")


class Images:
    def __len__(self):
        return 12

    def __getitem__(self, index):
        return {"image": torch.rand(3, 64, 64), "mask": torch.zeros(64, 64, dtype=torch.int64)}


def test_a_smaller_batch_scaled_up_costs_what_the_whole_does():
    class Both(Plain):
        def training_step(self, batch):
            return {"loss": sum(self.net(each["image"]).square().mean() for each in batch.values())}

    method = Both()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    streams = Joined(labelled=Stream(Images(), range(4), 4), unlabelled=Stream(Images(), range(4, 12), 8))
    whole = count(method, streams[0], optimizer)
    found = {factor: smaller for factor, smaller in smaller_batches(streams)}
    assert list(found) == [4, 2, 1]
    assert pictures_in(streams[0]) == 12 and pictures_in(found[4][0]) == 3
    assert count(method, found[4][0], optimizer).times(4) == whole
    assert streams.streams["labelled"].batch_size == 4  # the batches that were given stay as they are


def test_pairs_of_clouds_are_cut_by_pairs():
    stream = PairStream(np.ones((6, 2), bool), 3, lambda indices, generator: {"lengths": [torch.tensor(indices)]})
    factor, smaller = next(iter(smaller_batches(stream)))
    assert factor == 3 and pictures_in(smaller[0]) == 2 and pictures_in(stream[0]) == 6
