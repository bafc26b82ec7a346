"""Where weights come from: a file of tensors, or timm's collection of ImageNet networks."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read a file of tensors safely (`weights_only=True`), from a plain state dict or under the key "state_dict".

    Args:
        path: file written by `torch.save`.

    Returns:
        Names to tensors, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else than tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No weights at {path}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several kinds; all mean the same to the reader
        raise ValueError(f"{path} cannot be read as a file of tensors ({type(error).__name__}).") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} does not hold a state dict (names to tensors).")
    return dict(content)


def load_imagenet_weights(backbone: nn.Module, name: str) -> None:
    """Load ImageNet weights from timm's collection into a backbone with the same names, in place.

    Args:
        backbone: the target.
        name: timm's name of the weights, such as "resnet50s.gluon_in1k".

    Raises:
        RuntimeError: the weights could not be fetched, for instance without a network.
    """
    import timm

    try:
        state = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # the hub raises many kinds when offline
        raise RuntimeError(
            f"The ImageNet weights {name!r} could not be fetched ({type(error).__name__}); connect once, or build the "
            "network with pretrained=False."
        ) from error
    wanted = backbone.state_dict()
    missing = [key for key in wanted if key not in state]
    if missing:
        raise RuntimeError(f"The ImageNet weights {name!r} lack {missing[0]!r} and {len(missing) - 1} more keys.")
    backbone.load_state_dict({key: state[key] for key in wanted})
