"""Reads weights of the authors' OCR heads: names of openseg.pytorch and of the HRNet repository become ours."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

# Outermost wrappers that training scripts leave on every name.
_WRAPPERS = ("module.", "model.")

# Layers of the block, official -> ours. In the official code each convolution (index 0, 2) is followed by a Sequential
# of normalisation and ReLU (index 1, 3), so its normalisation is called 1.0 or 3.0; ours are the children 0 and 1 of
# `conv_bn_relu`.
_BLOCK = {
    "object_context_block.f_pixel.0": "attention.query.0.0",
    "object_context_block.f_pixel.1.0": "attention.query.0.1",
    "object_context_block.f_pixel.2": "attention.query.1.0",
    "object_context_block.f_pixel.3.0": "attention.query.1.1",
    "object_context_block.f_object.0": "attention.key.0.0",
    "object_context_block.f_object.1.0": "attention.key.0.1",
    "object_context_block.f_object.2": "attention.key.1.0",
    "object_context_block.f_object.3.0": "attention.key.1.1",
    "object_context_block.f_down.0": "attention.value.0",
    "object_context_block.f_down.1.0": "attention.value.1",
    "object_context_block.f_up.0": "attention.output.0",
    "object_context_block.f_up.1.0": "attention.output.1",
    "conv_bn_dropout.0": "fusion.0",
    "conv_bn_dropout.1.0": "fusion.1",
}


def _head_names(pixel: str, pixel_norm: str, block: str, classifier: str, coarse: str, norm: str, last: str) -> dict:
    return {
        f"{pixel}.0": "pixel.0",
        f"{pixel}.{pixel_norm}": "pixel.1",
        **{f"{block}.{theirs}": f"block.{ours}" for theirs, ours in _BLOCK.items()},
        classifier: "classifier",
        f"{coarse}.0": "coarse.0",
        f"{coarse}.{norm}": "coarse.1",
        f"{coarse}.{last}": "coarse.4",
    }


# The three published heads, each known by a name that only it has.
_LAYOUTS = {
    "openseg ResNet": _head_names("conv_3x3", "1.0", "spatial_ocr_head", "head", "dsn_head", "1.0", "3"),
    "openseg HRNet": _head_names("conv3x3", "1.0", "ocr_distri_head", "cls_head", "aux_head", "1.0", "2"),
    "HRNet repository": _head_names("conv3x3_ocr", "1", "ocr_distri_head", "cls_head", "aux_head", "1", "3"),
}
_MARKS = {"openseg ResNet": "conv_3x3.0.weight", "openseg HRNet": "conv3x3.0.weight"}
_MARKS["HRNet repository"] = "conv3x3_ocr.0.weight"


def _without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove `module.` and `model.` while every name starts with one of them."""
    state = dict(state)
    while state and any(all(name.startswith(wrapper) for name in state) for wrapper in _WRAPPERS):
        state = {name.split(".", 1)[1]: value for name, value in state.items()}
    return state


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _load(target: nn.Module, state: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
    """Rename by `names` (module paths) and load; every key is used once, every weight is set."""
    wanted = target.state_dict()
    renamed: dict[str, Tensor] = {}
    unknown = []
    for key, value in state.items():
        module, _, leaf = key.rpartition(".")
        ours = f"{names[module]}.{leaf}" if module in names else None
        if ours is None or ours not in wanted:
            unknown.append(key)
        else:
            renamed[ours] = value
    theirs = {ours: official for official, ours in names.items()}
    # Checkpoints older than PyTorch 0.4.1 have no batch counters; they do not enter the arithmetic.
    missing = [key for key in wanted if key not in renamed and not key.endswith("num_batches_tracked")]
    if unknown:
        raise ValueError(f"The state dict has {len(unknown)} unknown key(s): {_listed(unknown)}.")
    if missing:
        official = [f"{theirs[k.rpartition('.')[0]]}.{k.rpartition('.')[2]}" for k in missing]
        raise ValueError(f"The state dict lacks {len(missing)} key(s): {_listed(official)}.")
    for key, value in renamed.items():
        if value.shape != wanted[key].shape:
            official = f"{theirs[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}"
            raise ValueError(
                f"Key {official} has shape {tuple(value.shape)}; the network expects {tuple(wanted[key].shape)}."
            )
    target.load_state_dict({**wanted, **renamed})


def load_official_block(block: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load an official `SpatialOCR_Module` into an `OCRBlock`, in place.

    Args:
        block: the target.
        state: tensors under `object_context_block.*` and `conv_bn_dropout.*`.

    Raises:
        ValueError: a key is unknown or missing, or a shape differs; nothing is loaded then.
    """
    _load(block, _without_wrappers(state), _BLOCK)


def split_official(state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor], dict[str, Tensor]]:
    """Tell the layout of an official checkpoint and separate head and backbone.

    Args:
        state: a whole network's tensors under official names, with or without `module.` and `model.` in front.

    Returns:
        Layout name ("openseg ResNet", "openseg HRNet" or "HRNet repository"), the head's tensors and all others
        (`backbone.` in front removed).

    Raises:
        ValueError: none of the three layouts.
    """
    state = _without_wrappers(state)
    layout = next((name for name, mark in _MARKS.items() if mark in state), None)
    if layout is None:
        raise ValueError(
            f"The state dict has none of {', '.join(_MARKS.values())}; expected an OCR head of openseg or of the HRNet "
            "repository."
        )
    tops = {name.split(".")[0] for name in _LAYOUTS[layout]}
    head = {key: value for key, value in state.items() if key.split(".")[0] in tops}
    rest = {key.removeprefix("backbone."): value for key, value in state.items() if key not in head}
    return layout, head, rest


def load_official_head(head: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load the head of an official checkpoint into an `OCRHead`, in place; every key must be one of the head's.

    Args:
        head: the target; its widths, kernels and biases must be those of the checkpoint.
        state: the head's tensors (see `split_official` for a whole network's).

    Raises:
        ValueError: the layout is unknown, a key is unknown or missing, or a shape differs; nothing is loaded then.
    """
    layout, known, rest = split_official(state)
    _load(head, {**known, **rest}, _LAYOUTS[layout])


def official_backbone_names(layout: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Backbone tensors under our names (ResNet: the stem is renamed; HRNet: timm has the official names).

    Args:
        layout: from `split_official`.
        state: the backbone's tensors from `split_official`.

    Returns:
        The same tensors under the names of `labelkit.models.resnet.ResNet` or of timm's HRNet.
    """
    if layout != "openseg ResNet":
        return dict(state)
    # Stem: resinit.conv1, bn1, conv2, bn2, conv3 are children of our stem; its last normalisation is called bn1.
    stem = {
        "conv1": "conv1.0",
        "bn1": "conv1.1",
        "conv2": "conv1.3",
        "bn2": "conv1.4",
        "conv3": "conv1.6",
        "bn3": "bn1",
    }

    def rename(key: str) -> str:
        match = re.match(r"resinit\.(\w+)\.(.+)$", key)
        return f"{stem[match[1]]}.{match[2]}" if match and match[1] in stem else key

    return {rename(key): value for key, value in state.items()}
