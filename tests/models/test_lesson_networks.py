"""The lesson networks: sizes, budgets, arms that differ only in their context module."""

import pytest
import torch

from labelkit.models.lesson import LessonNet
from labelkit.models.lesson_ocr import CONTEXTS, LessonContextNet


def parameters(network) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("size", [(72, 96), (61, 83)])
def test_logits_have_the_size_of_the_image(size):
    images = torch.rand(2, 3, *size)
    assert LessonNet(11)(images).shape == (2, 11, *size)
    for context in CONTEXTS:
        main, coarse = LessonContextNet(11, context).both_logits(images)
        assert main.shape == coarse.shape == (2, 11, *size)


def test_features_are_at_strides_2_4_8():
    network = LessonNet(5)
    shapes = [tuple(f.shape) for f in network.features(torch.rand(1, 3, 72, 96))]
    assert shapes == [(1, 16, 36, 48), (1, 32, 18, 24), (1, network.feature_channels, 9, 12)]


def test_parameter_budget_and_plain_head_at_least_as_large_as_ocr():
    counts = {context: parameters(LessonContextNet(19, context)) for context in CONTEXTS}
    assert parameters(LessonNet(19)) < 500_000
    assert max(counts.values()) < 500_000
    assert counts["conv"] >= counts["ocr"] == counts["self-attention"]


def test_documented_parameter_counts():
    assert parameters(LessonNet(11)) == 211_435
    assert parameters(LessonContextNet(11, "ocr")) == 262_566
    assert parameters(LessonContextNet(11, "conv")) == 286_198


def test_under_one_seed_the_arms_share_every_common_weight():
    states = []
    for context in CONTEXTS:
        torch.manual_seed(0)
        states.append(
            {k: v for k, v in LessonContextNet(4, context).state_dict().items() if not k.startswith("context")}
        )
    assert all(states[0].keys() == state.keys() for state in states)
    assert all(torch.equal(states[0][name], state[name]) for state in states for name in state)


def test_forward_is_the_main_half_of_both_logits():
    torch.manual_seed(0)
    network = LessonContextNet(4, "ocr").eval()
    images = torch.rand(2, 3, 32, 40)
    torch.testing.assert_close(network(images), network.both_logits(images)[0])


def test_only_ocr_sends_the_main_loss_into_the_coarse_head():
    images = torch.rand(2, 3, 32, 40)
    for context in CONTEXTS:
        torch.manual_seed(0)
        network = LessonContextNet(4, context)
        network(images).square().mean().backward()
        reached = network.coarse[-1].weight.grad is not None and network.coarse[-1].weight.grad.abs().sum() > 0
        assert reached == (context == "ocr")


def test_ideal_network_reads_the_mask():
    torch.manual_seed(0)
    network = LessonContextNet(4, "ocr", use_ground_truth=True).eval()
    images = torch.rand(1, 3, 32, 40)
    first, second = torch.zeros(1, 32, 40, dtype=torch.int64), torch.zeros(1, 32, 40, dtype=torch.int64)
    second[:, :, 20:] = 255
    assert not torch.allclose(network(images, first), network(images, second))
    with pytest.raises(ValueError, match="no mask was given"):
        network(images)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match=r"'ocrr'.*conv, ocr, self-attention"):
        LessonContextNet(4, "ocrr")
    with pytest.raises(ValueError, match=r"'conv'.*'ocr' only"):
        LessonContextNet(4, "conv", gather="global")


@pytest.mark.parametrize("build", [lambda: LessonNet(4), *(lambda c=c: LessonContextNet(4, c) for c in CONTEXTS)])
def test_channels_last_and_bfloat16_autocast(build):
    torch.manual_seed(0)
    network = build().eval()
    images = torch.rand(2, 3, 40, 48)
    reference = network(images)
    network.to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(images), reference, rtol=1e-3, atol=1e-4)
    network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(images)
    logits.float().square().mean().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)
