"""DARS: what labels and pseudo labels do to the network, and how predictions become labels."""

import math

import pytest
import torch
from torch import nn

from labelkit.losses.cross_entropy import cross_entropy
from labelkit.methods.dars import DARS, confident_classes, window_scores
from labelkit.models.lesson import LessonNet

CLASSES = 5


class WithAuxiliary(nn.Module):
    """Main and auxiliary logits from two 1x1 convolutions."""

    def __init__(self):
        super().__init__()
        self.main, self.extra = nn.Conv2d(3, CLASSES, 1), nn.Conv2d(3, CLASSES, 1)

    def forward(self, images):
        return self.main(images)

    def both_logits(self, images):
        return self.main(images), self.extra(images)


def batch(seed=0, pseudo=True):
    generator = torch.Generator().manual_seed(seed)

    def part():
        mask = torch.randint(0, CLASSES, (2, 16, 24), generator=generator)
        mask[:, :5] = 255
        return {"image": torch.rand(2, 3, 16, 24, generator=generator), "mask": mask}

    made = {"labelled": part(), "pseudo": part()}
    return made if pseudo else {"labelled": made["labelled"]}


def lesson():
    torch.manual_seed(0)
    return LessonNet(CLASSES, width=4)


def test_total_of_two_losses_with_their_auxiliary_ones():
    torch.manual_seed(0)
    network, made = WithAuxiliary(), batch()
    losses = DARS(network, aux_weight=0.4, pseudo_weight=0.5).training_step(made)
    for name, part in (("supervised", made["labelled"]), ("pseudo", made["pseudo"])):
        main, extra = network.both_logits(part["image"])
        expected = cross_entropy(main, part["mask"]) + 0.4 * cross_entropy(extra, part["mask"])
        torch.testing.assert_close(losses[name], expected)
    torch.testing.assert_close(losses["loss"], losses["supervised"] + 0.5 * losses["pseudo"])


def test_the_two_means_are_taken_apart():
    """Few kept pixels weigh as much as many: not one mean over both sets."""
    made = batch()
    made["pseudo"]["mask"][:] = 255
    made["pseudo"]["mask"][0, 7, 7] = 2
    network = lesson().eval()
    alone = cross_entropy(network(made["pseudo"]["image"])[:1, :, 7:8, 7:8], torch.tensor([[[2]]]))
    losses = DARS(network, aux_weight=0).training_step(made)
    torch.testing.assert_close(losses["pseudo"], alone)


def test_a_batch_without_any_pseudo_label_adds_nothing():
    made = batch()
    made["pseudo"]["mask"][:] = 255
    method = DARS(lesson(), aux_weight=0)
    losses = method.training_step(made)
    losses["loss"].backward()
    assert losses["pseudo"].item() == 0 and math.isfinite(losses["loss"].item())
    assert all(parameter.grad.isfinite().all() for parameter in method.parameters())


def test_the_two_sets_are_normalised_apart():
    calls = []
    network = lesson()
    network.register_forward_hook(lambda module, inputs, output: calls.append(len(inputs[0])))
    method = DARS(network, aux_weight=0).train()
    first = method.training_step(batch())["supervised"]
    assert calls == [2, 2]
    changed = batch()
    changed["pseudo"]["image"] = changed["pseudo"]["image"] * 0.1
    assert first.item() == method.training_step(changed)["supervised"].item()


def test_round_0_needs_no_pseudo_labels_and_no_auxiliary_head():
    assert set(DARS(lesson(), aux_weight=0).training_step(batch(pseudo=False))) == {"loss", "supervised"}


def test_gradients_reach_the_auxiliary_head_only_with_its_loss():
    for weight in (0.0, 0.4):
        network = WithAuxiliary()
        DARS(network, aux_weight=weight).training_step(batch())["loss"].backward()
        assert (network.extra.weight.grad is not None) == (weight > 0)


def test_bfloat16_autocast():
    method = DARS(lesson(), aux_weight=0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = method.training_step(batch())
    losses["loss"].backward()
    assert losses["loss"].isfinite()


def local(images):
    """Scores that depend on a pixel alone, so that windows and mirroring must not change them."""
    return torch.cat([images, 1 - images], dim=1)


@pytest.mark.parametrize("size", [(20, 30), (9, 13), (8, 12)])
def test_windows_of_a_local_network_give_the_whole(size):
    torch.manual_seed(0)
    images = torch.rand(2, 3, *size)
    torch.testing.assert_close(window_scores(local, images, (8, 12)), local(images))


def test_windows_overlap_by_a_third_and_are_averaged():
    seen = []

    def predict(images):
        seen.append(images.shape[-2:])
        return torch.full((len(images), 1, *images.shape[-2:]), float(len(seen)))

    scores = window_scores(predict, torch.rand(1, 3, 9, 15), (9, 9))
    assert seen == [(9, 9)] * 2  # stride 6: windows at 0 and 6
    assert scores[0, 0, 0].tolist() == [1.0] * 6 + [1.5] * 3 + [2.0] * 6


def test_mirrored_scores_are_turned_back():
    """A network that looks at its left neighbour gives different scores for the mirrored image."""
    shifted = lambda images: images.roll(1, dims=-1)  # noqa: E731
    images = torch.rand(1, 3, 6, 8)
    expected = (images.roll(1, dims=-1) + images.roll(-1, dims=-1)) / 2
    torch.testing.assert_close(window_scores(shifted, images, (6, 8)), expected)
    torch.testing.assert_close(window_scores(shifted, images, (6, 8), mirror=False), shifted(images))


def test_mean_of_logits_is_not_mean_of_softmax():
    """One view is sure of class 0, the other mildly of class 1: the means side with the first by different amounts."""
    scores = iter([torch.tensor([6.0, 0.0]), torch.tensor([0.0, 1.0])])

    def predict(images):
        pair = [next(scores), next(scores)]
        return torch.stack(pair)[:, :, None, None].expand(-1, -1, *images.shape[-2:])

    logits = window_scores(predict, torch.rand(1, 3, 4, 4), (4, 4))
    assert logits[0, :, 0, 0].tolist() == [3.0, 0.5]
    scores = iter([torch.tensor([6.0, 0.0]), torch.tensor([0.0, 1.0])])
    mixed = window_scores(predict, torch.rand(1, 3, 4, 4), (4, 4), average="softmax")
    expected = (torch.tensor([6.0, 0.0]).softmax(0) + torch.tensor([0.0, 1.0]).softmax(0)) / 2
    torch.testing.assert_close(mixed[0, :, 0, 0], expected)


def test_small_images_are_padded_and_long_sides_resized():
    sizes = []

    def predict(images):
        sizes.append(tuple(images.shape[-2:]))
        return local(images)

    images = torch.rand(1, 3, 6, 10)
    assert window_scores(predict, images, (8, 8)).shape[-2:] == (6, 10)
    sizes.clear()
    assert window_scores(predict, images, (3, 5), long_side=5).shape == (1, 6, 6, 10)
    assert sizes == [(3, 5)]
    with pytest.raises(ValueError, match="average is 'mean'"):
        window_scores(predict, images, (8, 8), average="mean")


def test_confidences_saturate_in_half_precision_alone():
    logits = torch.stack([torch.zeros(1, 1, 2), torch.tensor([[[8.0, 9.5]]])], dim=1)  # (1, 2, 1, 2)
    half, classes = confident_classes(logits)
    single, _ = confident_classes(logits, torch.float32)
    assert classes.dtype == torch.uint8 and (classes == 1).all()
    assert half.dtype == torch.float16 and half[0, 0].tolist() == [pytest.approx(1 / (1 + math.exp(-8)), abs=5e-4), 1.0]
    assert (single < 1).all()
