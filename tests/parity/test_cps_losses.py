"""CPS losses, CutMix mixing and OHEM against arrays that the authors' code produced (see cps/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.losses.cross_entropy import cross_entropy, ohem_cross_entropy
from labelkit.losses.cross_pseudo import cross_pseudo_supervision, cross_pseudo_supervision_mixed, hard_labels
from labelkit.losses.cutmix import mix

TOLERANCE = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "cps" / "losses.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


def test_supervised_losses(arrays):
    for net in "12":
        loss = cross_entropy(arrays[f"sup_logits_{net}"], arrays["labels"])
        torch.testing.assert_close(loss, arrays[f"loss_sup_{net}"], **TOLERANCE)


def test_cross_pseudo_supervision_value_labels_and_gradient(arrays):
    logits = [torch.cat([arrays[f"sup_logits_{net}"], arrays[f"unsup_logits_{net}"]]).requires_grad_() for net in "12"]
    for net, scores in zip("12", logits):
        assert torch.equal(hard_labels(scores), arrays[f"pseudo_{net}"])
    loss = cross_pseudo_supervision(*logits)
    loss.backward()
    torch.testing.assert_close(loss, arrays["loss_cps_unweighted"], **TOLERANCE)
    total = arrays["loss_sup_1"] + arrays["loss_sup_2"] + arrays["cps_weight"] * loss
    torch.testing.assert_close(total, arrays["loss_total"], **TOLERANCE)
    for net, scores in zip("12", logits):
        # Stored without the weight 1.5.
        torch.testing.assert_close(scores.grad, arrays[f"grad_cps_wrt_logits_{net}"], **TOLERANCE)


def test_cutmix_labels_and_loss(arrays):
    labels = {
        net: hard_labels(
            mix(arrays[f"cutmix_teacher_u0_{net}"], arrays[f"cutmix_teacher_u1_{net}"], arrays["cutmix_mask"])
        )
        for net in "12"
    }
    for net in "12":
        assert torch.equal(labels[net], arrays[f"cutmix_pseudo_{net}"])
    loss = cross_pseudo_supervision_mixed(
        arrays["cutmix_student_1"], arrays["cutmix_student_2"], labels["1"], labels["2"]
    )
    torch.testing.assert_close(loss, arrays["loss_cutmix_cps_unweighted"], **TOLERANCE)


@pytest.mark.parametrize("case", range(3))
def test_ohem(arrays, case):
    loss = ohem_cross_entropy(
        arrays["sup_logits_1"],
        arrays["labels"],
        threshold=float(arrays[f"ohem{case}_thresh"]),
        min_kept=int(arrays[f"ohem{case}_min_kept"]),
    )
    torch.testing.assert_close(loss, arrays[f"ohem{case}_loss"], **TOLERANCE)
