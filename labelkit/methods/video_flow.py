"""Predictions of earlier frames brought to a later one, along flow: what pseudo labels of video are pooled from."""

import torch
from torch import Tensor

from labelkit.models.warping import backward_warp, consistent


def carried(probabilities: Tensor, back: Tensor, forth: Tensor, check: bool = True) -> tuple[Tensor, Tensor]:
    """The votes for each frame: its own prediction, then those of the frames 1, 2, ... M before it.

    A vote from m frames before is read at x + back(x). It is valid where that place lies in the image and, with
    ``check``, where the flow back and the flow forth agree, which fails at what is hidden in one of the two frames.

    Args:
        probabilities: of T consecutive frames, (T, C, H, W).
        back: ``back[t, m - 1]`` is the flow from frame t to frame t - m in pixels (x, y), (T, M, 2, H, W); what it says
            for t < m is not read.
        forth: ``forth[t, m - 1]`` is the flow from frame t - m to frame t, as large.
        check: ask for agreement of the two flows.

    Returns:
        Votes (M + 1, T, C, H, W), and valid (M + 1, T, H, W) bool, all True for the frame's own prediction.

    Raises:
        ValueError: the shapes do not fit.
    """
    frames, reach = len(probabilities), back.shape[1] if back.dim() == 5 else -1
    expected = (frames, reach, 2, *probabilities.shape[-2:])
    if tuple(back.shape) != expected or tuple(forth.shape) != expected:
        raise ValueError(
            f"flows back {tuple(back.shape)} and forth {tuple(forth.shape)} do not fit predictions "
            f"{tuple(probabilities.shape)}; expected (T, M, 2, H, W) of the same T, H and W"
        )
    votes = [probabilities]
    valid = [torch.ones(frames, *probabilities.shape[-2:], dtype=torch.bool, device=probabilities.device)]
    for m in range(1, reach + 1):
        vote, ok = torch.zeros_like(probabilities), torch.zeros_like(valid[0])
        if m < frames:
            flow = back[m:, m - 1].to(probabilities.dtype)
            vote[m:], ok[m:] = backward_warp(probabilities[:-m], flow)
        votes.append(vote)
        valid.append(ok)
    joined = torch.stack(valid)
    return torch.stack(votes), joined & agreeing(back, forth) if check else joined


def agreeing(back: Tensor, forth: Tensor) -> Tensor:
    """Where the flow back and the flow forth end where they began.

    Args:
        back, forth: (T, M, 2, H, W), see :func:`carried`.

    Returns:
        (M + 1, T, H, W) bool: first True everywhere, for a frame's own vote, then for 1, 2, ... M frames before; False
        for t < m.
    """
    frames, reach, _, height, width = back.shape
    agree = torch.zeros(reach + 1, frames, height, width, dtype=torch.bool, device=back.device)
    agree[0] = True
    for m in range(1, min(reach, frames - 1) + 1):
        agree[m, m:] = consistent(back[m:, m - 1], forth[m:, m - 1])
    return agree


def chained(flow: Tensor, flow_back: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Flow over several frames, from flow between neighbours: a step, then the next one from where the first landed.

    Args:
        flow: from each frame to the next, (T - 1, 2, H, W) pixels.
        flow_back: ``flow_back[t]`` from frame t + 1 to frame t, as large.
        reach: M, over how many frames at most.

    Returns:
        ``back`` and ``forth``, (T, M, 2, H, W), as :func:`carried` takes them; zero for t < m. What leaves the image on
        the way goes on with the flow at the border; the check of :func:`carried` finds it.

    Raises:
        ValueError: the two flows differ in shape.
    """
    if flow.shape != flow_back.shape:
        raise ValueError(f"flow {tuple(flow.shape)} and flow_back {tuple(flow_back.shape)} differ; expected one shape")
    frames = len(flow) + 1
    back = flow.new_zeros(frames, reach, *flow.shape[1:])
    forth = torch.zeros_like(back)
    for m in range(1, min(reach, frames - 1) + 1):
        if m == 1:
            back[1:, 0], forth[1:, 0] = flow_back, flow
            continue
        # back: from t over m - 1 frames, then one step more; forth: one step from t - m, then the m - 1 that are known
        before = back[m:, m - 2]
        back[m:, m - 1] = before + backward_warp(flow_back[: frames - m], before)[0]
        step = flow[: frames - m]
        forth[m:, m - 1] = step + backward_warp(forth[m:, m - 2], step)[0]
    return back, forth
