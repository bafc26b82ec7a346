"""The paper-sized networks of the OCR arms, built without memory."""

import pytest
import torch

from labelkit.experiments import ocr


def settings(network):
    return ocr.Settings(
        paper="ocr", run="x", budget="smoke", data=["streets"], arms=["ocr"], seeds=[0], steps=1, batch_size=1,
        learning_rate=0.1, height=64, width=64, network=network,
    )  # fmt: skip


def build(arm, network):
    with torch.device("meta"):
        return ocr.build(arm, 19, settings(network), seed=0)


def test_hrnet_without_context_has_one_head_and_no_coarse_loss():
    method = build("conv", "ocr-hrnet48")
    assert sum(parameter.numel() for parameter in method.network.parameters()) == 65_859_379
    assert method.aux_weight == 0
    images = torch.zeros(2, 3, 64, 96, device="meta")
    assert method.predict(images).shape == (2, 19, 64, 96)
    batch = {"image": images, "mask": torch.zeros(2, 64, 96, dtype=torch.int64, device="meta")}
    main, coarse = method.network.both_logits(batch["image"])
    assert main is coarse


def test_arms_of_the_module_reach_the_network():
    plain, without, ideal = (build(arm, "ocr-resnet101") for arm in ("ocr", "ocr-aux0", "ocr-ideal"))
    assert (plain.aux_weight, without.aux_weight) == (0.4, 0.0)
    assert ideal.ideal and ideal.network.head.block.use_ground_truth
    assert not plain.ideal and not plain.network.head.block.use_ground_truth
    others = [build(arm, "ocr-resnet101") for arm in ("gather-class-softmax", "gather-global")]
    assert len({str(vars(method.network.head.block.gather)) for method in (plain, *others)}) == 3


@pytest.mark.parametrize(("arm", "network"), [("self-attention", "ocr-hrnet48"), ("conv", "ocr-resnet101")])
def test_what_is_not_built_is_named(arm, network):
    with pytest.raises(ValueError, match=f"network '{network}' is not built with the context"):
        build(arm, network)
