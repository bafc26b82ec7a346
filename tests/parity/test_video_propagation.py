"""Moving maps along a flow against arrays that the code of DA-VSN produced (see video/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.models.warping import forward_splat, resize_flow

TOLERANCE = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "video" / "flow_propagation.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files if file[name].ndim}


def test_the_flow_at_the_size_of_the_predictions(arrays):
    size = arrays["prob_kf"].shape[-2:]
    ours = resize_flow(arrays["flow_fullres"], tuple(size), align_corners=True)
    assert torch.allclose(ours, arrays["flow_interp"], **TOLERANCE)


def test_propagated_probabilities_and_entropies(arrays):
    back = -arrays["flow_interp"]  # their flow points from where a value goes to where it comes from
    propagated, covered = forward_splat(arrays["prob_kf"], back)
    assert torch.allclose(propagated, arrays["prob_propagated"], **TOLERANCE)
    assert torch.allclose(covered.double(), arrays["positions"], **TOLERANCE)
    assert 0.3 < covered.double().mean() < 0.5  # the holes that a backward warp does not have
    entropy, _ = forward_splat(arrays["ent_kf"].unsqueeze(1), back)
    assert torch.allclose(entropy.squeeze(1), arrays["ent_propagated"], **TOLERANCE)
    weights = arrays["positions"] * (entropy.squeeze(1) < arrays["ent_cf"])
    assert torch.allclose(weights, arrays["itcr_weights"], **TOLERANCE)
