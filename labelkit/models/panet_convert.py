"""Weights of PANet's released code (ShuLiu1993/PANet) under our names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

# Released name -> ours, by part of the network. The released lists of levels run from coarse to fine, ours from fine to
# coarse; {n} stands for a number that stays, {3-n} for one that is turned round.
LAYOUTS = {
    "pyramid": {
        r"conv_top\.(.*)": r"fpn.inner_blocks.3.\1",
        r"topdown_lateral_modules\.(\d)\.conv_lateral\.(.*)": r"fpn.inner_blocks.{2-}.\2",
        r"posthoc_modules\.(\d)\.(.*)": r"fpn.layer_blocks.{3-}.\2",
        r"panet_buttomup_conv1_modules\.(.*)": r"bottom_up.down.\1",
        r"panet_buttomup_conv2_modules\.(.*)": r"bottom_up.join.\1",
    },
    "box head": {r"fc1\.(\d\..*)": r"fc6.levels.\1", r"fc2\.(.*)": r"fc7.\1"},
    "box head of convolutions": {
        r"conv1_head\.(.*)": r"first.levels.\1",
        r"convs\.(\d+)\.(.*)": r"convs.{/3}.\2",
        r"fc\.(.*)": r"fc.\1",
    },
    "mask head": {
        r"mask_conv1\.(.*)": r"0.levels.\1",
        r"conv_fcn\.(\d+)\.(.*)": r"{1+/3}.\2",
        r"mask_conv4\.(.*)": r"3.\1",
        r"mask_conv4_fc\.(.*)": r"fusion.conv4.\1",
        r"mask_conv5_fc\.(.*)": r"fusion.conv5.\1",
        r"mask_fc\.0\.(.*)": r"fusion.fc.\1",
    },
    "mask predictor": {r"upconv\.(.*)": r"conv5_mask.\1", r"classify\.(.*)": r"mask_fcn_logits.\1"},
}


def released_names(part: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of one part of the released network under our names.

    Args:
        part: a key of `LAYOUTS`.
        state: released name, without the part's own prefix, to weight. What belongs to other parts is left out.

    Raises:
        ValueError: the part is unknown.
    """
    if part not in LAYOUTS:
        raise ValueError(f"PANet has no part {part!r}; expected one of {', '.join(LAYOUTS)}")
    return {
        ours: value
        for name, value in state.items()
        for pattern, form in LAYOUTS[part].items()
        if (ours := _renamed(name, pattern, form)) is not None
    }


def _renamed(name: str, pattern: str, form: str) -> str | None:
    found = re.fullmatch(pattern, name)
    if found is None:
        return None
    first = int(found[1]) if found[1].isdigit() else 0
    # A released sequence of convolution, normalisation and ReLU counts three places a layer.
    for mark, number in {
        "{2-}": str(2 - first),
        "{3-}": str(3 - first),
        "{/3}": f"{first // 3}.{first % 3}",
        "{1+/3}": f"{1 + first // 3}.{first % 3}",
    }.items():
        form = form.replace(mark, number)
    return found.expand(form)


def load_released(module: nn.Module, part: str, state: Mapping[str, Tensor]) -> None:
    """Load one part of the released network, in place.

    Args:
        module: `Pyramid`, `AdaptiveBoxHead`, `AdaptiveConvBoxHead`, `AggregatedMaskHead` or `FusedMaskPredictor`.
        part: see `released_names`.
        state: likewise.

    Raises:
        ValueError: weights are missing or left over; names the first.
    """
    weights, wanted = released_names(part, state), dict(module.state_dict())
    wanted = {name: value for name, value in wanted.items() if not name.startswith("body.")}
    for what, names in (("lack", wanted.keys() - weights.keys()), ("hold, and ours lacks,", weights.keys() - wanted)):
        if names:
            raise ValueError(f"released weights of the {part} {what} {sorted(names)[0]!r}")
    module.load_state_dict(weights, strict=False)
