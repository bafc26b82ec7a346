"""Adversarial parts against arrays that ADVENT's code produced (see video/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.losses.domain_adversarial import SOURCE, TARGET, called, fooling, telling_apart, weighted_self_information
from labelkit.models.domain_discriminator import DomainDiscriminator

CLOSE = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "video" / "adversarial.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


def discriminator(arrays, prefix):
    weights = {
        key.removeprefix(f"{prefix}/w/"): value for key, value in arrays.items() if key.startswith(f"{prefix}/w/")
    }
    made = DomainDiscriminator(weights["0.weight"].shape[1], weights["0.weight"].shape[0]).double()
    made.layers.load_state_dict(weights)
    return made


def test_weighted_self_information(arrays):
    maps = weighted_self_information(arrays["logits_cf"].softmax(1))
    torch.testing.assert_close(maps, arrays["weighted_self_information"], **CLOSE)


@pytest.mark.parametrize("case", ["adv_entropy", "seq_stack2"])
def test_discriminator_losses_and_gradient(arrays, case):
    frames = [arrays["logits_cf"], arrays["logits_kf"]]
    if case == "adv_entropy":
        shown = weighted_self_information(frames[0].softmax(1))
    else:
        shown = torch.cat(frames, 1).softmax(1)  # there one softmax over both frames' channels; ours is frame by frame
    shown.requires_grad_()
    scores = discriminator(arrays, case)(shown)
    torch.testing.assert_close(scores, arrays[f"{case}/logit"], **CLOSE)
    torch.testing.assert_close(called(scores, SOURCE), arrays[f"{case}/bce_label0"], **CLOSE)
    torch.testing.assert_close(called(scores, TARGET), arrays[f"{case}/bce_label1"], **CLOSE)
    fooling(scores).backward()
    torch.testing.assert_close(shown.grad, arrays[f"{case}/grad_input_label0"], **CLOSE)
    half = (arrays[f"{case}/bce_label0"] + arrays[f"{case}/bce_label1"]) / 2
    torch.testing.assert_close(telling_apart(scores, scores), half, **CLOSE)
