"""Pseudo labels along flow, and the student that learns them."""

import pytest
import torch
from torch import nn

from labelkit.methods.video_flow import agreeing, carried, chained
from labelkit.methods.video_self_training import VideoSelfTraining, label_clip
from labelkit.pseudo_labels.flow_aggregation import pool

T, C, H, W = 4, 3, 8, 10


@pytest.fixture
def moving():
    """Probabilities that move one pixel to the right each frame, with their exact flow."""
    wide = torch.randn(C, H, W + T, generator=torch.Generator().manual_seed(0)).mul(3).softmax(0)
    frames = torch.stack([wide[:, :, T - t : T - t + W] for t in range(T)])
    flow = torch.zeros(T - 1, 2, H, W)
    flow[:, 0] = 1
    return frames, *chained(flow, -flow, 2)


def test_votes_of_a_moving_picture_land_on_what_they_are_votes_for(moving):
    own, back, forth = moving
    votes, valid = carried(own, back, forth)
    assert votes.shape == (3, T, C, H, W) and valid[0].all()
    for m in (1, 2):
        assert not valid[m, :m].any()  # a clip's first frames have nothing before them
        assert not valid[m, m:, :, :m].any() and valid[m, m:, :, m:].all()  # what came in at the border was not there
        for t in range(m, T):
            torch.testing.assert_close(votes[m, t][:, valid[m, t]], own[t][:, valid[m, t]])
    torch.testing.assert_close(pool(votes, valid).probabilities, own)


def test_the_wrong_sign_of_the_flow_is_noticed(moving):
    own, back, forth = moving
    votes, valid = carried(own, -back, -forth)
    assert (votes[1, 1][:, valid[1, 1]] - own[1][:, valid[1, 1]]).abs().mean() > 0.1


def test_votes_whose_flows_disagree_do_not_count(moving):
    own, back, forth = moving
    forth = forth.clone()
    forth[2, 0, 0, 3] += 5  # row 3 of frame 1 claims to go elsewhere
    _, valid = carried(own, back, forth)
    assert not valid[1, 2, 3].any() and valid[1, 2, 4, 1:].all()
    assert carried(own, back, forth, check=False)[1][1, 2, 3, 1:].all()
    assert torch.equal(valid, carried(own, back, forth, check=False)[1] & agreeing(back, forth))


def test_flow_over_two_frames_adds_up_along_the_way():
    draw = torch.Generator().manual_seed(3)
    speed = torch.rand(T - 1, 2, generator=draw)[:, :, None, None].expand(-1, -1, H, W)
    back, forth = chained(speed, -speed, 3)
    for m in (1, 2, 3):
        for t in range(m, T):
            total = speed[t - m : t].sum(0)
            torch.testing.assert_close(forth[t, m - 1], total)
            torch.testing.assert_close(back[t, m - 1], -total)
    assert not back[0].any() and not forth[1, 1:].any()
    with pytest.raises(ValueError, match="expected one shape"):
        chained(speed, speed[1:], 2)


def test_flow_that_does_not_fit_the_frames_is_refused(moving):
    own, back, forth = moving
    with pytest.raises(ValueError, match="expected \\(T, M, 2, H, W\\)"):
        carried(own, back[1:], forth[1:])
    with pytest.raises(ValueError, match="NaN"):
        carried(own, torch.full_like(back, float("nan")), forth)


class Fixed(nn.Module):
    """Gives the logits it was told, whatever it is shown."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images):
        return self.logits[: len(images)]


def clip(seed=0):
    draw = torch.Generator().manual_seed(seed)
    flow = torch.zeros(T - 1, 2, H, W)
    return Fixed(2 * torch.randn(T, C, H, W, generator=draw)), torch.zeros(T, 3, H, W), *chained(flow, flow, 2)


def test_single_frame_labels_keep_as_many_pixels_as_pooled_ones():
    network, frames, back, forth = clip()
    pooled = label_clip(network, frames, back, forth)
    single = label_clip(network, frames, back, forth, pooled=False)
    assert 0.3 < pooled.kept < 0.7 and pooled.kept == pytest.approx(single.kept, abs=1e-6)
    own = network.logits.detach().softmax(1)
    torch.testing.assert_close(single.probabilities, own)
    torch.testing.assert_close(pooled.probabilities[2], own[:3].mean(0))  # nothing moves: the mean of three frames
    assert not pooled.labels.requires_grad and not pooled.probabilities.requires_grad
    strict = label_clip(network, frames, back, forth, consensus=True)
    assert strict.kept < pooled.kept


def batch_of(network, frames, back, forth):
    made = label_clip(network, frames, back, forth)
    return {
        "frames": frames[None], "masks": made.labels[None], "probabilities": made.probabilities[None].half(),
        "thresholds": made.thresholds.expand(1, T, -1), "back": back[None], "forth": forth[None],
    }  # fmt: skip


def test_the_student_learns_from_hard_labels_where_there_are_some():
    network, *rest = clip()
    batch = batch_of(network, *rest)
    student = VideoSelfTraining(Fixed(torch.randn(T, C, H, W)))
    losses = student.training_step({key: batch[key] for key in ("frames", "masks")})
    losses["loss"].backward()
    learnt = student.network.logits.grad.abs().sum(1) > 0
    assert torch.equal(learnt, batch["masks"][0] != 255)
    assert float(losses["kept"]) == pytest.approx(float((batch["masks"] != 255).float().mean()))


def test_renewed_labels_follow_the_student_and_a_student_that_agrees_keeps_them():
    network, *rest = clip()
    batch = batch_of(network, *rest)
    agrees = VideoSelfTraining(network, refinement=0.5)
    losses = agrees.training_step(batch)
    assert float(losses["changed"]) == 0
    renewed = agrees.renewed(network.logits.detach()[None], batch)
    assert float((renewed == batch["masks"]).float().mean()) > 0.99  # stored in half precision
    stubborn = Fixed(torch.zeros(T, C, H, W).index_fill(1, torch.tensor([1]), 20.0))
    followed = VideoSelfTraining(stubborn, refinement=1.0).renewed(stubborn.logits.detach()[None], batch)
    assert (followed == 1).all()
    with pytest.raises(ValueError, match="from 0 to 1"):
        VideoSelfTraining(stubborn, refinement=1.5)
