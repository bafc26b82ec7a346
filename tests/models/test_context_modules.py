"""Pixel self-attention and the ASP-OCR block."""

import torch

from labelkit.models.context import ASPOCRBlock, PixelSelfAttention
from labelkit.models.ocr import OCRBlock


def test_self_attention_has_the_parameters_of_the_ocr_block():
    count = [sum(p.numel() for p in m.parameters()) for m in (PixelSelfAttention(16, 4, 16), OCRBlock(16, 4, 16, 7))]
    assert count[0] == count[1]


def test_self_attention_is_softmax_over_all_pixels():
    torch.manual_seed(0)
    network = PixelSelfAttention(8, 4, 8).double().eval()
    features = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    attention = network.attention
    query = attention.query(features).flatten(2)
    key, value = attention.key(features).flatten(2), attention.value(features).flatten(2)
    context = torch.zeros_like(value)
    for b in range(2):
        for i in range(15):
            weights = torch.softmax((key[b] * query[b, :, i : i + 1]).sum(0) / 2.0, dim=0)  # sqrt(4) = 2
            context[b, :, i] = (value[b] * weights).sum(1)
    expected = network.fusion(torch.cat([attention.output(context.unflatten(2, (3, 5))), features], 1))
    torch.testing.assert_close(network(features), expected)


def test_asp_ocr_joins_five_branches():
    torch.manual_seed(0)
    network = ASPOCRBlock(12, hidden_channels=6, out_channels=10, dilations=(1, 2, 3))
    out = network(torch.randn(2, 12, 9, 8), torch.randn(2, 4, 9, 8))
    assert out.shape == (2, 10, 9, 8)
    assert network.fusion[0].in_channels == 30
    assert [branch[0].dilation[0] for branch in network.branches] == [1, 1, 2, 3]
