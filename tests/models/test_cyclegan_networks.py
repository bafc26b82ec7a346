"""CycleGAN's networks at the paper's size, what their layers do, and the pool of earlier fakes."""

import io

import pytest
import torch
from torch import nn

from labelkit.models.cyclegan import ImageGenerator, PixelDiscriminator, ResNetGenerator, SegmentationGenerator
from labelkit.models.history_pool import HistoryPool


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def generator_parameters(inputs, outputs, width=64, blocks=9):
    """By the formula of a convolution, kernel^2 * in * out + out, layer by layer."""
    conv = lambda kernel, a, b: kernel**2 * a * b + b  # noqa: E731
    halving = conv(3, width, 2 * width) + conv(3, 2 * width, 4 * width)
    doubling = conv(3, 4 * width, 2 * width) + conv(3, 2 * width, width)
    return (
        conv(7, inputs, width)
        + halving
        + blocks * 2 * conv(3, 4 * width, 4 * width)
        + doubling
        + conv(7, width, outputs)
    )


def test_parameters_at_the_papers_size():
    with torch.device("meta"):
        to_mask, to_image = SegmentationGenerator(21), ImageGenerator(21)
        on_images, on_masks = PixelDiscriminator(3), PixelDiscriminator(1)
    assert count(to_mask) == generator_parameters(3, 21) == 11_434_645
    assert count(to_image) == generator_parameters(21, 3) == 11_434_627
    assert (count(on_images), count(on_masks)) == (8_705, 8_577)


def test_weights_are_drawn_as_the_authors():
    torch.manual_seed(0)
    network = ResNetGenerator(3, 4, width=16, blocks=2)
    kinds = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(kinds) == 3 + 4 + 2 + 1
    for module in kinds:
        assert float(module.weight.detach().std()) == pytest.approx(0.02, rel=0.15)
        assert not module.bias.any()
    assert not any(module.affine for module in network.modules() if isinstance(module, nn.InstanceNorm2d))


def test_sizes_and_ranges():
    images = torch.rand(2, 3, 20, 28)
    logits = SegmentationGenerator(5, 4, 1)(images)
    painted = ImageGenerator(5, 4, 1)(logits.softmax(1))
    assert logits.shape == (2, 5, 20, 28) and painted.shape == (2, 3, 20, 28)
    assert painted.abs().max() <= 1
    with pytest.raises(ValueError, match="18x20 pixels; expected multiples of 4"):
        SegmentationGenerator(5, 4, 1)(torch.rand(1, 3, 18, 20))


def test_segmentation_generator_scales_its_images():
    network = SegmentationGenerator(5, 4, 1).eval()
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(network(images), network.generator(2 * images - 1))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network, images = SegmentationGenerator(3, 4, 2), torch.rand(1, 3, 8, 8)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_a_pixel_discriminator_knows_no_neighbours():
    """Shuffling the pixels shuffles the scores: instance statistics do not depend on the order."""
    network = PixelDiscriminator(3, 4).double()
    images, order = torch.rand(1, 3, 6, 6, dtype=torch.float64), torch.randperm(36)
    shuffled = images.flatten(2)[:, :, order].view_as(images)
    torch.testing.assert_close(network(images).flatten(2)[:, :, order], network(shuffled).flatten(2))


def batch(value, shape=(2, 1, 3, 3)):
    return torch.full(shape, float(value))


def test_the_pool_returns_what_it_is_given_until_it_is_full():
    pool = HistoryPool(3)
    for value in range(3):
        assert torch.equal(pool.exchange(batch(value)), batch(value))
    assert int(pool.filled) == 3 and pool.items.shape == (6, 1, 3, 3)


def test_a_full_pool_gives_whole_old_batches_about_every_other_time():
    torch.manual_seed(0)
    pool, held, old = HistoryPool(4), set(), 0
    for value in range(300):
        given = pool.exchange(batch(value))
        answer = float(given.flatten()[0])
        assert torch.equal(given, batch(answer))  # whole batches: nothing is mixed
        if answer != value:
            assert answer in held  # nothing that was handed out or dropped comes back
            held.remove(answer)
            old += 1
            held.add(float(value))
        elif value < 4:
            held.add(float(value))
        assert {float(x) for x in pool.items[::2, 0, 0, 0][: len(held)]} == held
    assert 110 < old < 185


def test_pooled_batches_carry_no_gradient_and_are_copies():
    torch.manual_seed(1)
    pool = HistoryPool(1)
    first = batch(1).requires_grad_()
    assert not pool.exchange(first).requires_grad
    with torch.no_grad():
        first.fill_(9)
    answers = {float(pool.exchange(batch(value)).flatten()[0]) for value in range(2, 8)}
    assert 1.0 in answers and 9.0 not in answers


def test_a_fresh_pool_takes_over_a_stored_one():
    torch.manual_seed(0)
    pool = HistoryPool(3)
    for value in range(5):
        pool.exchange(batch(value).to(torch.uint8))
    file = io.BytesIO()
    torch.save(pool.state_dict(), file)
    file.seek(0)
    fresh = HistoryPool(3)
    fresh.load_state_dict(torch.load(file))
    torch.manual_seed(5)
    ahead = [pool.exchange(batch(value).to(torch.uint8)) for value in range(5, 12)]
    torch.manual_seed(5)
    resumed = [fresh.exchange(batch(value).to(torch.uint8)) for value in range(5, 12)]
    assert fresh.items.dtype == torch.uint8
    assert all(torch.equal(a, b) for a, b in zip(ahead, resumed))


def test_a_pool_of_nothing_and_bad_sizes():
    assert torch.equal(HistoryPool(0).exchange(batch(3)), batch(3))
    with pytest.raises(ValueError, match="size of the pool is -1"):
        HistoryPool(-1)
    pool = HistoryPool(2)
    pool.exchange(batch(0))
    with pytest.raises(ValueError, match=r"holds batches of shape \(2, 1, 3, 3\) and was given one of \(1, 1, 3, 3\)"):
        pool.exchange(batch(0, (1, 1, 3, 3)))
