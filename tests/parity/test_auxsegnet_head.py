"""AuxSegNet's heads, losses, optimiser and relabelling against arrays of the authors' code (auxsegnet/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from labelkit.experiments.auxsegnet_optimizer import sgd
from labelkit.methods.auxsegnet import AuxSegNet, Weights, losses, spread_maps
from labelkit.models.affinity_propagation import propagate
from labelkit.models.auxsegnet import AuxSegHead, AuxSegNetwork
from labelkit.models.auxsegnet_convert import HEAD_NAMES, load_official_head
from labelkit.models.cross_task_affinity import AffinityBlock
from labelkit.pseudo_labels.activation_maps import normalise
from labelkit.pseudo_labels.saliency_fusion import fuse
from labelkit.training import poly

TOLERANCE = {"rtol": 0, "atol": 1e-9}
LOSSES = {  # ours: theirs
    "classification": "cls",
    "saliency": "sal_initial",
    "refined_saliency": "sal_refined",
    "segmentation": "seg_initial",
    "refined_segmentation": "seg_refined",
}


def arrays_of(name):
    with np.load(Path(__file__).parent / "auxsegnet" / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key].copy()) for key in file.files}


@pytest.fixture
def arrays():
    return arrays_of("head")


@pytest.fixture
def head(arrays):
    made = AuxSegHead(12, 3, width=8).double().eval()
    official = {key[2:]: value for key, value in arrays.items() if key.startswith("w/") and "stub" not in key}
    load_official_head(made, official)
    return made


@pytest.fixture
def batch(arrays):
    labels = arrays["labels"].long()
    return {"tags": arrays["tags"], "saliency": arrays["saliency"].double(), "mask": labels}


def close(ours, theirs, name=""):
    torch.testing.assert_close(ours, theirs, **TOLERANCE, msg=lambda text: f"{name}: {text}")


def ours_of(official):
    module, _, leaf = official.rpartition(".")
    return f"{HEAD_NAMES[module]}.{leaf}" if module in HEAD_NAMES else None


def test_affinity_of_one_task():
    arrays = arrays_of("nlblock")
    block = AffinityBlock(8).double()
    for ours, theirs in (("query", "theta"), ("key", "phi")):
        getattr(block, ours).weight.data = arrays[f"{theirs}_w"]
        getattr(block, ours).bias.data = arrays[f"{theirs}_b"]
    close(block.affinity(arrays["x"]), arrays["affinity"])


def test_all_outputs_of_the_heads(arrays, head):
    with torch.no_grad():
        outputs = head(arrays["features"])
        close(head.maps(arrays["features"]), arrays["out/cam_raw"])
    for ours, theirs in {
        "tags": "cls_logits",
        "saliency": "sal_initial",
        "refined_saliency": "sal_refined",
        "segmentation": "seg_initial",
        "refined_segmentation": "seg_refined",
        "affinity": "cross_affinity",
    }.items():
        close(getattr(outputs, ours), arrays[f"out/{theirs}"], ours)


def test_five_losses_and_every_gradient(arrays, head, batch):
    features = arrays["features"].requires_grad_()
    terms = losses(head(features), batch, Weights())
    assert set(terms) == set(LOSSES)
    for ours, theirs in LOSSES.items():
        close(terms[ours], arrays[f"loss/{theirs}"], ours)
    sum(terms.values()).backward()
    close(features.grad, arrays["grad_features"])
    gradients = {ours_of(key[2:]): value for key, value in arrays.items() if key.startswith("g/")}
    parameters = dict(head.named_parameters())
    assert set(gradients) == set(parameters)
    for name, gradient in gradients.items():
        close(parameters[name].grad, gradient, name)


def test_optimiser_of_the_released_code(arrays, head, batch):
    trunk = nn.Conv2d(12, 12, 1).double()
    trunk.weight.data, trunk.bias.data = arrays["w/backbone_stub.weight"], arrays["w/backbone_stub.bias"]
    method = AuxSegNet(AuxSegNetwork(trunk, head)).eval()
    optimizer, schedule = sgd(method, 0.0007, "code"), poly()
    started = [group["lr"] for group in optimizer.param_groups]
    for step, rates in enumerate(arrays["rates"]):
        for group, rate in zip(optimizer.param_groups, started):
            group["lr"] = rate * schedule(step, len(arrays["rates"]))
        close(
            torch.tensor([group["lr"] for group in optimizer.param_groups], dtype=torch.float64), rates, f"step {step}"
        )
        optimizer.zero_grad()
        method.training_step(batch | {"image": arrays["features"]})["loss"].backward()
        optimizer.step()
    parameters = dict(method.network.named_parameters())
    for key, value in arrays.items():
        if key.startswith("after/"):
            official = key[6:]
            ours = "trunk.weight" if "stub" in official else f"head.{ours_of(official)}"
            close(parameters[ours], value, official)


def test_maps_are_normalised_and_spread_as_in_the_code():
    arrays = arrays_of("cam_refinement")
    close(normalise(arrays["cam_raw"]), arrays["cam_normalised"])
    close(propagate(arrays["cam_normalised"], arrays["cross_aff"]), arrays["cam_refined_lowres"])
    spread = spread_maps(arrays["cam_raw"], arrays["cross_aff"], (41, 169))
    close(spread[:, :, ::4, ::5], arrays["cam_refined_up"])


def test_labels_are_fused_as_in_the_code():
    arrays = arrays_of("label_fusion")
    assert torch.equal(fuse(arrays["cam"], arrays["saliency"], arrays["label"]), arrays["pseudo_label"].long())
