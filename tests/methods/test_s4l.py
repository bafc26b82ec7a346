"""S4L: which images each loss reaches, what the controls share with the methods, and what batch statistics see."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F

from labelkit.losses.adversarial_perturbation import OFFICIAL, perturbation_direction
from labelkit.losses.rotation import four_rotations, repeat_labels
from labelkit.methods.s4l import RotationPretraining, S4LExemplar, S4LRotation, Supervised, centred
from labelkit.methods.s4l_smoothness import MOAM, VirtualAdversarial
from labelkit.models.layers import statistics_kept
from labelkit.models.lesson_classifier import LessonClassifier

CLASSES = 5


def network(*heads, seed=0):
    torch.manual_seed(seed)
    sizes = {"classes": CLASSES, "rotations": 4, "embeddings": 6}
    return LessonClassifier({name: sizes[name] for name in ("classes", *heads)}, width=4)


def batch(copies=None, labelled=3, unlabelled=4):
    generator = torch.Generator().manual_seed(1)

    def images(count):
        shape = (count, 3, 16, 16) if copies is None else (count, copies, 3, 16, 16)
        return torch.rand(shape, generator=generator)

    labels = torch.randint(0, CLASSES, (labelled,), generator=generator)
    return {"labelled": {"image": images(labelled), "label": labels}, "unlabelled": {"image": images(unlabelled)}}


def gradients(method, made, key="loss"):
    method.zero_grad()
    method.training_step(made)[key].backward()
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


METHODS = {
    "supervised": lambda: Supervised(network()),
    "rotation": lambda: S4LRotation(network("rotations")),
    "exemplar": lambda: S4LExemplar(network("embeddings")),
    "vat": lambda: VirtualAdversarial(network(), radius=1.0, entropy_weight=1.0),
    "moam": lambda: MOAM(network("rotations"), radius=1.0, average_halflife=5),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_step_trains_every_weight_that_predicts(name):
    method = METHODS[name]().train()
    made = batch(copies=2 if name == "exemplar" else None)
    found = gradients(method, made)
    trained = {key for key, p in method.named_parameters() if p.requires_grad}
    assert set(found) == trained and all(torch.isfinite(g).all() for g in found.values())
    assert any(g.abs().sum() > 0 for key, g in found.items() if "classes" in key)
    assert method.eval().predict(made["labelled"]["image"].reshape(-1, 3, 16, 16)).shape[1] == CLASSES


def test_the_class_loss_takes_all_rotations_of_labelled_images():
    made = batch()
    method = S4LRotation(network("rotations")).eval()  # evaluation mode: rows do not depend on the batch
    turned = four_rotations(centred(made["labelled"]["image"]))
    expected = F.cross_entropy(method.network(turned), repeat_labels(made["labelled"]["label"]))
    torch.testing.assert_close(method.training_step(made)["classes"], expected)
    control = Supervised(method.network, rotations=True).eval()
    torch.testing.assert_close(control.training_step(made)["loss"], expected)


def test_unlabelled_and_labelled_images_share_batch_statistics():
    made = batch()
    method = S4LRotation(network("rotations")).train()
    first = method.training_step(made)["classes"]
    made["unlabelled"]["image"] = 0.5 * made["unlabelled"]["image"]
    assert method.training_step(made)["classes"] != first


@pytest.mark.parametrize(("acts_on", "reached"), [("both", (1, 1)), ("labelled", (0, 1)), ("unlabelled", (1, 0))])
def test_acts_on_decides_which_images_the_rotation_loss_reaches(acts_on, reached):
    method = S4LRotation(network("rotations"), acts_on=acts_on).eval()
    made = batch()
    for part in ("unlabelled", "labelled"):
        made[part]["image"].requires_grad_()
    method.training_step(made)["rotation"].backward()
    grads = (made["unlabelled"]["image"].grad, made["labelled"]["image"].grad)
    assert tuple(int(g is not None and bool(g.abs().sum() > 0)) for g in grads) == reached


def test_weight_zero_keeps_the_passes_and_drops_the_loss():
    """The arm "none": class loss, statistics and gradients of the body as in the others, rotation head untrained."""
    made = batch()
    found = {}
    for weight in (0.0, 1.0):
        method = S4LRotation(network("rotations"), weight).train()
        losses = method.training_step(made)
        found[weight] = losses["classes"], method.network.body[3].running_mean.clone()
        method.zero_grad()
        losses["loss"].backward()
        assert (method.network.heads["rotations"].weight.grad.abs().sum() > 0) == bool(weight)
    assert torch.equal(found[0.0][0], found[1.0][0]) and torch.equal(found[0.0][1], found[1.0][1])


def test_pretraining_needs_no_labels_and_leaves_the_class_head_alone():
    method = RotationPretraining(network("rotations")).train()
    found = gradients(method, {"unlabelled": batch()["unlabelled"]})
    assert not any("classes" in name for name in found) and any("rotations" in name for name in found)


def test_groupings_differ_only_where_images_and_copies_differ():
    made, square = batch(copies=2, labelled=4, unlabelled=4), batch(copies=2, labelled=2, unlabelled=2)
    losses = {}
    for grouping in ("correct", "swapped"):
        method = S4LExemplar(network("embeddings"), grouping=grouping).eval()
        losses[grouping] = [method.training_step(b)["exemplar"].item() for b in (made, square)]
    assert losses["correct"][0] != losses["swapped"][0] and losses["correct"][1] == losses["swapped"][1]


def test_perturbed_passes_leave_the_running_statistics_alone():
    made = batch()
    method = VirtualAdversarial(network(), radius=3.0).train()
    plain = deepcopy(method.network)
    plain(centred(torch.cat([made["unlabelled"]["image"], made["labelled"]["image"]])))  # the clean pass alone
    method.training_step(made)
    for (name, mine), (_, expected) in zip(method.network.named_buffers(), plain.named_buffers()):
        assert torch.equal(mine, expected), name


def test_perturbed_passes_use_the_batch_and_restore_the_layers():
    net, images = network().train(), torch.rand(4, 3, 16, 16)
    expected = deepcopy(net)(images)
    with statistics_kept(net):
        assert torch.equal(net(images), expected)
    assert all(m.track_running_stats for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_no_gradient_flows_through_the_clean_predictions_of_vat():
    """Seen at a network whose perturbed logits are constants: nothing is left to differentiate."""
    made = batch()
    method = VirtualAdversarial(network(), radius=1.0, weight=1.0).eval()
    clean = []

    def record(module, inputs, output):
        clean.append(output)

    method.network.register_forward_hook(record)
    losses = method.training_step(made)
    (reached,) = torch.autograd.grad(losses["vat"], clean[0], retain_graph=True, allow_unused=True)
    assert reached is None
    (own,) = torch.autograd.grad(losses["entropy"], clean[0])
    assert own.abs().sum() > 0  # entropy, in contrast, is differentiated through its own predictions


def test_entropy_covers_both_halves_in_vat_and_the_unlabelled_one_in_moam():
    made = batch()
    for method, labelled_counts in (
        (VirtualAdversarial(network(), radius=1.0, entropy_weight=1.0), True),
        (MOAM(network("rotations"), radius=1.0), False),
    ):
        method.eval()
        torch.manual_seed(0)
        before = method.training_step(made)["entropy"].item()
        changed = made | {"labelled": made["labelled"] | {"image": 1 - made["labelled"]["image"]}}
        assert (method.training_step(changed)["entropy"].item() != before) == labelled_counts


def test_moam_is_a_convex_combination_plus_entropy():
    losses = MOAM(network("rotations"), radius=1.0).training_step(batch())
    expected = 0.3 * losses["classes"] + 0.3 * losses["vat"] + 0.4 * losses["rotation"] + 0.3 * losses["entropy"]
    torch.testing.assert_close(losses["loss"], expected)


def test_moam_predicts_with_averaged_weights_that_a_checkpoint_holds():
    method = MOAM(network("rotations"), radius=1.0, average_halflife=2)
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        method.training_step(batch())["loss"].backward()
        optimizer.step()
    images = batch()["labelled"]["image"]
    averaged, plain = method.eval().predict(images), method.network(centred(images))
    assert not torch.equal(averaged, plain)
    again = MOAM(network("rotations", seed=9), radius=1.0, average_halflife=2)
    again.load_state_dict(method.state_dict())
    assert torch.equal(again.eval().predict(images), averaged)


def test_official_direction_is_short_and_noisy_in_float32():
    """S7: xi 1e-6 and division by max(norm, 1e-6) give a direction far from unit length, and in float32 another one."""
    net64 = network().double().eval()
    net32 = deepcopy(net64).float()
    generator = torch.Generator().manual_seed(2)
    images = 2 * torch.rand(16, 3, 16, 16, dtype=torch.float64, generator=generator) - 1
    noise = torch.randn(images.shape, dtype=torch.float64, generator=generator)

    def direction(net, **options):
        dtype = next(net.parameters()).dtype
        return perturbation_direction(net, images.to(dtype), noise.to(dtype), **options).double().flatten(1)

    exact = direction(net64, xi=1e-6)  # true unit length
    torch.testing.assert_close(exact.norm(dim=1), torch.ones(16, dtype=torch.float64))
    assert direction(net64, **OFFICIAL).norm(dim=1).max() < 0.1
    cosines = {xi: F.cosine_similarity(direction(net32, xi=xi), exact).mean().item() for xi in (1e-6, 1e-3, 1e-2)}
    assert cosines[1e-6] < 0.5 < 0.8 < cosines[1e-2] < cosines[1e-3]


def test_the_direction_is_found_in_full_precision_under_autocast():
    net, images = network().eval(), 2 * torch.rand(4, 3, 16, 16) - 1
    noise = torch.randn_like(images)
    expected = perturbation_direction(net, images, noise)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(perturbation_direction(net, images, noise), expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_under_bfloat16(name):
    method = METHODS[name]().train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = method.training_step(batch(copies=2 if name == "exemplar" else None))
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: S4LRotation(network("rotations"), acts_on="none"), "acts_on is 'none'"),
        (lambda: S4LExemplar(network("embeddings"), grouping="mixed"), "grouping is 'mixed'"),
        (lambda: MOAM(network("rotations"), 1.0, class_weight=0.8), "must be shares of 1"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()
