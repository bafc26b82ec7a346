"""Mean-field inference in a fully connected CRF with a Gaussian and a bilateral kernel and Potts compatibility."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labelkit.crf.kernels import ExactKernel, GaussianKernel, bilateral_features, place_features
from labelkit.crf.permutohedral import PermutohedralKernel

EXACT_UP_TO = 10_000  # pixels

Filter = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Gaussian:
    """Pixels that are near want the same label.

    Attributes:
        sxy: standard deviation in pixels.
        compat: weight of a different label.
    """

    sxy: float = 3.0
    compat: float = 3.0


@dataclass(frozen=True)
class Bilateral:
    """Pixels that are near and look alike want the same label.

    Attributes:
        sxy: standard deviation of the place, in pixels.
        srgb: standard deviation of the colour, in levels of 0..255.
        compat: weight of a different label.
    """

    sxy: float = 80.0
    srgb: float = 13.0
    compat: float = 10.0


@torch.no_grad()
def mean_field(
    unary: Tensor,
    images: Tensor,
    gaussian: Gaussian | None = Gaussian(),
    bilateral: Bilateral | None = Bilateral(),
    iterations: int = 10,
    exact: bool | None = None,
) -> Tensor:
    """Label probabilities that agree with the unary energies and with the picture; the result carries no gradient.

    It starts from softmax(-unary). An iteration adds to -unary of each label, for each kernel, ``compat`` times what
    the pixel's neighbours give to that label, and takes the softmax: the parallel update of the paper, with a pixel
    among its own neighbours as in the authors' code.

    Args:
        unary: energies (B, C, H, W), any real numbers; see `labelkit.crf.unaries`.
        images: (B, 3, H, W) in 0..1.
        gaussian, bilateral: the kernels; None leaves one out.
        iterations: 0 gives softmax(-unary).
        exact: exact kernels, in time that grows with the square of the pixels; or both filtered on the permutohedral
            lattice, which gives what the library of the authors gives. None: exact up to 10,000 pixels.

    Returns:
        Probabilities (B, C, H, W), of the unary's type (float32 if that is of half precision).

    Raises:
        ValueError: the shapes do not fit, or an energy or a standard deviation is out of range.
    """
    if unary.dim() != 4 or images.shape != (len(unary), 3, *unary.shape[2:]):
        raise ValueError(
            f"unary has shape {tuple(unary.shape)} and images {tuple(images.shape)}; "
            "expected (B, C, H, W) and (B, 3, H, W)."
        )
    unary = unary.to(torch.promote_types(unary.dtype, torch.float32))
    if not bool(unary.isfinite().all()):
        raise ValueError("unary holds values that are not finite; give probabilities a floor before the logarithm.")
    for kernel in (gaussian, bilateral):
        for name in ("sxy", "srgb"):
            if kernel is not None and not getattr(kernel, name, 1.0) > 0:
                raise ValueError(f"{name} of {kernel} is not above 0; expected a standard deviation.")
    size = (unary.shape[2], unary.shape[3])
    if exact is None:
        exact = size[0] * size[1] <= EXACT_UP_TO
    found = []
    with torch.autocast(unary.device.type, enabled=False):
        near = [] if gaussian is None else [(gaussian.compat, _gaussian_kernel(size, gaussian.sxy, unary, exact))]
        for energy, image in zip(unary, images):
            filters = list(near)
            if bilateral is not None:
                features = bilateral_features(image, bilateral.sxy, bilateral.srgb)
                kernel = ExactKernel if exact else PermutohedralKernel
                filters.append((bilateral.compat, kernel(features, unary)))
            found.append(update(energy.flatten(1).T, filters, iterations).T.reshape(energy.shape))
    return torch.stack(found) if found else unary.softmax(1)


def _gaussian_kernel(size: tuple[int, int], sxy: float, like: Tensor, exact: bool) -> Filter:
    if exact:
        return GaussianKernel(size, sxy, like)
    return PermutohedralKernel(place_features(size, sxy, like.device), like)


def update(energy: Tensor, filters: Sequence[tuple[float, Filter]], iterations: int) -> Tensor:
    """The iterations on their own, for any kernels.

    Args:
        energy: unary energies (N, C).
        filters: pairs of weight and kernel; a kernel maps (N, C) to (N, C).
        iterations: how many.

    Returns:
        Probabilities (N, C).
    """
    start = (-energy).contiguous()
    belief = start.softmax(1)
    for _ in range(iterations):
        score = start
        for weight, kernel in filters:
            score = torch.add(score, kernel(belief), alpha=weight)
        belief = score.softmax(1)
    return belief
