"""The OCR block against arrays that the authors' module produced (see ocr/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.models.ocr import OCRBlock
from labelkit.models.ocr_convert import load_block

TOLERANCE = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "ocr" / "ocr_openseg_scale1.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


@pytest.fixture
def block(arrays):
    block = OCRBlock(16, 6, 12, num_classes=5, dropout=0.0).double()
    load_block(block, {k.removeprefix("w/"): v for k, v in arrays.items() if k.startswith("w/")})
    return block


def run(block, arrays):
    features = arrays["feats"].clone().requires_grad_()
    coarse = arrays["aux_logits"].clone().requires_grad_()
    steps = block.explain(features, coarse)
    loss = (steps["output"] * arrays["loss_coef"]).sum()
    loss.backward()
    return steps, loss, features.grad, coarse.grad


def test_evaluation_mode_every_step_and_gradient(block, arrays):
    steps, loss, grad_features, grad_coarse = run(block.eval(), arrays)
    for ours, theirs in {
        steps["soft_regions"]: "soft_regions",
        steps["region_vectors"].unsqueeze(-1): "object_region_repr",
        steps["attention"]: "pixel_region_attention",
        steps["context"]: "object_context",
        steps["output"]: "ocr_output_eval",
        loss: "eval_loss",
        grad_features: "grad_feats_eval",
        grad_coarse: "grad_aux_logits_eval",
    }.items():
        torch.testing.assert_close(ours, arrays[theirs], **TOLERANCE, msg=lambda m, name=theirs: f"{name}: {m}")


def test_training_mode_output_gradients_and_running_statistics(block, arrays):
    steps, _, grad_features, grad_coarse = run(block.train(), arrays)
    torch.testing.assert_close(steps["output"], arrays["ocr_output_train_nodrop"], **TOLERANCE)
    torch.testing.assert_close(grad_features, arrays["grad_feats_train"], **TOLERANCE)
    torch.testing.assert_close(grad_coarse, arrays["grad_aux_logits_train"], **TOLERANCE)
    # The running statistics, through the converter: load ours-after-training's official twin and compare whole states.
    expected = {k.removeprefix("w/"): v for k, v in arrays.items() if k.startswith("w/")}
    expected |= {k.removeprefix("after_train/"): v for k, v in arrays.items() if k.startswith("after_train/")}
    twin = OCRBlock(16, 6, 12, num_classes=5).double()
    load_block(twin, expected)
    ours = {k: v for k, v in block.state_dict().items() if "running" in k}
    assert len(ours) == 14
    for name, value in ours.items():
        torch.testing.assert_close(value, twin.state_dict()[name], **TOLERANCE)
