"""Rotation, exemplar and entropy losses against definitions written out, and what they refuse."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from labelkit.losses.adversarial_perturbation import kl_divergence, normalise, perturbation_direction
from labelkit.losses.entropy import mean_entropy
from labelkit.losses.exemplar import batch_hard_triplet, exemplar_loss, identities
from labelkit.losses.rotation import four_rotations, repeat_labels, rotation_cross_entropy, rotation_loss


def test_turning_four_times_gives_the_image_back():
    images = torch.rand(2, 3, 5, 5)
    turned = four_rotations(images).view(2, 4, 3, 5, 5)
    assert torch.equal(turned[:, 0], images)
    again = turned
    for _ in range(3):  # a quarter turn of the k-th rotation is the (k + 1)-th
        again = four_rotations(again[:, 1]).view(2, 4, 3, 5, 5)
    assert torch.equal(again[:, 1], images)


def test_a_mean_of_means_is_not_a_mean_over_the_union():
    few, many = torch.randn(4, 4), torch.randn(12, 4)
    expected = (rotation_cross_entropy(few) + rotation_cross_entropy(many)) / 2
    torch.testing.assert_close(rotation_loss(few, many), expected)
    assert not torch.isclose(rotation_loss(few, many), rotation_cross_entropy(torch.cat([few, many])))


def test_a_perfect_guess_of_every_turn_costs_nothing():
    logits = 100 * torch.eye(4).repeat(3, 1)
    assert rotation_loss(logits) < 1e-6 and rotation_loss(logits.roll(1, 0)) > 50


def test_labels_follow_the_order_of_rotations():
    assert repeat_labels(torch.tensor([7, 2])).tolist() == [7] * 4 + [2] * 4


@settings(max_examples=25, deadline=None)
@given(images=st.integers(2, 4), copies=st.integers(2, 4), seed=st.integers(0, 99))
def test_triplets_against_loops(images, copies, seed):
    embeddings = torch.randn(images * copies, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    identity = identities(images, copies)
    for margin in (None, 0.2):
        expected = []
        for i in range(len(embeddings)):
            same = [j for j in range(len(embeddings)) if identity[i] == identity[j] and i != j]
            other = [j for j in range(len(embeddings)) if identity[i] != identity[j]]
            far = max(torch.dist(embeddings[i], embeddings[j]) for j in same)
            near = min(torch.dist(embeddings[i], embeddings[j]) for j in other)
            expected.append(F.softplus(far - near) if margin is None else F.relu(far + margin - near))
        torch.testing.assert_close(batch_hard_triplet(embeddings, identity, margin), torch.stack(expected))


def test_equal_embeddings_have_a_finite_gradient():
    embeddings = torch.ones(4, 3, requires_grad=True)
    exemplar_loss(embeddings, copies=2).backward()
    assert torch.isfinite(embeddings.grad).all()


def test_swapped_grouping_puts_two_images_under_one_identity():
    assert identities(2, 3).tolist() == [0, 0, 0, 1, 1, 1]
    assert identities(2, 3, "swapped").tolist() == [0, 0, 1, 1, 2, 2]
    swapped = identities(16, 8, "swapped")
    assert len(swapped.unique()) == 8 and (swapped[:16] == 0).all()


def test_entropy_of_certainty_and_of_ignorance():
    assert mean_entropy(torch.tensor([[1000.0, 0.0, 0.0]])) == 0
    assert mean_entropy(torch.zeros(3, 7)).item() == pytest.approx(math.log(7))


def test_entropy_falls_when_logits_are_scaled_up():
    """Why it is not used alone: a larger last layer satisfies it."""
    logits = torch.randn(5, 4)
    assert mean_entropy(3 * logits) < mean_entropy(logits)


def test_divergence_is_zero_of_itself_and_not_symmetric():
    a, b = torch.randn(6, 5), torch.randn(6, 5)
    assert kl_divergence(a, a).abs().max() < 1e-6 and (kl_divergence(a, b) > 0).all()
    assert not torch.allclose(kl_divergence(a, b), kl_divergence(b, a))
    expected = F.kl_div(b.log_softmax(1), a.softmax(1), reduction="none").sum(1)
    torch.testing.assert_close(kl_divergence(a, b), expected)


def test_normalise_with_and_without_a_floor():
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0], [3e-9, 4e-9]])
    assert normalise(vectors).norm(dim=1).tolist() == pytest.approx([1, 0, 1])
    assert normalise(vectors, floor=1e-6).norm(dim=1).tolist() == pytest.approx([1, 0, 5e-3])


def test_the_direction_of_a_linear_classifier_is_the_one_it_can_see():
    """Two classes, one weight vector: predictions change along it and nowhere else."""
    weight = torch.randn(12, dtype=torch.float64)

    def classify(images):
        score = images.flatten(1) @ weight
        return torch.stack([score, -score], dim=1)

    images = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    direction = perturbation_direction(classify, images).flatten(1)
    cosine = F.cosine_similarity(direction, weight.expand_as(direction)).abs()
    torch.testing.assert_close(cosine, torch.ones(4, dtype=torch.float64))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: four_rotations(torch.rand(2, 3, 4, 5)), "expected square ones"),
        (lambda: rotation_cross_entropy(torch.rand(6, 4)), "expected \\(4 B, 4\\)"),
        (lambda: identities(2, 2, "other"), "grouping is 'other'"),
        (lambda: exemplar_loss(torch.rand(5, 3), copies=2), "not a multiple of 2 copies"),
        (lambda: exemplar_loss(torch.rand(2, 3), copies=2), "a triplet needs"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
