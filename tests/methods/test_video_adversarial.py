"""Video adversarial training: what teaches what."""

import copy

import pytest
import torch
from torch import nn

from labelkit.losses.cross_entropy import cross_entropy
from labelkit.losses.domain_adversarial import SOURCE, TARGET, called
from labelkit.losses.tube import tube_matching
from labelkit.methods.video_adversarial import VideoAdversarial
from labelkit.models.domain_discriminator import DomainDiscriminator
from labelkit.optimizers import SideBySide

CLASSES, FRAMES = 3, 2


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, CLASSES, 1))


@pytest.fixture
def method():
    torch.manual_seed(0)
    judges = DomainDiscriminator(CLASSES, 2), DomainDiscriminator(FRAMES * CLASSES, 2)
    return VideoAdversarial(network(), *judges, image_weight=0.3, sequence_weight=0.2, tube_weight=0.7).double()


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(1)
    frames = torch.rand(2, 2, FRAMES, 3, 32, 32, generator=draw, dtype=torch.float64)
    masks = torch.randint(0, CLASSES, (2, FRAMES, 32, 32), generator=draw)
    masks[0, 0, :4] = 255
    return {"source": {"frames": frames[0], "masks": masks}, "target": {"frames": frames[1]}}


def gradients(method, loss):
    method.zero_grad()
    loss.backward(retain_graph=True)
    parts = {"network": method.network, "image": method.image_discriminator, "sequence": method.sequence_discriminator}
    return {name for name, part in parts.items() if any(p.grad is not None and p.grad.any() for p in part.parameters())}


def test_each_loss_teaches_its_own_network_alone(method, batch):
    losses = method.training_step(batch)
    for name in ("supervised", "tube", "fool_image", "fool_sequence"):
        assert gradients(method, losses[name]) == {"network"}, name
    assert gradients(method, losses["tell_image"]) == {"image"}
    assert gradients(method, losses["tell_sequence"]) == {"sequence"}
    assert gradients(method, losses["loss"]) == {"network", "image", "sequence"}


def optimizers(method):
    return [
        torch.optim.SGD(method.network.parameters(), lr=0.05, momentum=0.9),
        torch.optim.Adam(method.image_discriminator.parameters(), lr=1e-2, betas=(0.9, 0.99)),
        torch.optim.Adam(method.sequence_discriminator.parameters(), lr=1e-2, betas=(0.9, 0.99)),
    ]


def step_in_order(method, batch, each):
    """As ADVENT's loop: the segmenter with frozen discriminators, then these on detached maps, then all step."""
    judges = {"image": method.image_discriminator, "sequence": method.sequence_discriminator}
    joined = {"image": lambda maps: maps.flatten(0, 1), "sequence": lambda maps: maps.flatten(1, 2)}
    weights = {"image": method.image_weight, "sequence": method.sequence_weight}
    for optimizer in each:
        optimizer.zero_grad()
    for judge in judges.values():
        judge.requires_grad_(False)
    frames, masks = batch["source"]["frames"], batch["source"]["masks"]
    source = method.over_frames(frames)
    supervised = cross_entropy(source.flatten(0, 1), masks.flatten(0, 1))
    (supervised + method.tube_weight * tube_matching(source, masks)).backward()
    target = method.over_frames(batch["target"]["frames"]).softmax(2)
    sum(weights[name] * called(judge(joined[name](target)), SOURCE) for name, judge in judges.items()).backward()
    for name, judge in judges.items():
        judge.requires_grad_(True)
        (called(judge(joined[name](source.softmax(2).detach())), SOURCE) / 2).backward()
        (called(judge(joined[name](target.detach())), TARGET) / 2).backward()
    for optimizer in each:
        optimizer.step()


def test_one_sum_is_the_authors_order_of_a_step(method, batch):
    other = copy.deepcopy(method)
    ours, theirs = SideBySide(optimizers(method)), optimizers(other)
    for _ in range(3):
        ours.zero_grad()
        method.training_step(batch)["loss"].backward()
        ours.step()
        step_in_order(other, batch, theirs)
    for a, b in zip(method.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_discriminators_are_shown_single_frames_and_stacks_in_order_of_time(method, batch):
    seen = {}
    for name in ("image", "sequence"):
        judge = getattr(method, f"{name}_discriminator")
        judge.register_forward_hook(lambda _, inputs, out, name=name: seen.setdefault(name, []).append(inputs[0]))
    method.training_step(batch)
    maps = method.over_frames(batch["target"]["frames"]).softmax(2)
    fooled, on_source, on_target = seen["sequence"]
    for t in range(FRAMES):
        torch.testing.assert_close(fooled[:, t * CLASSES : (t + 1) * CLASSES], maps[:, t])
    assert torch.equal(fooled, on_target) and not on_source.requires_grad and not on_target.requires_grad
    assert seen["image"][0].shape == (2 * FRAMES, CLASSES, 32, 32)
    torch.testing.assert_close(fooled.view(2, FRAMES, CLASSES, 32, 32).sum(2), torch.ones(2, FRAMES, 32, 32).double())


def test_without_discriminators_the_target_is_not_touched_but_for_statistics(batch):
    torch.manual_seed(0)
    plain = VideoAdversarial(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, CLASSES, 1)), tube_weight=0.0).double()
    counted = copy.deepcopy(plain)
    counted.target_statistics = True
    assert set(plain.training_step({"source": batch["source"]})) == {"loss", "supervised"}
    losses = counted.training_step(batch)
    assert plain.network[0].num_batches_tracked == 1 and counted.network[0].num_batches_tracked == 2
    losses["loss"].backward()
    plain.training_step({"source": batch["source"]})["loss"].backward()
    for a, b in zip(plain.parameters(), counted.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)  # its gradient is that of the source alone


def test_self_information_is_shown_where_asked_for(method, batch):
    method.shown = "self-information"
    maps = method.maps(method.over_frames(batch["target"]["frames"]))
    assert maps.shape == (2, FRAMES, CLASSES, 32, 32) and float(maps.sum(2).max()) <= 1 + 1e-12
    with pytest.raises(ValueError, match="self-information"):
        VideoAdversarial(network(), shown="entropy")


def test_tubes_of_one_frame_are_the_overlap_of_single_pictures(method, batch):
    """The example of the chapter: 0.293 over both frames together; frame by frame the mean over what each shows."""
    logits = torch.zeros(1, 2, 2, 1, 2, dtype=torch.float64)
    logits[0, 0, 0, 0, 0] = 60.0
    masks = torch.tensor([0, 0, 0, 1]).view(1, 2, 1, 2)
    tubes = {"window": (1 - 4 / 4.75, 1 - 1 / 1.75), "frame": (1 - 3 / 3.25, 1 - 1 / 1.5, 1 - 1 / 1.5)}
    for length, costs in tubes.items():
        method.tube_length = length
        assert float(method.overlap(logits, masks)) == pytest.approx(sum(costs) / len(costs), abs=1e-9)
    # a step takes it, with its weight, and changes nothing else; frames that are all the same give both forms one value
    losses = {}
    for length in tubes:
        method.tube_length = length
        losses[length] = method.training_step(batch)
    terms = losses["window"].keys() - {"tube", "loss"}
    assert all(torch.equal(losses["window"][name], losses["frame"][name]) for name in terms)
    change = [losses["frame"][name] - losses["window"][name] for name in ("loss", "tube")]
    torch.testing.assert_close(change[0], method.tube_weight * change[1])
    still = {key: value[:, :1].expand_as(value) for key, value in batch["source"].items()}
    both = []
    for length in tubes:
        method.tube_length = length
        both.append(method.training_step({**batch, "source": still})["tube"])
    torch.testing.assert_close(*both)


def test_a_length_of_tubes_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="tube_length is 'clip'; expected one of window, frame"):
        VideoAdversarial(network(), tube_length="clip")
