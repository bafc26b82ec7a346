"""CycleGAN: which term teaches which network, what the mask adversary may and may not do, and resuming."""

from copy import deepcopy

import pytest
import torch

from labelkit.experiments import cyclegan as experiment
from labelkit.experiments.settings import Context
from labelkit.methods.cyclegan import CycleGAN, SupervisedSegmenter, Weights, frozen
from labelkit.models.cyclegan import ImageGenerator, PixelDiscriminator, SegmentationGenerator
from labelkit.models.lesson import LessonNet
from labelkit.training import constant, train

CLASSES = 4
NETWORKS = ("segmenter", "painter", "image_discriminator", "mask_discriminator")
REACHES = {  # which networks a term teaches, with a mask adversary that lets gradient through
    "segmentation": {"segmenter"},
    "image": {"painter"},
    "adversarial_image": {"painter"},
    "adversarial_mask": {"segmenter"},
    "cycle_image": {"segmenter", "painter"},
    "cycle_mask": {"segmenter", "painter"},
    "discriminator_image": {"image_discriminator"},
    "discriminator_mask": {"mask_discriminator"},
}
WITHOUT_MASK_ADVERSARY = Weights(adversarial_mask=0.0)


def make(seed=0, dropout=0.5, segmenter=None, **options):
    torch.manual_seed(seed)
    channels = CLASSES if options.get("mask_input") == "one-hot" else 1
    return CycleGAN(
        segmenter or SegmentationGenerator(CLASSES, 4, 1, dropout),
        ImageGenerator(CLASSES, 4, 1, dropout),
        PixelDiscriminator(3, 4),
        PixelDiscriminator(channels, 4),
        CLASSES,
        **{"pool_size": 3, **options},
    )


class Batches:
    """``batches[step]``; the upper rows of every mask are ignored if asked for."""

    def __init__(self, size=2, ignored=False):
        self.size, self.ignored = size, ignored

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        image = lambda: torch.rand(self.size, 3, 12, 16, generator=generator)  # noqa: E731
        mask = torch.randint(0, CLASSES, (self.size, 12, 16), generator=generator)
        if self.ignored:
            mask[:, :4] = 255
        return {"labelled": {"image": image(), "mask": mask}, "unlabelled": {"image": image()}}


def trained(method, steps=6, **options):
    torch.manual_seed(7)
    optimizer = torch.optim.Adam(method.parameters(), lr=0.01, betas=(0.5, 0.999))
    train(method, Batches(), steps=steps, optimizer=optimizer, schedule=constant(), **options)
    return method


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values()))


def reached(method):
    return {
        name
        for name in NETWORKS
        if any(p.grad is not None and p.grad.any() for p in getattr(method, name).parameters())
    }


@pytest.mark.parametrize("term", REACHES)
def test_each_term_teaches_its_networks_and_no_other(term):
    method = make(mask_adversary="soft")
    method.training_step(Batches()[0])[term].backward()
    assert reached(method) == REACHES[term]


def test_the_total_is_the_weighted_sum_and_discriminators_learn_from_their_part_alone():
    weights = Weights(0.3, 0.7, 2.0, 0.1)
    method = make(dropout=0.0, mask_adversary="soft", weights=weights)
    losses = method.training_step(Batches()[0])
    generators = losses["segmentation"] + losses["image"] + 2.0 * losses["cycle_image"] + 0.1 * losses["cycle_mask"]
    generators = generators + 0.3 * losses["adversarial_image"] + 0.7 * losses["adversarial_mask"]
    torch.testing.assert_close(losses["generators"], generators)
    total = generators + losses["discriminator_image"] + losses["discriminator_mask"]
    torch.testing.assert_close(losses["loss"], total)

    losses["loss"].backward()
    whole = [p.grad.clone() for p in method.parameters()]
    method.zero_grad()
    parts = make(dropout=0.0, mask_adversary="soft", weights=weights)
    again = parts.training_step(Batches()[0])
    again["generators"].backward(retain_graph=True)
    assert reached(parts) == {"segmenter", "painter"}
    (again["discriminator_image"] + again["discriminator_mask"]).backward()
    for mine, other in zip(whole, (p.grad for p in parts.parameters())):
        torch.testing.assert_close(mine, other)


def test_simultaneous_equals_the_authors_order():
    """Generators first, with discriminators frozen; then discriminators, on fakes made before the generators moved."""
    together, apart = (make(dropout=0.0).double() for _ in range(2))
    batch = {
        name: {k: v.double() if k == "image" else v for k, v in part.items()} for name, part in Batches()[0].items()
    }
    adam = lambda parameters: torch.optim.Adam(list(parameters), lr=0.01, betas=(0.5, 0.999))  # noqa: E731
    optimizer = adam(together.parameters())
    together.training_step(batch)["loss"].backward()
    optimizer.step()

    on_generators = adam([*apart.segmenter.parameters(), *apart.painter.parameters()])
    on_discriminators = adam([*apart.image_discriminator.parameters(), *apart.mask_discriminator.parameters()])
    mask, other = batch["labelled"]["mask"], 2 * batch["unlabelled"]["image"] - 1
    painted = apart.painter(apart.one_hot(mask).double())
    guess = apart.segmenter(batch["unlabelled"]["image"]).softmax(1)
    apart.training_step(batch)["generators"].backward()
    on_generators.step()
    on_discriminators.zero_grad()
    square = lambda scores, goal: (scores - goal).square().mean()  # noqa: E731
    image, ids = apart.image_discriminator, apart.mask_discriminator
    fake_ids = guess.argmax(1, keepdim=True).double()
    loss = 0.5 * (square(image(other), 1) + square(image(painted.detach()), 0))
    loss = loss + 0.5 * (square(ids(mask[:, None].double()), 1) + square(ids(fake_ids), 0))
    loss.backward()
    on_discriminators.step()
    for name in NETWORKS:
        for mine, theirs in zip(getattr(together, name).parameters(), getattr(apart, name).parameters()):
            torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mask_input", ["scalar", "one-hot"])
def test_the_released_mask_adversary_leaves_the_generators_alone(mask_input):
    """G3: weight 0 and 0.5 (and 50) give bit-identical generators; its discriminator learns all the same."""
    method = make(mask_input=mask_input)
    assert not method.training_step(Batches()[0])["adversarial_mask"].requires_grad
    start = make(mask_input=mask_input)
    without = trained(make(mask_input=mask_input, weights=WITHOUT_MASK_ADVERSARY))
    for weight in (0.5, 50.0):
        released = trained(make(mask_input=mask_input, weights=Weights(adversarial_mask=weight)))
        assert all(same(getattr(released, name), getattr(without, name)) for name in NETWORKS)
    assert not same(without.mask_discriminator, start.mask_discriminator)
    assert not same(without.segmenter, start.segmenter)


@pytest.mark.parametrize("mask_input", ["scalar", "one-hot"])
@pytest.mark.parametrize("adversary", ["soft", "straight-through"])
def test_a_working_mask_adversary_changes_the_segmenter(adversary, mask_input):
    options = {"mask_adversary": adversary, "mask_input": mask_input}
    working = trained(make(**options), steps=2)
    assert not same(working.segmenter, trained(make(**options, weights=WITHOUT_MASK_ADVERSARY), steps=2).segmenter)


def test_without_mask_adversary_soft_and_released_segmenters_are_one():
    """Why the released form serves as the soft one's ablation: only what the mask discriminator sees differs."""
    soft = trained(make(mask_adversary="soft", weights=WITHOUT_MASK_ADVERSARY))
    assert same(soft.segmenter, trained(make()).segmenter)


def test_what_the_mask_discriminator_is_shown():
    probabilities = torch.tensor([0.5, 0.1, 0.1, 0.3]).view(1, 4, 1, 1).requires_grad_()
    view = lambda **options: make(**options).shown(probabilities)  # noqa: E731
    assert view().item() == 0
    assert view(mask_adversary="soft").item() == pytest.approx(0.1 + 0.2 + 0.9)
    assert view(mask_adversary="straight-through").item() == pytest.approx(0)
    one_hot = {"mask_input": "one-hot"}
    assert view(**one_hot).flatten().tolist() == [1, 0, 0, 0]
    assert torch.equal(view(mask_adversary="soft", **one_hot), probabilities)
    through = view(mask_adversary="straight-through", **one_hot)
    torch.testing.assert_close(through.flatten(), torch.tensor([1.0, 0, 0, 0]))
    assert torch.equal(
        torch.autograd.grad(through[0, 2, 0, 0], probabilities)[0].flatten().nonzero(), torch.tensor([[2]])
    )


@pytest.mark.parametrize("adversary", ["argmax", "soft"])
def test_ignored_pixels_teach_nothing(adversary):
    """Images under ignored pixels change neither the supervised terms nor any gradient that comes from masks."""
    batch = Batches(ignored=True)[0]
    changed = deepcopy(batch)
    changed["labelled"]["image"][:, :, :4] = 0.5
    method = make(dropout=0.0, mask_adversary=adversary)
    first, second = (make(dropout=0.0).training_step(b) for b in (batch, changed))
    assert first["image"].item() == second["image"].item()
    total = deepcopy(batch)
    total["labelled"]["mask"].fill_(255)
    losses = method.training_step(total)
    assert losses["segmentation"].item() == losses["image"].item() == losses["cycle_mask"].item() == 0
    losses["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


def test_ignored_pixels_can_be_trained_as_a_class():
    batch = Batches(ignored=True)[0]
    filled = deepcopy(batch)
    filled["labelled"]["mask"][:, :4] = 0
    first = make(dropout=0.0, ignored_as=0).training_step(batch)
    second = make(dropout=0.0).training_step(filled)
    assert all(torch.equal(first[name], second[name]) for name in first)
    segmenter = SegmentationGenerator(CLASSES, 4, 1, 0.0)
    alone = SupervisedSegmenter(segmenter, ignored_as=0).training_step(batch)["loss"]
    assert torch.equal(alone, SupervisedSegmenter(segmenter).training_step(filled)["loss"])
    assert not torch.equal(alone, SupervisedSegmenter(segmenter).training_step(batch)["loss"])


def test_frozen_passes_gradient_to_the_input_alone():
    network, x = PixelDiscriminator(3, 4), torch.rand(1, 3, 4, 4, requires_grad=True)
    assert torch.equal(frozen(network, x), network(x))
    frozen(network, x).sum().backward()
    assert x.grad is not None and all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("adversary", ["argmax", "soft"])
def test_resumed_equals_uninterrupted(tmp_path, adversary):
    """Nine steps with pools of three: what the pools hold and draw must survive the stop."""
    whole = trained(make(mask_adversary=adversary), steps=9)
    file = {"checkpoint": tmp_path / "checkpoint.pt", "checkpoint_every": 5}

    def stop(done, _):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(make(mask_adversary=adversary), steps=9, on_step=stop, **file | {"checkpoint_every": 4})
    resumed = trained(make(seed=3, mask_adversary=adversary), steps=9, **file)
    assert int(whole.image_pool.filled) == 3 and same(whole, resumed)


def test_any_network_can_be_the_segmenter_and_one_image_is_enough():
    method = make(segmenter=LessonNet(CLASSES, width=4))
    method.training_step(Batches(size=1)[0])["loss"].backward()
    assert reached(method) == set(NETWORKS)
    images = Batches()[0]["unlabelled"]["image"]
    method.eval()
    assert torch.equal(method.predict(images), method.segmenter(images))


def test_bf16_autocast_gives_finite_float32_losses():
    method = make(mask_adversary="soft")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = method.training_step(Batches()[0])
    losses["loss"].backward()
    assert losses["loss"].dtype == torch.float32 and all(value.isfinite() for value in losses.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_adversary": "hard"}, "mask_adversary is 'hard'; expected one of argmax, soft, straight-through"),
        ({"mask_input": "ids"}, "mask_input is 'ids'; expected one of scalar, one-hot"),
        ({"ignored_as": 255}, "ignored_as is 255; expected a class of 0..3, or None"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


SMALL = {
    "paper": "cyclegan", "run": "test", "budget": "smoke", "data": ["streets"], "arms": ["cyclegan-1/2"], "seeds": [0],
    "steps": 3, "batch_size": 1, "learning_rate": 0.001, "height": 16, "width": 16, "images": 24, "test_images": 4,
    "generator_width": 4, "blocks": 1, "discriminator_width": 4,
}  # fmt: skip


def test_arms_of_a_seed_start_from_the_same_networks():
    settings = experiment.Settings(**SMALL)
    built = {arm: experiment.build(arm, CLASSES, settings, 5) for arm in experiment.ARMS}
    reference = built["cyclegan-3/10"]
    assert all(same(method.segmenter, reference.segmenter) for method in built.values())
    assert not same(experiment.build("supervised-1", CLASSES, settings, 6).segmenter, reference.segmenter)
    assert vars(built["no-cycle-mask-3/10"].weights) == vars(Weights()) | {"cycle_mask": 0.0}
    assert built["soft-no-adversarial-image-3/10"].weights.adversarial_image == 0
    assert built["soft-one-hot-3/10"].mask_discriminator.layers[0].in_channels == CLASSES


def test_optimiser_and_schedule_are_the_authors():
    settings = experiment.Settings(**SMALL)
    gan, alone = (experiment.build(arm, CLASSES, settings, 0) for arm in ("cyclegan-1/10", "supervised-1/10"))
    assert experiment.optimizer(gan, settings).defaults["betas"] == (0.5, 0.999)
    assert experiment.optimizer(alone, settings).defaults["betas"] == (0.9, 0.999)
    assert experiment.optimizer(gan, settings).defaults["weight_decay"] == 0
    schedule = experiment.constant_then_linear(0.25)
    assert [schedule(step, 400) for step in (0, 99, 100, 250, 400)] == [1, 1, 1, 0.5, 0]


def test_a_cell_leaves_its_networks_but_not_its_pools(tmp_path):
    settings = experiment.Settings(**SMALL)
    outcome = experiment.run("cyclegan-1/2", "streets", 0, settings, Context("cpu", tmp_path, tmp_path))
    assert {name.split(".")[0] for name in outcome.weights} == set(NETWORKS)
    assert set(outcome.series) >= {*REACHES, "accuracy_image", "accuracy_mask", "val_miou"}
    assert all("miou_released" not in values for values in outcome.metrics.values())  # streets have no background


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pretraining": "sim"}, "pretraining is 'sim'; the generators are trained from scratch"),
        ({"scales": [0.5, 2.0]}, "scales and brightness act only with augment: true"),
        ({"weight_decay": -1.0}, "greater than or equal to 0"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        experiment.Settings(**SMALL | change)
