"""PANet's heads against arrays that the authors' code produced (see isaid/README.md)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.models.panet import group_norm
from labelkit.models.panet_convert import load_released
from labelkit.models.panet_heads import (
    AdaptiveBoxHead,
    AdaptiveConvBoxHead,
    AggregatedMaskHead,
    FullyConnectedFusion,
    FusedMaskPredictor,
)

NORM = group_norm(2)


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "isaid" / "panet_heads.npz") as file:
        return {name: file[name] for name in file.files}


def weights(arrays, case):
    state = {}
    for number, (name, shape) in enumerate(json.loads(str(arrays[f"{case}/shapes"])).items()):
        places = torch.arange(int(np.prod(shape)), dtype=torch.float64)
        state[name] = (0.3 * torch.sin(0.7 * places + 1.3 * number)).reshape(shape)
    return state


@pytest.mark.parametrize("case", ["mask_fusion", "mask_adaptive"])
def test_mask_logits(arrays, case):
    from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor

    fused = case == "mask_fusion"
    fusion = FullyConnectedFusion(4, 14, NORM) if fused else None
    head = AggregatedMaskHead(4, (4, 4, 4, 4), 4, fusion, NORM).double()
    predictor = (FusedMaskPredictor if fused else MaskRCNNPredictor)(4, 4, 5).double()
    state = weights(arrays, case)
    load_released(head, "mask head", state)
    load_released(predictor, "mask predictor", state)
    logits = predictor(head(torch.from_numpy(arrays["x14"])))
    torch.testing.assert_close(logits, torch.from_numpy(arrays[case]), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("case", "part", "head"),
    [
        ("box_fc", "box head", AdaptiveBoxHead(4 * 49, 8, 4, NORM)),
        ("box_convs", "box head of convolutions", AdaptiveConvBoxHead(4, 7, (4, 4, 4, 4), 8, 4, NORM)),
    ],
)
def test_box_features(arrays, case, part, head):
    load_released(head.double(), part, weights(arrays, case))
    features = head(torch.from_numpy(arrays["x7"]))
    torch.testing.assert_close(features, torch.from_numpy(arrays[case]), rtol=0, atol=1e-9)
