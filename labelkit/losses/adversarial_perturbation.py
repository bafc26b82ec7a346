"""Virtual adversarial training (Miyato et al., 2018) in the form of S4L: KL from clean to perturbed predictions.

Two conventions differ from the usual ones and are S4L's: the divergence is KL[perturbed || clean], and the authors'
normalisation divides by max(norm, 1e-6), which leaves directions far shorter than 1 (``floor``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

Classify = Callable[[Tensor], Tensor]
OFFICIAL = {"xi": 1e-6, "floor": 1e-6}
"""Step and floor of the authors' code; see :func:`perturbation_direction`."""


def kl_divergence(logits: Tensor, reference: Tensor) -> Tensor:
    """KL[softmax(logits) || softmax(reference)] of each row: (B, C) twice -> (B,), in nats."""
    if logits.dtype != torch.float64:
        logits, reference = logits.float(), reference.float()
    logarithm = F.log_softmax(logits, dim=1)
    return (logarithm.exp() * (logarithm - F.log_softmax(reference, dim=1))).sum(1)


def normalise(vectors: Tensor, floor: float = 0.0) -> Tensor:
    """Divide each sample (B, ...) by max(its L2 norm, ``floor``); a zero vector stays zero."""
    norm = vectors.flatten(1).norm(dim=1).clamp(min=max(floor, torch.finfo(vectors.dtype).tiny))
    return vectors / norm.view(-1, *[1] * (vectors.dim() - 1))


def perturbation_direction(
    classify: Classify,
    images: Tensor,
    noise: Tensor | None = None,
    *,
    xi: float = 1e-2,
    iterations: int = 1,
    floor: float = 0.0,
) -> Tensor:
    """Direction in which the predictions change most, by power iteration on the Hessian of the divergence.

    One iteration: step by ``xi`` along the normalised direction, take the gradient of the batch-mean divergence there,
    normalise it. Runs in full precision whatever the autocast, and without TF32: the step is small beside the image.
    The clean predictions are computed anew, in that precision and with the batch statistics of these images alone.
    Where a reference from another pass differs, the gradient tells the difference and not the curvature.

    Args:
        classify: images (B, 3, H, W) to logits (B, C).
        images: as the network takes them, (B, 3, H, W).
        noise: where the iteration starts, of the images' shape; drawn from the global generator if None.
        xi: length of the step. In float32 about 1e-2; the authors' 1e-6 gives mostly rounding noise there.
        iterations: of the power method.
        floor: of a norm in a division. 0 gives directions of length 1; the authors' 1e-6 does not, because with their
            xi and a batch mean the gradients are far shorter than that.

    Returns:
        (B, 3, H, W), without gradient.
    """
    direction = torch.randn_like(images) if noise is None else noise
    images = images.detach()
    with _full_precision(images.device.type):
        with torch.no_grad():
            clean = classify(images)
        for _ in range(iterations):
            with torch.enable_grad():
                step = (xi * normalise(direction, floor)).detach().requires_grad_()
                divergence = kl_divergence(classify(images + step), clean).mean()
            (direction,) = torch.autograd.grad(divergence, step)
    return normalise(direction, floor).detach()


def virtual_adversarial_loss(
    classify: Classify,
    images: Tensor,
    clean: Tensor,
    *,
    radius: float,
    noise: Tensor | None = None,
    xi: float = 1e-2,
    iterations: int = 1,
    floor: float = 0.0,
) -> Tensor:
    """Mean KL[f(x + r) || f(x)] with r the direction above at length ``radius``; no gradient through f(x) or r.

    Args:
        classify, images, noise, xi, iterations, floor: see :func:`perturbation_direction`.
        clean: logits of the images, (B, C); constants here.
        radius: length of the perturbation (epsilon), in the units of ``images``.

    Returns:
        Scalar.
    """
    direction = perturbation_direction(classify, images, noise, xi=xi, iterations=iterations, floor=floor)
    return kl_divergence(classify(images + radius * direction), clean.detach()).mean()


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    tf32 = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=torch.backends.cudnn.benchmark,
        deterministic=torch.backends.cudnn.deterministic,
        allow_tf32=False,
    )
    with torch.autocast(device, enabled=False), tf32:
        yield
