"""Optical flow between two real frames: OpenCV's DIS, or torchvision's RAFT.

Drawn clips bring their exact flow; these two are for videos of which none is known. DIS [kroeger2016dis] needs no
weights and runs on a CPU in milliseconds. RAFT [teed2020raft] needs trained weights: a file, or torchvision's download.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelkit.models.warping import resize_flow
from labelkit.models.weights import read_state_dict

KINDS = ("dis", "raft_small", "raft_large")
DOUBLED = 256  # DIS sees frames whose shorter side has fewer pixels at twice their size
SMALLEST = 128  # pixels a side that RAFT's correlation pyramid needs
Estimator = Callable[[Tensor, Tensor], Tensor]


def dense_flow(kind: str, now: Tensor, then: Tensor, weights: str | Path | None = None) -> Tensor:
    """Where each pixel of one frame is in another.

    For many pairs take `flow_estimator`, which reads the weights once.

    Args:
        kind: "dis", "raft_small" or "raft_large".
        now, then: (B, 3, H, W), 0..1, RGB.
        weights: file with the weights of RAFT; None fetches torchvision's.

    Returns:
        (B, 2, H, W) float32 pixels, x then y, from `now` to `then`, on the device of `now`; without gradient.

    Raises:
        ValueError: the kind is unknown, or the frames are not two batches of one shape.
        ImportError: OpenCV is missing.
        FileNotFoundError, RuntimeError: there are no weights.
    """
    return flow_estimator(kind, weights, now.device)(now, then)


def flow_estimator(kind: str, weights: str | Path | None = None, device: str | torch.device = "cpu") -> Estimator:
    """The function (now, then) -> flow of one kind; see `dense_flow`.

    Args:
        kind: "dis", "raft_small" or "raft_large".
        weights: file with the weights of RAFT, as torchvision names its layers; None fetches torchvision's.
        device: where RAFT runs.

    Returns:
        A function of two batches of frames (B, 3, H, W) in 0..1 that gives flow (B, 2, H, W).

    Raises:
        ValueError: the kind is unknown, DIS is given weights, or the weights do not fit.
        ImportError: OpenCV is missing.
        FileNotFoundError, RuntimeError: there are no weights.
    """
    if kind not in KINDS:
        raise ValueError(f"flow kind is {kind!r}; expected one of {', '.join(KINDS)}.")
    if kind == "dis":
        if weights is not None:
            raise ValueError(
                f"weights {weights} were given for dis, which has none; expected raft_small or raft_large."
            )
        return _dis()
    return _Raft(kind, weights).to(device)


def _dis() -> Estimator:
    try:
        import cv2
    except ImportError:
        raise ImportError("The flow 'dis' needs OpenCV: install it with pip install 'labelkit[video]'.") from None

    def estimate(now: Tensor, then: Tensor) -> Tensor:
        _check_frames(now, then)
        solver = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        height, width = now.shape[-2:]
        grey = [_grey(frames) for frames in (now, then)]
        # The finest level of DIS is half the size: on drawn clips of 64 x 96, doubling takes the mean error from 0.65
        # to 0.56 pixels. Below 12 pixels OpenCV refuses, so tiny frames grow to 32.
        shorter = min(height, width)
        scale = max(1 if shorter >= DOUBLED else 2, -(-32 // shorter))
        flows = []
        for pair in zip(*grey):
            large = [cv2.resize(each, None, fx=scale, fy=scale) if scale > 1 else each for each in pair]
            flows.append(torch.from_numpy(solver.calc(*large, None)).permute(2, 0, 1))
        flow = torch.stack(flows).float()
        return resize_flow(flow, (height, width)).to(now.device)

    return estimate


def _grey(frames: Tensor) -> Any:
    """Luma of frames, (B, H, W) uint8 on the CPU."""
    weights = frames.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (frames.detach() * weights).sum(1).mul(255).round().clamp(0, 255).byte().cpu().numpy()


class _Raft(nn.Module):
    """RAFT for frames of any size."""

    def __init__(self, kind: str, weights: str | Path | None) -> None:
        super().__init__()
        from torchvision.models import optical_flow

        known = {
            "raft_small": (optical_flow.raft_small, optical_flow.Raft_Small_Weights.DEFAULT),
            "raft_large": (optical_flow.raft_large, optical_flow.Raft_Large_Weights.DEFAULT),
        }
        build, published = known[kind]
        self.network = build(weights=None, progress=False)
        if weights is not None:
            state, place = read_state_dict(weights), str(weights)
        else:
            try:
                state, place = (
                    published.get_state_dict(progress=False, check_hash=True, weights_only=True),
                    published.url,
                )
            except Exception as error:  # the hub raises many kinds when offline
                raise RuntimeError(
                    f"The weights of {kind} could not be fetched ({type(error).__name__}); connect once, or give "
                    f"the file {published.url} as `weights`, or take the flow 'dis'."
                ) from error
        try:
            self.network.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"{place} does not hold the weights of torchvision's {kind}.") from error
        self.network.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, now: Tensor, then: Tensor) -> Tensor:
        _check_frames(now, then)
        height, width = now.shape[-2:]
        large = [max(SMALLEST, height), max(SMALLEST, width)]
        rounded = [-(-side // 8) * 8 for side in large]  # the encoder divides by 8
        frames = [F.interpolate(f.float(), rounded, mode="bilinear", align_corners=False) for f in (now, then)]
        place = next(self.network.parameters()).device
        with torch.autocast(place.type, enabled=False):
            flow = self.network(*(f.to(place) * 2 - 1 for f in frames))[-1]
        return resize_flow(flow, (height, width)).to(now.device)


def _check_frames(now: Tensor, then: Tensor) -> None:
    if now.dim() != 4 or now.shape[1] != 3 or now.shape != then.shape:
        raise ValueError(f"frames have shapes {tuple(now.shape)} and {tuple(then.shape)}; expected (B, 3, H, W) twice.")
