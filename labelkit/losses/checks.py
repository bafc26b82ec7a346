"""The one shape check that all losses share."""

from torch import Tensor


def check_logits_and_target(logits: Tensor, target: Tensor) -> None:
    """Raise ValueError unless logits are (B, C, H, W) and target is (B, H, W)."""
    if logits.dim() != 4 or target.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and target {tuple(target.shape)}; "
            "expected (B, C, H, W) and (B, H, W)."
        )
