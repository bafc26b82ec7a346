"""Maps, fusion, growing and seed loss against arrays of the authors' code (see auxsegnet and ficklenet, README.md)."""

from pathlib import Path

import numpy as np
import torch

from labelkit.losses.seeds import balanced_seed_loss
from labelkit.models.affinity_propagation import propagate
from labelkit.pseudo_labels.activation_maps import normalise, resize_maps
from labelkit.pseudo_labels.region_growing import grow_seeds
from labelkit.pseudo_labels.saliency_fusion import fuse

TOLERANCE = {"rtol": 0, "atol": 1e-9}


def load(name):
    with np.load(Path(__file__).parent / name) as file:
        return {key: torch.from_numpy(file[key].copy()) for key in file.files}


def test_auxsegnet_fusion_of_maps_and_saliency():
    arrays = load("auxsegnet/label_fusion.npz")
    found = fuse(arrays["cam"], arrays["saliency"], arrays["label"])
    assert set(found.unique().tolist()) == {0, 1, 2, 3, 255}
    assert torch.equal(found, arrays["pseudo_label"].long())


def test_auxsegnet_refinement_of_maps():
    arrays = load("auxsegnet/cam_refinement.npz")
    maps = normalise(arrays["cam_raw"])
    torch.testing.assert_close(maps, arrays["cam_normalised"], **TOLERANCE)
    maps = propagate(maps, arrays["cross_aff"])
    torch.testing.assert_close(maps, arrays["cam_refined_lowres"], **TOLERANCE)
    maps = resize_maps(maps, (41, 169))
    torch.testing.assert_close(maps[:, :, ::4, ::5], arrays["cam_refined_up"], **TOLERANCE)


def test_dsrg_balanced_seed_loss_and_gradient():
    arrays = load("ficklenet/dsrg_balanced_seed_loss.npz")
    probabilities = arrays["probs"].requires_grad_()
    loss = balanced_seed_loss(probabilities, arrays["seeds"])
    loss.backward()
    torch.testing.assert_close(loss, arrays["loss"], **TOLERANCE)
    torch.testing.assert_close(probabilities.grad, arrays["grad_probs"], **TOLERANCE)


def test_dsrg_region_growing():
    arrays = load("ficklenet/dsrg_growing.npz")
    found = grow_seeds(arrays["seeds"], arrays["probabilities"], arrays["tags"])
    assert int(found.sum()) > int(arrays["seeds"].sum())
    assert torch.equal(found, arrays["grown"].double())
