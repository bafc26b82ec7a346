"""The lines that every network here repeats: convolution with normalisation and ReLU, upsampling, input scaling."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def conv_bn_relu(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    dilation: int = 1,
    bias: bool = False,
) -> nn.Sequential:
    """Convolution, batch normalisation (eps 1e-5, momentum 0.1) and ReLU, with "same" padding.

    Args:
        in_channels, out_channels: widths.
        kernel_size: odd kernel size.
        stride: 1 keeps (H, W); 2 gives (ceil(H / 2), ceil(W / 2)).
        dilation: spacing of the kernel's taps in pixels.
        bias: whether the convolution has a bias (redundant before a normalisation, kept where a paper's code has it).

    Returns:
        Module (B, in_channels, H, W) -> (B, out_channels, H / stride, W / stride); children 0, 1, 2.
    """
    padding = dilation * (kernel_size // 2)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation, bias=bias),
        nn.BatchNorm2d(out_channels, eps=1e-5),
        nn.ReLU(inplace=True),
    )


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize to `size` = (height, width) with aligned corners, the convention of both papers' code.

    Args:
        x: maps (B, C, h, w).
        size: target (H, W).

    Returns:
        (B, C, H, W).
    """
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def imagenet_normalise(images: Tensor) -> Tensor:
    """Scale images as ImageNet-trained backbones expect them.

    Args:
        images: (B, 3, H, W) in 0..1, red, green, blue.

    Returns:
        (B, 3, H, W): per channel, the ImageNet mean subtracted and the result divided by the standard deviation.
    """
    mean = images.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = images.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (images - mean) / std


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Within the block batch normalisation uses the batch at hand in training mode but records nothing of it.

    Perturbed or painted images must not enter the running statistics. The mode of the network is left as it is.

    Args:
        network: any; without batch normalisation nothing changes.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
