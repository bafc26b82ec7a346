"""S4L's losses against arrays that the authors' code produced (see s4l/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labelkit.losses.adversarial_perturbation import (
    OFFICIAL,
    kl_divergence,
    perturbation_direction,
    virtual_adversarial_loss,
)
from labelkit.losses.entropy import mean_entropy
from labelkit.losses.exemplar import batch_hard_triplet, exemplar_loss
from labelkit.losses.rotation import four_rotations, repeat_labels, rotation_loss

TOLERANCE = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "s4l" / "losses.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


@pytest.fixture(scope="module")
def heads(arrays):
    """classes, rotations, embeddings: functions of images (..., H, W, C)."""

    def head(name):
        return lambda images: torch.tanh(images.reshape(-1, len(arrays["W1"])) @ arrays["W1"]) @ arrays[name]

    return {"classes": head("W2"), "rotations": head("W3"), "embeddings": head("W4")}


def class_loss(arrays, heads, images, copies=1):
    return F.cross_entropy(heads["classes"](images), repeat_labels(arrays["labels"].long(), copies))


def close(actual, arrays, name):
    torch.testing.assert_close(actual, arrays[name], **TOLERANCE)


def test_rotations_and_their_order(arrays):
    turned = four_rotations(arrays["rot_in"].permute(2, 0, 1)[None])
    assert torch.equal(turned.permute(0, 2, 3, 1), arrays["rot_out"])
    images = arrays["unsup"].permute(0, 3, 1, 2)
    assert torch.equal(four_rotations(images).permute(0, 2, 3, 1), arrays["unsup_rot"].flatten(0, 1))


def test_rotation_totals(arrays, heads):
    labelled = class_loss(arrays, heads, arrays["sup_rot"], 4)
    close(labelled, arrays, "loss_rotation_class_only")
    guesses = [heads["rotations"](arrays[name]) for name in ("unsup_rot", "sup_rot")]
    close(labelled + rotation_loss(*guesses), arrays, "loss_rotation_total_w1")
    close(labelled + rotation_loss(guesses[0]), arrays, "loss_rotation_total_unsup_only_w1")


@pytest.mark.parametrize(
    ("suffix", "grouping", "expected"),
    [
        ("", "swapped", "loss_exemplar_total_w1"),
        ("", "correct", 3.5027399078991976),
        ("_square", "swapped", "loss_exemplar_square_total_w1"),
        ("_square", "correct", "loss_exemplar_square_total_w1"),
    ],
)
def test_exemplar_totals(arrays, heads, suffix, grouping, expected):
    copies = arrays[f"sup_ex{suffix}"].shape[1]
    parts = [heads["embeddings"](arrays[f"{name}_ex{suffix}"]) for name in ("unsup", "sup")]
    total = class_loss(arrays, heads, arrays[f"sup_ex{suffix}"], copies)
    total = total + exemplar_loss(*parts, copies=copies, grouping=grouping)
    expected = arrays[expected] if isinstance(expected, str) else torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(total, expected, **TOLERANCE)


def test_batch_hard(arrays):
    embeddings, identity = arrays["batch_hard_emb"], arrays["batch_hard_ids"]
    close(batch_hard_triplet(embeddings, identity), arrays, "batch_hard_soft")
    close(batch_hard_triplet(embeddings, identity, margin=0.1), arrays, "batch_hard_hinge")


def test_kl_divergence(arrays):
    close(kl_divergence(arrays["kl_logits1"], arrays["kl_logits2"]), arrays, "kl_1_given_2")


@pytest.mark.parametrize(("iterations", "xi"), [(1, 1e-6), (1, 0.1), (3, 1e-6), (3, 0.1)])
def test_directions(arrays, heads, iterations, xi):
    images = torch.cat([arrays["sup"], arrays["unsup"]])
    noise = arrays["vat_noise_sup_then_unsup"]
    direction = perturbation_direction(heads["classes"], images, noise, xi=xi, iterations=iterations, floor=1e-6)
    torch.testing.assert_close(direction, arrays[f"vat_dir_iters{iterations}_xi{xi:g}"], **TOLERANCE)


def test_vat_and_entropy(arrays, heads):
    images = torch.cat([arrays["sup"], arrays["unsup"]])
    clean = heads["classes"](images)
    noise, radius = arrays["vat_noise_sup_then_unsup"], float(arrays["vat_eps"])
    vat = virtual_adversarial_loss(heads["classes"], images, clean, radius=radius, noise=noise, **OFFICIAL)
    close(vat, arrays, "vat_loss_vat")
    close(mean_entropy(clean), arrays, "vat_loss_entmin")
    close(class_loss(arrays, heads, arrays["sup"]), arrays, "vat_loss_class")


def test_moam_step_one(arrays, heads):
    unlabelled = arrays["unsup_rot"].flatten(0, 1)
    clean = heads["classes"](unlabelled)
    noise = arrays["moam_noise_unsup_rot"]
    vat = virtual_adversarial_loss(heads["classes"], unlabelled, clean, radius=2.0, noise=noise, **OFFICIAL)
    close(vat, arrays, "moam_loss_vat")
    rotation = rotation_loss(heads["rotations"](unlabelled), heads["rotations"](arrays["sup_rot"]))
    close(rotation, arrays, "moam_loss_rot")
    close(mean_entropy(clean), arrays, "moam_loss_entmin")
    labelled = class_loss(arrays, heads, arrays["sup_rot"], 4)
    total = 0.3 * labelled + 0.3 * vat + 0.4 * rotation + 0.3 * mean_entropy(clean)
    close(total, arrays, "moam_loss_total")
