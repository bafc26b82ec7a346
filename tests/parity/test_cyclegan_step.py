"""One step of CycleGAN against arrays that the authors' code produced (see cyclegan/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.methods.cyclegan import CycleGAN
from labelkit.models.cyclegan import ImageGenerator, PixelDiscriminator, SegmentationGenerator

TOLERANCE = {"rtol": 0, "atol": 1e-9}

TERMS = {  # ours: theirs
    "segmentation": "lab_loss_CE",
    "image": "lab_loss_MSE",
    "adversarial_image": "img_gen_loss",
    "cycle_image": "img_cycle_loss",
    "cycle_mask": "gt_cycle_loss",
    "generators": "gen_loss",
}


@pytest.fixture(scope="module")
def arrays():
    with np.load(Path(__file__).parent / "cyclegan" / "step_losses.npz") as file:
        return {name: torch.from_numpy(file[name].copy()) for name in file.files}


def fill(network, scale):
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            k = torch.arange(parameter.numel(), dtype=torch.float64)
            parameter.copy_((scale * torch.sin(0.7 * k + 1.3 * i)).view_as(parameter))
    return network


@pytest.fixture
def method(arrays):
    classes, width = int(arrays["n_classes"]), int(arrays["ngf"])
    generators, discriminators = float(arrays["gen_fill_scale"]), float(arrays["dis_fill_scale"])
    return CycleGAN(
        fill(SegmentationGenerator(classes, width, dropout=0.0).double(), generators),
        fill(ImageGenerator(classes, width, dropout=0.0).double(), generators),
        fill(PixelDiscriminator(3, int(arrays["ndf"])).double(), discriminators),
        fill(PixelDiscriminator(1, int(arrays["ndf"])).double(), discriminators),
        classes,
    )


@pytest.fixture
def batch(arrays):
    half = lambda image: (image + 1) / 2  # noqa: E731  the arrays hold images in -1..1, samples are in 0..1
    return {
        "labelled": {"image": half(arrays["l_img"]), "mask": arrays["l_gt"][:, 0]},
        "unlabelled": {"image": half(arrays["unl_img"])},
    }


def close(ours, theirs, name):
    torch.testing.assert_close(ours, theirs, **TOLERANCE, msg=lambda text: f"{name}: {text}")


def test_generated_images_and_maps(arrays, method, batch):
    painted = method.painter(method.one_hot(batch["labelled"]["mask"]).double())
    guess = method.segmenter(batch["unlabelled"]["image"]).softmax(1)
    close(painted, arrays["fake_img"], "fake_img")
    close(guess, arrays["fake_gt"], "fake_gt")
    close(method.segmenter(batch["labelled"]["image"]).softmax(1), arrays["lab_gt"], "lab_gt")
    close(method.painter(guess), arrays["recon_img"], "recon_img")
    close(method.image_discriminator(painted), arrays["fake_img_dis"], "fake_img_dis")
    close(method.mask_discriminator(method.shown(guess)), arrays["fake_gt_dis"], "fake_gt_dis")


def test_every_term(arrays, method, batch):
    losses = method.training_step(batch)
    for ours, theirs in TERMS.items():
        close(losses[ours], arrays[theirs], ours)
    close(losses["adversarial_mask"], arrays["gt_gen_loss"], "adversarial_mask")
    close(losses["discriminator_image"], arrays["img_dis_loss"], "discriminator_image")
    close(losses["discriminator_mask"], arrays["gt_dis_loss"], "discriminator_mask")
    close(losses["loss"], arrays["gen_loss"] + arrays["img_dis_loss"] + arrays["gt_dis_loss"], "loss")


@pytest.mark.parametrize("term", TERMS)
def test_gradient_of_each_term_on_each_generator(arrays, method, batch, term):
    """Their Gsi maps images to masks (our segmenter), their Gis masks to images (our painter)."""
    method.training_step(batch)[term].backward()
    for network, theirs in ((method.segmenter, "Gsi"), (method.painter, "Gis")):
        squares = [p.grad.square().sum() for p in network.parameters() if p.grad is not None]
        norm = torch.stack(squares).sum().sqrt() if squares else torch.zeros((), dtype=torch.float64)
        close(norm, arrays[f"gradnorm_{theirs}_{TERMS[term]}"], f"{theirs} {term}")


def test_the_mask_adversary_has_no_gradient_there_and_here(arrays, method, batch):
    assert not bool(arrays["gt_gen_loss_requires_grad"])
    assert not method.training_step(batch)["adversarial_mask"].requires_grad
