"""Estimated flow: it points the right way at every size, and what is missing is said in a sentence."""

import sys

import pytest
import torch
from torch.nn import functional as F

from labelkit.models.optical_flow import dense_flow, flow_estimator
from labelkit.models.warping import backward_warp


def smooth_pair(height, width, right, down):
    """A smooth random picture and the same moved by whole pixels, with no border between them."""
    coarse = torch.rand(1, 3, height // 4 + 8, width // 4 + 8, generator=torch.Generator().manual_seed(0))
    large = F.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 1)
    now = large[..., 12 : 12 + height, 12 : 12 + width]
    then = large[..., 12 - down : 12 - down + height, 12 - right : 12 - right + width]
    return now, then


@pytest.mark.parametrize(("height", "width"), [(24, 40), (64, 96), (272, 280)])
def test_dis_finds_a_shift_at_every_size(height, width):
    pytest.importorskip("cv2")
    now, then = smooth_pair(height, width, right=3, down=-2)
    flow = dense_flow("dis", now, then)
    assert flow.shape == (1, 2, height, width) and flow.dtype == torch.float32
    inner = flow[0, :, 6:-6, 6:-6].flatten(1).median(1).values
    assert inner.tolist() == pytest.approx([3, -2], abs=0.3)


def test_dis_carries_drawn_frames_better_than_no_flow():
    pytest.importorskip("cv2")
    from labelkit.worlds.street_clips import StreetVideo

    clips, estimate = StreetVideo("train", 3, 64, 96, "real", frames=3), flow_estimator("dis")
    errors, lengths, carried_wrong, wrong = [], [], [], []
    for clip in (clips[i] for i in range(3)):
        before, after = clip["frames"][:-1], clip["frames"][1:]
        flow, seen = estimate(after, before), ~clip["occluded_back"]
        errors.append((flow - clip["flow_back"]).norm(dim=1)[seen])
        lengths.append(clip["flow_back"].norm(dim=1)[seen])
        carried, inside = backward_warp(before, flow)
        carried_wrong.append((carried - after).abs().mean(1)[inside])
        wrong.append((before - after).abs().mean(1)[inside])
    mean = lambda parts: torch.cat(parts).mean()  # noqa: E731
    assert mean(errors) < 0.6 * mean(lengths) and mean(carried_wrong) < 0.7 * mean(wrong)


def test_raft_takes_any_size_and_a_file_of_weights(tmp_path):
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    path = tmp_path / "raft.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    now, then = smooth_pair(40, 52, 1, 0)
    estimate = flow_estimator("raft_small", path)
    flow = estimate(now, then)
    assert flow.shape == (1, 2, 40, 52) and flow.isfinite().all() and not flow.requires_grad
    assert torch.equal(estimate(now, then), flow)
    with pytest.raises(ValueError, match=r"raft\.pth does not hold the weights of torchvision's raft_large"):
        flow_estimator("raft_large", path)


def test_raft_at_its_own_size_is_torchvisions(tmp_path):
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    network = raft_small(weights=None).eval()
    path = tmp_path / "raft.pth"
    torch.save(network.state_dict(), path)
    now, then = smooth_pair(128, 136, 1, 0)
    with torch.no_grad():
        expected = network(2 * now - 1, 2 * then - 1)[-1]
    assert torch.allclose(dense_flow("raft_small", now, then, path), expected, atol=1e-4)


def test_weights_that_are_not_there(tmp_path, monkeypatch):
    from torchvision.models.optical_flow import Raft_Small_Weights

    with pytest.raises(FileNotFoundError, match="does not exist; expected a file of weights"):
        flow_estimator("raft_small", tmp_path / "none.pth")

    def offline(self, *_, **__):
        raise OSError("no network")

    monkeypatch.setattr(Raft_Small_Weights, "get_state_dict", offline)
    with pytest.raises(RuntimeError, match=r"weights of raft_small could not be fetched \(OSError\).*as `weights`"):
        flow_estimator("raft_small")


def test_without_opencv_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"pip install 'labelkit\[video\]'"):
        flow_estimator("dis")


def test_wrong_kinds_and_frames_are_refused():
    pytest.importorskip("cv2")
    frames = torch.rand(1, 3, 16, 16)
    with pytest.raises(ValueError, match="expected one of dis, raft_small, raft_large"):
        dense_flow("farneback", frames, frames)
    with pytest.raises(ValueError, match="were given for dis, which has none"):
        flow_estimator("dis", "weights.pth")
    with pytest.raises(ValueError, match=r"frames have shapes \(1, 3, 16, 16\) and \(1, 3, 8, 16\)"):
        dense_flow("dis", frames, frames[:, :, :8])
