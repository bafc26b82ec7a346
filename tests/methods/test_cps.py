"""CPS: what the labels of one network do to the other, and the controls."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from labelkit.methods.cps import CPS, CutMixCPS, SelfPseudo
from labelkit.models.initialise import initialise_head
from labelkit.models.lesson import LessonNet

CLASSES = 5


def networks(same=False):
    torch.manual_seed(0)
    network_a = initialise_head(LessonNet(CLASSES, width=4), 0)
    network_b = deepcopy(network_a)
    return network_a, network_b if same else initialise_head(network_b, 1)


def batch(seed=0, second=False):
    generator = torch.Generator().manual_seed(seed)
    image = lambda: torch.rand(2, 3, 16, 24, generator=generator)  # noqa: E731
    mask = torch.randint(0, CLASSES, (2, 16, 24), generator=generator)
    mask[:, :3] = 255
    made = {"labelled": {"image": image(), "mask": mask}, "unlabelled": {"image": image()}}
    return made | ({"unlabelled_2": {"image": image()}} if second else {})


def train(method, steps=3, **options):
    optimizer = torch.optim.SGD(method.parameters(), lr=0.05, momentum=0.9)
    for step in range(steps):
        optimizer.zero_grad()
        method.training_step(batch(step, **options))["loss"].backward()
        optimizer.step()
    return method


class Scores(nn.Module):
    """A network whose logits are free parameters, one set for each batch it is shown in turn."""

    def __init__(self, *logits):
        super().__init__()
        self.logits, self.shown = nn.ParameterList(nn.Parameter(x) for x in logits), 0

    def forward(self, images):
        self.shown += 1
        return self.logits[(self.shown - 1) % len(self.logits)]


def test_no_gradient_flows_through_a_label():
    """Network a's gradient depends on b through b's argmax alone: scaling b's scores changes nothing in it."""
    generator = torch.Generator().manual_seed(0)
    a = [torch.randn(2, CLASSES, 4, 4, generator=generator) for _ in range(2)]
    b = [torch.randn(2, CLASSES, 4, 4, generator=generator) for _ in range(2)]
    made = batch()
    made["labelled"]["mask"] = torch.full((2, 4, 4), 255)  # leaves the pseudo labels as the only teacher
    gradients = []
    for factor in (1.0, 7.0):
        first, second = Scores(*(x.clone() for x in a)), Scores(*(x * factor for x in b))
        CPS(first, second).training_step(made)["loss"].backward()
        gradients.append(torch.stack([p.grad for p in first.logits]))
    assert gradients[0].abs().sum() > 0
    assert torch.equal(*gradients)


@pytest.mark.parametrize("acts_on", ["both", "labelled", "unlabelled"])
def test_acts_on_decides_which_images_the_pseudo_labels_reach(acts_on):
    generator = torch.Generator().manual_seed(0)
    a, b = (Scores(*(torch.randn(2, CLASSES, 4, 4, generator=generator) for _ in range(2))) for _ in range(2))
    made = batch()
    made["labelled"]["mask"] = torch.full((2, 4, 4), 255)
    CPS(a, b, acts_on=acts_on).training_step(made)["loss"].backward()
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in a.logits]
    assert reached == [acts_on != "unlabelled", acts_on != "labelled"]


def test_total_is_supervised_plus_weighted_cps():
    losses = CPS(*networks(), weight=2.5).training_step(batch())
    assert losses["loss"].item() == pytest.approx(losses["supervised"].item() + 2.5 * losses["cps"].item(), rel=1e-6)


def test_identical_twins_equal_own_labels():
    """With one head for both, CPS is self-training: each network follows SelfPseudo bit for bit."""
    network_a, network_b = networks(same=True)
    alone = train(SelfPseudo(deepcopy(network_a), weight=1.5))
    twins = train(CPS(network_a, network_b, weight=1.5))
    for (name, mine), (_, other), (_, single) in zip(
        twins.network_a.state_dict().items(), twins.network_b.state_dict().items(), alone.network_a.state_dict().items()
    ):
        assert torch.equal(mine, other), name
        torch.testing.assert_close(mine, single, rtol=1e-4, atol=1e-5)


def test_different_heads_stay_different():
    method = train(CPS(*networks()))
    images = batch()["unlabelled"]["image"]
    assert not torch.equal(method.network_a(images), method.network_b(images))


def test_inference_uses_network_a_alone():
    method = CPS(*networks()).eval()
    images = batch()["unlabelled"]["image"]
    expected = method.network_a(images)
    for parameter in method.network_b.parameters():
        nn.init.constant_(parameter, float("nan"))
    assert torch.equal(method.predict(images), expected)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_cutmix_teachers_leave_mode_and_gradients_alone(mode):
    method = CutMixCPS(*networks(), teacher_mode=mode).train()
    calls = []
    method.network_a.register_forward_hook(lambda module, *_: calls.append((module.training, torch.is_grad_enabled())))
    losses = method.training_step(batch(second=True))
    losses["loss"].backward()
    assert calls == [(mode == "train", False)] * 2 + [(True, True)] * 2
    assert method.network_a.training and all(p.grad is not None for p in method.parameters())


def test_cutmix_leaves_labelled_images_out_of_the_pseudo_labels():
    torch.manual_seed(0)
    first = CutMixCPS(*networks()).training_step(batch(second=True))
    changed = batch(second=True)
    changed["labelled"]["image"] = 1 - changed["labelled"]["image"]
    torch.manual_seed(0)
    second = CutMixCPS(*networks()).training_step(changed)
    assert first["cps"].item() == second["cps"].item() and first["supervised"].item() != second["supervised"].item()


def test_supervised_baseline_needs_no_unlabelled_images():
    losses = SelfPseudo(networks()[0], weight=0).training_step({"labelled": batch()["labelled"]})
    assert set(losses) == {"loss", "supervised"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a, b: CPS(a, b, acts_on="all"), "acts_on is 'all'"),
        (lambda a, b: CPS(a, b, target="firm"), "target is 'firm'"),
        (lambda a, b: CutMixCPS(a, b, teacher_mode="test"), "teacher_mode is 'test'"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError, match=message):
        make(*networks())
