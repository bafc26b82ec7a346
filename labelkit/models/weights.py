"""Where weights come from: a file of tensors, or the ImageNet networks of timm and torchvision.

A file is read as tensors alone (`weights_only=True`), so that no code in it can run.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from labelkit.models.convert import DEEP_STEM, unwrapped


def read_checkpoint(path: str | Path) -> Mapping[str, Any]:
    """Read what `torch.save` wrote: tensors, numbers and text in dicts and lists, and nothing else.

    NumPy's numbers are taken as well: training scripts leave a best score beside the weights.

    Args:
        path: the file.

    Returns:
        The dict that the file holds, tensors on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, cut, of another kind, or holds objects that could run code.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"{path} {what}; expected a file of weights")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; expected a file of weights")
    try:
        with torch.serialization.safe_globals(_numbers()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several kinds; all mean the same to the reader
        if (named := _refused(str(error))) is not None:
            raise ValueError(
                f"{path} holds {named} beside tensors; such an object can run code when it is read, so the file is "
                "refused: save the state dict alone where the file was made"
            ) from error
        raise ValueError(f"{path} cannot be read as a file of tensors ({type(error).__name__})") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}; expected a state dict (names to tensors)")
    return content


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read a file of tensors by name; wrappers come off as `labelkit.models.convert.unwrapped` takes them off.

    Args:
        path: file written by `torch.save`.

    Returns:
        Names to tensors, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds something else than tensors.
    """
    return unwrapped(read_checkpoint(path), str(path))


def _numbers() -> list[Any]:
    """What the pickle of one of NumPy's numbers names; none of it runs code."""
    import numpy as np

    scalar = np._core.multiarray.scalar
    kinds = [type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "?")]
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), np.dtype, *kinds]


def _refused(message: str) -> str | None:
    """The object that torch refused to make, from its error message."""
    for before in ("Unsupported global: GLOBAL ", "Unsupported class "):
        if before in message:
            return message.split(before, 1)[1].split()[0].rstrip(".,")
    return None


def load_imagenet_weights(backbone: nn.Module, name: str) -> None:
    """Load ImageNet weights into a backbone with timm's names, in place.

    A file that lies in torch's folder of downloads under the name that timm's download has is taken as it is: weights
    can be carried to a machine without a network. It may have the names that semseg and openseg give to a deep stem.

    Args:
        backbone: the target.
        name: timm's name of the weights, such as "resnet50s.gluon_in1k".

    Raises:
        RuntimeError: the weights could not be fetched, for instance without a network, or they lack a tensor.
        ValueError: the file that was placed holds something else.
    """
    import timm

    file = timm.get_pretrained_cfg(name).url.rpartition("/")[2] or f"{name}.pth"
    placed = downloads() / file
    if placed.is_file():
        state = _with_our_stem(read_state_dict(placed))
    else:
        state = fetched(lambda: timm.create_model(name, pretrained=True).state_dict(), repr(name), file)
    wanted = backbone.state_dict()
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise RuntimeError(f"The ImageNet weights {name!r} lack {missing[0]!r} and {len(missing) - 1} more keys.")
    for key, value in wanted.items():
        if key in state and state[key].shape != value.shape:
            raise RuntimeError(
                f"The ImageNet weights {name!r} have {key!r} of shape {tuple(state[key].shape)}; expected "
                f"{tuple(value.shape)}."
            )
    backbone.load_state_dict({key: state.get(key, value) for key, value in wanted.items()})


def torchvision_weights(network: str, weights: Any) -> dict[str, Tensor]:
    """ImageNet weights of one of torchvision's networks, from its folder of downloads or the net.

    Args:
        network: its name, for the error sentence.
        weights: member of torchvision's enumeration for that network.

    Raises:
        RuntimeError: the weights could not be fetched.
    """
    file = weights.url.rpartition("/")[2]
    return fetched(
        lambda: weights.get_state_dict(progress=False, check_hash=True, weights_only=True),
        f"of torchvision's {network}",
        file,
    )


def fetched(fetch: Callable[[], Any], what: str, file: str) -> Any:
    """What a download gives, or one sentence on how to do without it.

    Args:
        fetch: downloads, or takes what was downloaded before.
        what: name of the weights.
        file: name under which they may be placed by hand.

    Raises:
        RuntimeError: they could not be fetched; names the place for the file and the variable that moves it.
    """
    try:
        return fetch()
    except Exception as error:  # a download raises many kinds when offline
        raise RuntimeError(
            f"The ImageNet weights {what} could not be fetched ({type(error).__name__}); connect once, or place the "
            f"file at {downloads() / file} (TORCH_HOME moves that folder), or build the network with pretrained=False."
        ) from error


def downloads() -> Path:
    """Torch's folder of downloads: `hub/checkpoints` below TORCH_HOME, which is `~/.cache/torch` unless set."""
    return Path(os.path.expanduser(torch.hub.get_dir())) / "checkpoints"


def _with_our_stem(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, a deep stem's under timm's names; only such a stem has a third convolution of its own."""
    if "conv3.weight" not in state:
        return dict(state)
    parts = {name: name.partition(".") for name in state}
    return {f"{DEEP_STEM.get(top, top)}{dot}{rest}": state[name] for name, (top, dot, rest) in parts.items()}
